//! Ports of our choice.

use faregate_machine::random;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Below the range from which the kernel takes ports for outgoing connections: nobody's connection can take such a port while its
/// listener is away for a moment.
const RANGE: std::ops::Range<u16> = 10_240..32_768;
/// Ports that are tried.
const TRIES: u32 = 200;

/// A port that is free now at this address.
pub fn free_port(ip: IpAddr) -> Option<u16> {
    (0..TRIES).find_map(|_| {
        let port = RANGE.start + u16::from_ne_bytes(random()) % (RANGE.end - RANGE.start);
        TcpListener::bind(SocketAddr::from((ip, port))).ok().map(|_| port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_free_port_can_be_bound_and_lies_below_those_of_outgoing_connections() {
        let port = free_port(Ipv4Addr::LOCALHOST.into()).expect("a port");
        assert!(RANGE.contains(&port));
    }
}
