//! Whose process made a connection, where both ends are on this machine.

use faregate_sock_diag::connection;
use std::net::{IpAddr, SocketAddr};
use std::{fs, io};

/// The system user at the other end of an accepted connection; none for one that comes from elsewhere, and when it cannot be told:
/// from another network namespace, through an address translation, or of a process that is gone.
pub(crate) fn of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    if !peer.ip().to_canonical().is_loopback() {
        return None;
    }
    // the kernel without this interface has the table
    let found = connection(peer, own).map(|found| found.filter(|socket| socket.inode.is_some()));
    match found.map(|found| found.map(|socket| socket.uid)).or_else(|_| from_proc(peer, own)) {
        Ok(uid) => uid,
        Err(error) => {
            tracing::debug!(%peer, %error, "the system user of a local connection cannot be told");
            None
        }
    }
}

fn from_proc(peer: SocketAddr, own: SocketAddr) -> io::Result<Option<u32>> {
    // a socket of IPv6 may have a connection of IPv4
    for (path, six) in [("/proc/net/tcp", false), ("/proc/net/tcp6", true)] {
        match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            table => {
                if let Some(uid) = in_table(&table?, &field(peer, six), &field(own, six)) {
                    return Ok(Some(uid));
                }
            }
        }
    }
    Ok(None)
}

/// Lines of `/proc/net/tcp`: `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`.
fn in_table(table: &str, local: &str, remote: &str) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = fields.get(1..3)? == [local, remote] && fields.get(9).is_some_and(|inode| *inode != "0");
        if is_it { fields.get(7)?.parse().ok() } else { None }
    })
}

/// An address as the kernel writes it: words of four bytes in its own order, in hexadecimal digits.
fn field(address: SocketAddr, six: bool) -> String {
    let octets = match (address.ip().to_canonical(), six) {
        (IpAddr::V4(ip), false) => ip.octets().to_vec(),
        (IpAddr::V4(ip), true) => ip.to_ipv6_mapped().octets().to_vec(),
        (IpAddr::V6(ip), _) => ip.octets().to_vec(),
    };
    let words = octets.chunks(4).map(|word| u32::from_ne_bytes(std::array::from_fn(|i| word[i])));
    let ip: String = words.map(|word| format!("{word:08X}")).collect();
    format!("{ip}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn both_ways_of_looking_find_the_same_user_and_none_of_a_connection_that_is_not() {
        let me = Some(rustix::process::geteuid().as_raw());
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(at).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, peer) = listener.accept().unwrap();
            let own = server.local_addr().unwrap();
            assert_eq!((of(peer, own), from_proc(peer, own).unwrap()), (me, me), "{at}");
            let other = SocketAddr::new(peer.ip(), 1);
            assert_eq!((of(other, own), from_proc(other, own).unwrap()), (None, None), "{at}");
        }
        assert_eq!(of("10.0.0.1:5".parse().unwrap(), "10.0.0.2:6".parse().unwrap()), None);
    }

    #[test]
    fn a_client_that_writes_ipv4_as_ipv6_is_found_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let Ok(_client) = TcpStream::connect(format!("[::ffff:127.0.0.1]:{port}")) else {
            panic!("this machine has no IPv6, which this test needs");
        };
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(of(peer, server.local_addr().unwrap()), Some(rustix::process::geteuid().as_raw()));
    }
}
