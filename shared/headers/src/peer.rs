//! Who is at the other end of the connection, as the proxy before the API has seen it.

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

/// What the proxy says of a connection. It overwrites these headers in every request that it passes on.
const ADDRESS: HeaderName = HeaderName::from_static("faregate-peer-address");
const UID: HeaderName = HeaderName::from_static("faregate-peer-uid");
/// By these a request says that it was passed on for somebody else.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];

/// The other end of a connection. Nothing is known of it by default: a host that knows puts one among a request's extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address, or the one that a trusted proxy names.
    pub address: Option<IpAddr>,
    /// The system user whose process made the connection, on this machine.
    pub uid: Option<u32>,
    /// The process passes requests on for others: it is not whom a request comes from.
    pub forwards: bool,
}

impl Peer {
    /// What is known of a request's.
    pub fn of(extensions: &Extensions) -> Peer {
        extensions.get().copied().unwrap_or_default()
    }

    /// Writes it into the headers of a request that is passed on, in place of what its sender wrote there.
    pub fn write(&self, headers: &mut HeaderMap) {
        Peer::strip(headers);
        let address = self.address.and_then(|address| HeaderValue::try_from(address.to_string()).ok());
        address.map(|address| headers.insert(ADDRESS, address));
        self.uid.map(|uid| headers.insert(UID, HeaderValue::from(uid)));
    }

    /// Takes it out of the headers of a request. To be believed only where nobody but the proxy can connect.
    pub fn take(headers: &mut HeaderMap) -> Peer {
        let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
        let address = text(&ADDRESS).and_then(|text| text.parse().ok());
        let uid = text(&UID).and_then(|text| text.parse().ok());
        let forwards = FORWARDED.iter().any(|name| headers.contains_key(*name));
        Peer::strip(headers);
        Peer { address, uid, forwards }
    }

    /// Is the connection one of this machine with itself?
    pub fn is_local(&self) -> bool {
        self.address.is_some_and(|address| address.to_canonical().is_loopback())
    }

    fn strip(headers: &mut HeaderMap) {
        headers.remove(ADDRESS);
        headers.remove(UID);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn what_a_sender_says_of_itself_is_overwritten_also_by_nothing() {
        let said = [(ADDRESS, "10.0.0.1"), (ADDRESS, "10.0.0.2"), (UID, "0")];
        let mut headers: HeaderMap = said.map(|(k, v)| (k, HeaderValue::from_static(v))).into_iter().collect();
        let known = Peer { address: Some(Ipv4Addr::LOCALHOST.into()), uid: Some(1000), forwards: false };
        known.write(&mut headers);
        assert_eq!(Peer::take(&mut headers.clone()), known);
        assert!(known.is_local());
        Peer::default().write(&mut headers);
        assert!(headers.is_empty());
        assert_eq!(Peer::take(&mut headers), Peer::default());
    }

    #[test]
    fn a_request_that_was_passed_on_says_so() {
        for name in FORWARDED {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("10.0.0.1"));
            assert!(Peer::take(&mut headers).forwards, "{name}");
        }
    }

    #[test]
    fn an_address_of_either_family_can_be_this_machines() {
        for (address, local) in [
            ("127.0.0.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
        ] {
            let peer = Peer { address: address.parse().ok(), ..Peer::default() };
            assert_eq!(peer.is_local(), local, "{address}");
        }
        assert!(!Peer::default().is_local());
    }
}
