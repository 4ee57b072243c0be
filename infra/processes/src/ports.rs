//! Which TCP ports processes listen on.

use super::processes::Process;
use faregate_sock_diag::listeners;
use rustix::io::Errno;
use std::collections::{BTreeSet, HashMap};
use std::{fs, io};

/// The ports that any of `processes` listens on, sorted. A process that ended, or is not ours to inspect, has none.
///
/// The kernel is asked for listening sockets alone where it can be: `/proc/net/tcp` lists every connection of the machine too.
pub fn listening(processes: &[Process]) -> io::Result<Vec<u16>> {
    let sockets = processes.iter().map(sockets).collect::<io::Result<Vec<_>>>()?.concat();
    if sockets.is_empty() {
        return Ok(Vec::new());
    }
    let listening = listeners().or_else(|_| from_proc())?;
    let ports: BTreeSet<u16> = sockets.iter().filter_map(|inode| listening.get(inode).copied()).collect();
    Ok(ports.into_iter().collect())
}

/// The inodes of a process's sockets. Not being able to look for want of file descriptors is no sign that it has none.
fn sockets(process: &Process) -> io::Result<Vec<u64>> {
    let mut inodes = Vec::new();
    let Some(descriptors) = unless_gone(fs::read_dir(format!("/proc/{}/fd", process.pid)))? else { return Ok(inodes) };
    for entry in descriptors {
        let Some(entry) = unless_gone(entry)? else { break };
        let Some(link) = unless_gone(fs::read_link(entry.path()))? else { continue };
        let inode: Option<u64> =
            link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inodes.extend(inode);
    }
    Ok(inodes)
}

/// None for what has ended, was closed, or is not ours to inspect.
fn unless_gone<T>(looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
        Err(e) if Errno::from_io_error(&e) == Some(Errno::SRCH) => Ok(None),
        other => other.map(Some),
    }
}

/// The listening sockets of this machine: inode and port.
fn from_proc() -> io::Result<HashMap<u64, u16>> {
    let mut found = parse(&fs::read_to_string("/proc/net/tcp")?);
    match fs::read_to_string("/proc/net/tcp6") {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {} // no IPv6 here
        other => found.extend(parse(&other?)),
    }
    Ok(found)
}

/// Lines of `/proc/net/tcp`: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`.
fn parse(table: &str) -> HashMap<u64, u16> {
    let listener = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        (*state == "0A").then_some((inode.parse().ok()?, port))
    };
    table.lines().skip(1).filter_map(listener).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_process_owns_the_ports_it_listens_on_and_not_those_it_connects_from() {
        let me = Process::of(std::process::id() as i32).unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let six = TcpListener::bind("[::1]:0").ok();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ports = listening(&[me]).unwrap();
        assert!(ports.contains(&listener.local_addr().unwrap().port()));
        assert!(six.is_none_or(|six| ports.contains(&six.local_addr().unwrap().port())));
        assert!(!ports.contains(&stream.local_addr().unwrap().port()));
    }

    #[test]
    fn both_ways_of_looking_find_the_same_port() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let of_port = |table: HashMap<u64, u16>| table.into_iter().filter(|(_, p)| *p == port).collect::<Vec<_>>();
        assert_eq!(of_port(listeners().unwrap()), of_port(from_proc().unwrap()));
    }
}
