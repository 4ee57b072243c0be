//! Where being a process of this machine is enough to be let in: whose process, and led here by whom.

use crate::config::{LocalPeers, ProxyConfig};
use crate::trust::Remote;
use http::{HeaderMap, Request, header};
use rustix::process::geteuid;
use std::net::IpAddr;

/// The names that this gateway goes by.
#[derive(Debug)]
pub(super) struct Hosts {
    external: Option<String>,
    own_uid: u32,
}

impl Hosts {
    pub(super) fn new(config: &ProxyConfig) -> Self {
        Hosts { external: config.external_host.clone(), own_uid: geteuid().as_raw() }
    }

    /// May this request go on? The error is a sentence. Schedulers, who have tokens, may be anybody's processes.
    pub(super) fn admit<B>(
        &self,
        peers: LocalPeers,
        request: &Request<B>,
        remote: &Remote,
        from_scheduler: bool,
    ) -> Result<(), String> {
        if peers == LocalPeers::Strangers {
            return Ok(());
        }
        if peers == LocalPeers::OwnOnly && !from_scheduler {
            self.is_own(remote)?;
        }
        // a page of any site can have its own name lead to this machine, and then ask as the user who looks at it
        let by_itself = request.uri().authority().map(|authority| authority.host());
        match by_itself.or_else(|| host(request.headers())) {
            Some(host) if remote.uid.is_some() && !self.is_known(host) => Err(format!(
                "`{}` is no name of this gateway: use an address, or set `external_url`",
                host.escape_debug()
            )),
            _ => Ok(()),
        }
    }

    fn is_own(&self, remote: &Remote) -> Result<(), String> {
        let own = self.own_uid;
        match remote.uid {
            Some(uid) if uid == own || uid == 0 => Ok(()),
            Some(uid) => Err(format!(
                "no way to sign in is configured, so only processes of the gateway's own user (id {own}) and of root are let in; \
                 yours is of user {uid}. hint: set `methods` under `[auth]`, for example to [\"peer\"]"
            )),
            None => Err(format!(
                "no way to sign in is configured, so only processes of the gateway's own user (id {own}) and of root are let in; \
                 whose yours is cannot be told. hint: set `methods` under `[auth]`"
            )),
        }
    }

    fn is_known(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        literal.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self.external.as_ref().is_some_and(|external| external.eq_ignore_ascii_case(&host))
    }
}

/// The request's `Host`, without a port.
fn host(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::HOST)?.to_str().unwrap_or("?");
    let end = if text.starts_with('[') { text.find(']').map(|at| at + 1) } else { text.find(':') };
    Some(&text[..end.unwrap_or(text.len())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::net::Ipv4Addr;

    fn admitted(peers: LocalPeers, uid: Option<u32>, host: &'static str, from_scheduler: bool) -> bool {
        let hosts = Hosts { external: Some("gateway.example".into()), own_uid: 1000 };
        let mut request = Request::new(());
        request.headers_mut().insert(header::HOST, HeaderValue::from_static(host));
        let remote = Remote { address: Ipv4Addr::LOCALHOST.into(), uid };
        hosts.admit(peers, &request, &remote, from_scheduler).is_ok()
    }

    #[test]
    fn where_nobody_signs_in_only_the_gateways_own_user_and_root_come_in() {
        let own = |uid, from_scheduler| admitted(LocalPeers::OwnOnly, uid, "127.0.0.1:8000", from_scheduler);
        assert!(own(Some(1000), false) && own(Some(0), false));
        assert!(!own(Some(1001), false) && !own(None, false));
        assert!(own(Some(1001), true) && own(None, true), "tasks may run as others");
        assert!(admitted(LocalPeers::Strangers, None, "any.example", false));
    }

    #[test]
    fn a_foreign_name_does_not_lead_here() {
        for peers in [LocalPeers::OwnOnly, LocalPeers::Known] {
            let by = |host| admitted(peers, Some(1000), host, false);
            for known in
                ["127.0.0.1:8000", "[::1]:8000", "localhost", "LocalHost:1", "a.localhost", "Gateway.Example:443"]
            {
                assert!(by(known), "{known}");
            }
            for foreign in
                ["evil.example", "127.0.0.1.evil.example", "gateway.example.evil", "localhost.evil", "", "\u{1}"]
            {
                if !foreign.contains('\u{1}') {
                    assert!(!by(foreign), "{foreign}");
                }
            }
        }
        assert!(admitted(LocalPeers::Known, None, "any.example", false), "others sign in");
    }
}
