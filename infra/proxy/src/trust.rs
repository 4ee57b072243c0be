//! Where a request comes from, as far as it can be believed.

use crate::config::{Api, ProxyConfig, Scheme};
use faregate_headers::{Network, Peer};
use http::header::{HeaderMap, HeaderName};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remote {
    pub(crate) address: IpAddr,
    /// Whose process it is, on this machine.
    pub(crate) uid: Option<u32>,
}

/// Who shares a bound with whom: everybody behind one address, or on this machine one system user. Networks of IPv6 are given out whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sharer {
    User(u32),
    Address(IpAddr),
}

impl Remote {
    pub(crate) fn of(peer: SocketAddr, own: SocketAddr) -> Remote {
        Remote { address: peer.ip().to_canonical(), uid: crate::peer_uid::of(peer, own) }
    }

    pub(crate) fn sharer(&self) -> Sharer {
        self.uid.map_or_else(|| of_address(self.address), Sharer::User)
    }
}

fn of_address(address: IpAddr) -> Sharer {
    const HOST: u128 = u64::MAX as u128;
    Sharer::Address(match address {
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) & !HOST).into(),
        four => four,
    })
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) peer: Peer,
    pub(crate) scheme: Scheme,
    pub(crate) sharer: Sharer,
}

/// What is believed of those before this proxy.
#[derive(Debug)]
pub(crate) struct Trust {
    proxies: Vec<Network>,
    external: Option<Scheme>,
}

impl Trust {
    pub(crate) fn new(config: &ProxyConfig) -> Self {
        let elsewhere = matches!(config.api, Api::Elsewhere { https: true, .. }).then_some(Scheme::Https);
        Trust { proxies: config.trusted_proxies.clone(), external: config.external_scheme.or(elsewhere) }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|proxy| proxy.contains(address))
    }

    /// Of a request that came by `scheme` over a connection from `remote`.
    pub(crate) fn origin(&self, remote: &Remote, scheme: Scheme, headers: &HeaderMap) -> Origin {
        let outside = self.external.unwrap_or(scheme);
        if !self.trusts(remote.address) {
            let peer = Peer { address: Some(remote.address), uid: remote.uid, forwards: false };
            return Origin { peer, scheme: outside, sharer: remote.sharer() };
        }
        let said = last(headers, &FORWARDED_PROTO).and_then(|proto| match proto {
            _ if proto.eq_ignore_ascii_case("https") => Some(Scheme::Https),
            _ if proto.eq_ignore_ascii_case("http") => Some(Scheme::Http),
            _ => None,
        });
        // its process is the proxy's: it says nothing of whom a request comes from
        let address = self.forwarded_for(headers).unwrap_or(remote.address);
        let peer = Peer { address: Some(address), uid: None, forwards: true };
        Origin { peer, scheme: said.unwrap_or(outside), sharer: of_address(address) }
    }

    /// The last address that a trusted proxy wrote down and that is none of theirs: what stands before it anybody may have written.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        let all: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        let mut nearest = None;
        for text in all.into_iter().rev() {
            let Some(address) = with_or_without_port(text) else { break };
            nearest = Some(address);
            if !self.trusts(address) {
                break;
            }
        }
        nearest
    }
}

fn with_or_without_port(text: &str) -> Option<IpAddr> {
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    alone.or_else(|| text.parse::<SocketAddr>().ok().map(|with_port| with_port.ip())).map(|ip| ip.to_canonical())
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Api, MemoryKeys};
    use faregate_keys::KeyRing;
    use http::HeaderValue;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn trust(external: Option<Scheme>) -> Trust {
        let keys = MemoryKeys::new(KeyRing::from_random(&[1; 64]));
        let mut config = ProxyConfig::new(Api::Elsewhere { url: None, https: false }, keys);
        config.trusted_proxies = ["10.0.0.0/24", "127.0.0.1"].map(|network| network.parse().unwrap()).into();
        config.external_scheme = external;
        Trust::new(&config)
    }

    fn headers(said: &[(&'static str, &'static str)]) -> HeaderMap {
        said.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_trusted_proxies_speak_for_others() {
        let said =
            headers(&[("x-forwarded-for", "192.0.2.9, 192.0.2.1, 10.0.0.7"), ("x-forwarded-proto", "http, https")]);
        let trust = trust(None);
        let from = |address: &str, uid| Remote { address: ip(address), uid };
        let stranger = trust.origin(&from("192.0.2.5", None), Scheme::Http, &said);
        assert_eq!((stranger.peer.address, stranger.scheme), (Some(ip("192.0.2.5")), Scheme::Http));
        for proxy in ["10.0.0.8", "127.0.0.1"] {
            let behind = trust.origin(&from(proxy, Some(0)), Scheme::Http, &said);
            let known = Peer { address: Some(ip("192.0.2.1")), uid: None, forwards: true };
            assert_eq!((behind.peer, behind.scheme), (known, Scheme::Https), "{proxy}");
            assert_eq!(behind.sharer, Sharer::Address(ip("192.0.2.1")));
        }
        let local = trust.origin(&from("127.0.0.2", Some(1000)), Scheme::Http, &said);
        assert_eq!((local.peer.uid, local.sharer), (Some(1000), Sharer::User(1000)));
    }

    #[test]
    fn what_cannot_be_read_is_the_proxys_own() {
        let proxy = Remote { address: ip("10.0.0.8"), uid: None };
        for (said, address) in [
            ("", "10.0.0.8"),
            ("unknown", "10.0.0.8"),
            ("192.0.2.1, unknown", "10.0.0.8"),
            ("10.0.0.9", "10.0.0.9"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, HeaderValue::from_static(said));
            let origin = trust(None).origin(&proxy, Scheme::Http, &headers);
            assert_eq!(origin.peer.address, Some(ip(address)), "{said}");
        }
    }

    #[test]
    fn the_public_address_says_the_scheme_where_nobody_else_does() {
        let stranger = Remote { address: ip("192.0.2.5"), uid: None };
        let lie = headers(&[("x-forwarded-proto", "http")]);
        assert_eq!(trust(Some(Scheme::Https)).origin(&stranger, Scheme::Http, &lie).scheme, Scheme::Https);
        assert_eq!(trust(Some(Scheme::Http)).origin(&stranger, Scheme::Https, &lie).scheme, Scheme::Http);
        let proxy = Remote { address: ip("10.0.0.8"), uid: None };
        assert_eq!(trust(Some(Scheme::Https)).origin(&proxy, Scheme::Http, &HeaderMap::new()).scheme, Scheme::Https);
    }

    #[test]
    fn neighbours_in_a_network_of_ipv6_share() {
        let sharer = |address: &str| Remote { address: ip(address), uid: None }.sharer();
        assert_eq!(sharer("2001:db8::1"), sharer("2001:db8::2:3:4:5"));
        assert_ne!(sharer("2001:db8::1"), sharer("2001:db8:0:1::1"));
        assert_ne!(sharer("192.0.2.1"), sharer("192.0.2.2"));
    }
}
