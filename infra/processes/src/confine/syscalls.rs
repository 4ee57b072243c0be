//! Calls by which a process changes another of the same user, and that Landlock does not see: they fail with EPERM, unless the process
//! names itself by 0. Signals, `ptrace` and what asks for its rights are Landlock's.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};
use std::collections::BTreeMap;
use std::io;

/// Their first argument is a process, 0 is oneself.
const OF_A_PROCESS: [i64; 7] = [
    libc::SYS_prlimit64,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setaffinity,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];
/// Their first two arguments say which processes: by id, by group or by user. The first says "one process" by this number.
const OF_PROCESSES: [(i64, u64); 2] =
    [(libc::SYS_setpriority, libc::PRIO_PROCESS as u64), (libc::SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */)];
/// For nobody: they look into other processes, or into the kernel, and no task computes with them.
const NEVER: [i64; 12] = [
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    libc::SYS_userfaultfd,
    libc::SYS_syslog,
];
/// On x86-64 each call has a second number (the x32 ABI) where the kernel has it.
#[cfg(target_arch = "x86_64")]
const NUMBERS: [i64; 2] = [0, 0x4000_0000];
#[cfg(not(target_arch = "x86_64"))]
const NUMBERS: [i64; 1] = [0];

/// Filters the calls of the calling thread and its descendants.
pub fn restrict() -> io::Result<()> {
    apply_filter(&program().map_err(io::Error::other)?).map_err(io::Error::other)
}

fn program() -> Result<BpfProgram, seccompiler::BackendError> {
    let not = |argument: u8, value: u64| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)?;
        SeccompRule::new(vec![condition])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for number in NUMBERS {
        for call in OF_A_PROCESS {
            rules.insert(number + call, vec![not(0, 0)?]);
        }
        for (call, one_process) in OF_PROCESSES {
            rules.insert(number + call, vec![not(0, one_process)?, not(1, 0)?]);
        }
        rules.extend(NEVER.map(|call| (number + call, Vec::new())));
    }
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, std::env::consts::ARCH.try_into()?)?.try_into()
}
