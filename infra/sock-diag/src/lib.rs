//! TCP sockets, asked of the kernel (`sock_diag(7)`): all that listen ([`listeners`]), or the one that a connection begins at
//! ([`connection`]). Connections, of which there may be thousands, are not looked through.
//!
//! By hand, as the kernel's answer is a few fixed fields and `rustix` has the socket. Depends on nothing of ours; the launcher and the proxy
//! ask it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST: u16 = 0x1;
const REQUEST_DUMP: u16 = 0x301;
const MESSAGE_ERROR: u16 = 2;
const MESSAGE_DONE: u16 = 3;
const TCP: u8 = 6;
/// The bit of the state LISTEN.
const LISTEN: u32 = 1 << 10;
const INET: u8 = 2;
const INET6: u8 = 10;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_req_v2`.
const QUESTION: usize = 56;
/// Within `struct inet_diag_msg`: the state, the local port and then the other one (big endian), both addresses, the user, the inode,
/// its length.
const STATE: usize = 1;
const PORT: usize = 4;
const LOCAL: usize = 8;
const REMOTE: usize = 24;
const UID: usize = 64;
const INODE: usize = 68;
const MESSAGE: usize = 72;

/// Any socket, whatever number the kernel knows it by.
const NO_COOKIE: [u8; 8] = [0xff; 8];

/// A socket that has a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The system user whose process made it.
    pub uid: u32,
    /// Its inode; none when no process has it any more.
    pub inode: Option<u32>,
}

/// All that listen on this machine, or in this network namespace: inode and port. Fails where the kernel does not answer such
/// questions.
pub fn listeners() -> io::Result<HashMap<u64, u16>> {
    let socket = open()?;
    let mut found = HashMap::new();
    for family in [INET, INET6] {
        send(&socket, &question(REQUEST_DUMP, family, LISTEN, &[]), SendFlags::empty())?;
        each_answer(&socket, |message| {
            let inode = u32::from_ne_bytes(bytes(message, INODE));
            found.insert(u64::from(inode), u16::from_be_bytes(bytes(message, PORT)));
        })?;
    }
    Ok(found)
}

/// The socket of this machine, in this network namespace, that is at `local` and connected to `remote`; none when there is no such
/// one. Fails where the kernel does not answer such questions. Addresses of IPv4 may be written as IPv6.
pub fn connection(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<Socket>> {
    let (from, to) = (local.ip().to_canonical(), remote.ip().to_canonical());
    let family = match (from, to) {
        (IpAddr::V4(_), IpAddr::V4(_)) => INET,
        (IpAddr::V6(_), IpAddr::V6(_)) => INET6,
        _ => return Ok(None),
    };
    let mut id = Vec::with_capacity(48);
    id.extend([local.port().to_be_bytes(), remote.port().to_be_bytes()].concat());
    id.extend([address(from), address(to)].concat());
    id.extend([0; 4]); // any interface
    id.extend(NO_COOKIE);
    let socket = open()?;
    send(&socket, &question(REQUEST, family, u32::MAX, &id), SendFlags::empty())?;
    let mut found = None;
    let asked = each_answer(&socket, |message| found = connected(message, &id));
    match asked {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(|()| found),
    }
}

/// The socket that an answer describes, if it is the one of `id` and has a connection: the kernel also finds those that listen there.
fn connected(message: &[u8], id: &[u8]) -> Option<Socket> {
    const ESTABLISHED: u8 = 1;
    const CLOSING: [u8; 3] = [4, 5, 8]; // FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT
    let state = message[STATE];
    let ports = message[PORT..PORT + 4] == id[..4];
    let same = |at: usize, in_id: usize| canonical(&message[at..at + 16]) == canonical(&id[in_id..in_id + 16]);
    if !ports || !same(LOCAL, 4) || !same(REMOTE, 20) || !(state == ESTABLISHED || CLOSING.contains(&state)) {
        return None;
    }
    let inode = u32::from_ne_bytes(bytes(message, INODE));
    Some(Socket { uid: u32::from_ne_bytes(bytes(message, UID)), inode: Some(inode).filter(|inode| *inode != 0) })
}

/// Sixteen bytes as the kernel writes an address: one of IPv4 stands in the first four, or where IPv6 has it.
fn canonical(field: &[u8]) -> [u8; 16] {
    const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    let mut whole: [u8; 16] = bytes(field, 0);
    if whole[..12] == MAPPED {
        whole = address(IpAddr::from([whole[12], whole[13], whole[14], whole[15]]));
    }
    whole
}

fn address(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut field = [0; 16];
            field[..4].copy_from_slice(&ip.octets());
            field
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn open() -> io::Result<OwnedFd> {
    let kind = Some(netlink::SOCK_DIAG);
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, kind)?)
}

/// `id` empty = any address.
fn question(flags: u16, family: u8, states: u32, id: &[u8]) -> Vec<u8> {
    let mut request = Vec::with_capacity(HEADER + QUESTION);
    request.extend(((HEADER + QUESTION) as u32).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([0; 8]); // sequence, sender
    request.extend([family, TCP, 0, 0]);
    request.extend(states.to_ne_bytes());
    request.extend(id);
    request.resize(HEADER + QUESTION, 0);
    request
}

/// Reads to the end of what the kernel has to say: one answer, or many and a sign that they are over.
fn each_answer(socket: &OwnedFd, mut take_one: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (read, whole) = recv(socket, &mut buffer[..], RecvFlags::TRUNC)?;
        if read == 0 || whole > buffer.len() {
            return Err(cut_short());
        }
        if take(&buffer[..read], &mut take_one)? {
            return Ok(());
        }
    }
}

/// Takes in the messages of one datagram; `true` after the last of all.
fn take(mut datagram: &[u8], mut take_one: impl FnMut(&[u8])) -> io::Result<bool> {
    const PART_OF_MANY: u16 = 2;
    let mut over = false;
    while datagram.len() >= HEADER {
        let length = u32::from_ne_bytes(bytes(datagram, 0)) as usize;
        if length < HEADER || length > datagram.len() {
            return Err(cut_short());
        }
        match (u16::from_ne_bytes(bytes(datagram, 4)), &datagram[HEADER..length]) {
            (MESSAGE_DONE, _) => return Ok(true),
            (MESSAGE_ERROR, error) if error.len() >= 4 => {
                return Err(io::Error::from_raw_os_error(-i32::from_ne_bytes(bytes(error, 0))));
            }
            (SOCK_DIAG_BY_FAMILY, message) if message.len() >= MESSAGE => {
                take_one(message);
                over = u16::from_ne_bytes(bytes(datagram, 6)) & PART_OF_MANY == 0;
            }
            _ => return Err(cut_short()),
        }
        datagram = &datagram[length.next_multiple_of(4).min(datagram.len())..];
    }
    Ok(over)
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|i| from[at + i])
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer about sockets makes no sense")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn an_answer_that_is_cut_short_is_an_error_and_no_panic() {
        let mut message = vec![0; HEADER + MESSAGE];
        message[..4].copy_from_slice(&((HEADER + MESSAGE) as u32).to_ne_bytes());
        message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message[6] = 2;
        message[HEADER + PORT..HEADER + PORT + 2].copy_from_slice(&8000u16.to_be_bytes());
        let mut found = Vec::new();
        assert!(!take(&message, |one| found.push(u16::from_be_bytes(bytes(one, PORT)))).unwrap());
        assert!(take(&message[..message.len() - 1], |_| {}).is_err());
        message[0] = 3;
        assert!(take(&message, |_| {}).is_err());
        assert_eq!(found, [8000]);
    }

    #[test]
    fn the_socket_at_the_other_end_of_a_connection_is_found_by_either_way_to_write_its_address() {
        let me = rustix::process::geteuid().as_raw();
        for (at, also) in [("127.0.0.1:0", Some("[::ffff:127.0.0.1]:0")), ("[::1]:0", None)] {
            let listener = TcpListener::bind(at).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, from) = listener.accept().unwrap();
            let to = server.local_addr().unwrap();
            let found = connection(from, to).unwrap().unwrap();
            assert_eq!(found.uid, me);
            assert!(found.inode.is_some());
            if let Some(also) = also {
                let other: SocketAddr = also.parse().unwrap();
                let mapped = |address: SocketAddr| SocketAddr::new(other.ip(), address.port());
                assert_eq!(connection(mapped(from), mapped(to)).unwrap(), Some(found));
            }
            drop(client);
            let left = connection(from, to).unwrap();
            assert!(left.is_none_or(|left| left.inode.is_none()), "a socket that nobody has is nobody's: {left:?}");
            assert_eq!(connection(to, to).unwrap(), None, "one that listens there is not meant");
        }
    }
}
