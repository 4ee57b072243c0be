//! What this process has used, as Linux says (proc(5)).

use rustix::time::{ClockId, clock_gettime};
use std::fs;

/// CPU seconds so far, to the nanosecond (clock_gettime(2)).
pub fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Resident memory at this moment, in bytes.
pub fn resident() -> u64 {
    status("VmRSS:")
}

/// The most resident memory since [`forget_peak`], in bytes.
pub fn peak() -> u64 {
    status("VmHWM:")
}

/// The peak is what is resident now.
pub fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
