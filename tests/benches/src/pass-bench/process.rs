//! What this process has used, as Linux says (proc(5)).

use std::fs;

/// CPU seconds so far.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // the second field, the program's name in brackets, may contain anything
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
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
