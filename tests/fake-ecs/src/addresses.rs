//! Private addresses for tasks: a block of loopback addresses for each server, and one of them for each task.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// Whoever holds this port on a block's first address owns the block (the port that the ECS agent answers on).
const OWNER_PORT: u16 = 51678;

/// A block of addresses `127.<block>.*.*` that no other server on this machine gives out.
#[derive(Debug)]
pub struct Addresses {
    block: u8,
    given: u32,
    _owned: TcpListener,
}

impl Addresses {
    /// Takes a free block, looking from this one on.
    pub fn take(from: u64) -> io::Result<Addresses> {
        let mut last = io::Error::other("no block of loopback addresses is free");
        for step in 0..253 {
            let block = 1 + ((from % 253 + step) % 253) as u8;
            match TcpListener::bind((Ipv4Addr::new(127, block, 0, 1), OWNER_PORT)) {
                Ok(owned) => return Ok(Addresses { block, given: 0, _owned: owned }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The next address. After 65,000 they begin again.
    pub fn next(&mut self) -> Ipv4Addr {
        self.given = self.given % 65_000 + 1;
        let [high, low] = ((self.given + 1) as u16).to_be_bytes();
        Ipv4Addr::new(127, self.block, high, low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_never_give_the_same_address() {
        let (mut one, mut other) = (Addresses::take(7).unwrap(), Addresses::take(7).unwrap());
        assert_ne!(one.block, other.block);
        let given: std::collections::BTreeSet<_> = (0..600).flat_map(|_| [one.next(), other.next()]).collect();
        assert_eq!(given.len(), 1200);
    }
}
