//! Listening TCP sockets, asked of the kernel (`sock_diag(7)`): connections, of which there may be thousands, are not looked at.

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
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
const REQUEST: usize = 56;
/// Within `struct inet_diag_msg`: the local port (big endian), the inode, its length.
const PORT: usize = 4;
const INODE: usize = 68;
const MESSAGE: usize = 72;

/// All of this machine, or of this network namespace: inode and port. Fails where the kernel does not answer such questions.
pub fn listeners() -> io::Result<HashMap<u64, u16>> {
    let kind = netlink::SOCK_DIAG;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(kind))?;
    let mut found = HashMap::new();
    for family in [INET, INET6] {
        ask(&socket, family, &mut found)?;
    }
    Ok(found)
}

fn ask(socket: &OwnedFd, family: u8, found: &mut HashMap<u64, u16>) -> io::Result<()> {
    let mut request = Vec::with_capacity(HEADER + REQUEST);
    request.extend(((HEADER + REQUEST) as u32).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_DUMP.to_ne_bytes());
    request.extend([0; 8]); // sequence, sender
    request.extend([family, TCP, 0, 0]);
    request.extend(LISTEN.to_ne_bytes());
    request.resize(HEADER + REQUEST, 0); // any address
    send(socket, &request, SendFlags::empty())?;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (read, whole) = recv(socket, &mut buffer[..], RecvFlags::TRUNC)?;
        if read == 0 || whole > buffer.len() || take(&buffer[..read], found)? {
            return if whole > buffer.len() || read == 0 { Err(cut_short()) } else { Ok(()) };
        }
    }
}

/// Takes in the messages of one datagram; `true` after the last of all.
fn take(mut datagram: &[u8], found: &mut HashMap<u64, u16>) -> io::Result<bool> {
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
                let (port, inode) =
                    (u16::from_be_bytes(bytes(message, PORT)), u32::from_ne_bytes(bytes(message, INODE)));
                found.insert(u64::from(inode), port);
            }
            _ => return Err(cut_short()),
        }
        datagram = &datagram[length.next_multiple_of(4).min(datagram.len())..];
    }
    Ok(false)
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

    #[test]
    fn an_answer_that_is_cut_short_is_an_error_and_no_panic() {
        let mut message = vec![0; HEADER + MESSAGE];
        message[..4].copy_from_slice(&((HEADER + MESSAGE) as u32).to_ne_bytes());
        message[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message[HEADER + PORT..HEADER + PORT + 2].copy_from_slice(&8000u16.to_be_bytes());
        message[HEADER + INODE] = 7;
        let mut found = HashMap::new();
        assert!(!take(&message, &mut found).unwrap());
        assert!(take(&message[..message.len() - 1], &mut HashMap::new()).is_err());
        message[0] = 3;
        assert!(take(&message, &mut HashMap::new()).is_err());
        assert_eq!(found.into_values().collect::<Vec<_>>(), [8000]);
    }
}
