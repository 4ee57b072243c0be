//! Who is let in to a dashboard: by the key in its link, or by a cookie that signing in gave them.

use super::headers;
use super::path::ClusterPath;
use faregate_core::model::Ms;
use faregate_headers::{Cookie, cookies};
use faregate_keys::{KeyRing, Ticket, Use};
use http::Request;

/// What a request for a dashboard gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// The dashboard: this path of it.
    Show(&'a str),
    /// A cookie for this ticket, if it has not been used, and the way to that path.
    Exchange(Ticket, &'a str),
    /// The way to where one signs in for that path, past a ticket that is no longer good.
    Leave(&'a str),
    /// Whoever signs people in decides.
    SignIn,
    /// Nothing.
    Unknown,
}

/// Where links carry a key.
pub(super) fn by_key<'a>(cluster: &ClusterPath<'a>, keys: &KeyRing) -> Entry<'a> {
    match cluster.keyed() {
        Some((key, tail)) if keys.verify(key, Use::Dashboard, &cluster.name) => Entry::Show(tail),
        _ => Entry::Unknown,
    }
}

/// Where people sign in.
pub(super) fn by_cookie<'a, B>(
    cluster: &ClusterPath<'a>,
    keys: &KeyRing,
    request: &Request<B>,
    https: bool,
    now: Ms,
) -> Entry<'a> {
    let headers = request.headers();
    let visit = headers::is_visit(request.method(), headers);
    if let Some((first, tail)) = cluster.keyed() {
        // of another time: such a link is good no more, and it is nobody else's business either
        if keys.verify(first, Use::Dashboard, &cluster.name) {
            return Entry::Unknown;
        }
        match Ticket::open(first, keys, Use::Ticket, &cluster.name, now) {
            Some(ticket) if visit => return Entry::Exchange(ticket, tail),
            Some(_) => return Entry::Unknown,
            None if Ticket::parse(first).is_some() => return if visit { Entry::Leave(tail) } else { Entry::Unknown },
            None => {}
        }
    }
    let is_pass = |text: &str| Ticket::open(text, keys, Use::DashboardSession, &cluster.name, now).is_some();
    match cookies(headers, Cookie::dashboard_name(https)).any(is_pass) {
        true if headers::is_of_another_origin(headers) => Entry::Unknown,
        true => Entry::Show(cluster.tail),
        false if visit => Entry::SignIn,
        false => Entry::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderName;
    use http::{HeaderValue, Method};

    const NAME: &str = "0123456789abcdef0123456789abcdef";
    const NOW: Ms = 1_800_000_000_000;

    fn ring() -> KeyRing {
        KeyRing::from_random(&std::array::from_fn(|i| i as u8))
    }

    fn issued(purpose: Use, name: &str, expires_at: Ms) -> String {
        let ticket = Ticket { key_id: "k1".into(), expires_at, nonce: 1 };
        ticket.issue(&ring(), purpose, &name.parse().unwrap()).unwrap()
    }

    /// The entry, as text, of a request for `tail` with these headers.
    fn entry(method: Method, tail: &str, pairs: &[(&'static str, &str)]) -> String {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.headers_mut() =
            pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_str(v).unwrap())).collect();
        let path = format!("/clusters/{NAME}{tail}");
        let cluster = ClusterPath::parse(&path).unwrap();
        match by_cookie(&cluster, &ring(), &request, false, NOW) {
            Entry::Show(tail) => format!("show {tail}"),
            Entry::Exchange(_, tail) => format!("exchange {tail}"),
            Entry::Leave(tail) => format!("leave {tail}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_pass_opens_its_cluster_until_it_expires() {
        let cookie = |pass: &str| format!("a=b; faregate-dashboard=stale; faregate-dashboard={pass}");
        let good = cookie(&issued(Use::DashboardSession, NAME, NOW + 1));
        assert_eq!(entry(Method::GET, "/status?x", &[("cookie", &good)]), "show /status?x");
        assert_eq!(entry(Method::POST, "/x", &[("cookie", &good)]), "show /x");
        let key = ring().token("k1", Use::Dashboard, &NAME.parse().unwrap()).unwrap();
        for bad in [
            issued(Use::DashboardSession, NAME, NOW),
            issued(Use::DashboardSession, &"f".repeat(32), NOW + 1),
            issued(Use::Ticket, NAME, NOW + 1),
            key.clone(),
        ] {
            assert_eq!(entry(Method::GET, "/status", &[("cookie", &cookie(&bad))]), "SignIn", "{bad}");
        }
        assert_eq!(entry(Method::GET, &format!("/{key}/status"), &[("cookie", &good)]), "Unknown");
    }

    #[test]
    fn a_ticket_is_exchanged_and_one_that_is_not_good_leads_away() {
        let ticket = |purpose, name: &str, until| format!("/{}/status?x", issued(purpose, name, until));
        assert_eq!(entry(Method::GET, &ticket(Use::Ticket, NAME, NOW + 1), &[]), "exchange /status?x");
        for bad in [
            ticket(Use::Ticket, NAME, NOW),
            ticket(Use::DashboardSession, NAME, NOW + 1),
            ticket(Use::Ticket, &"f".repeat(32), NOW + 1),
        ] {
            assert_eq!(entry(Method::GET, &bad, &[]), "leave /status?x");
            assert_eq!(entry(Method::POST, &bad, &[]), "Unknown");
        }
        assert_eq!(entry(Method::POST, &ticket(Use::Ticket, NAME, NOW + 1), &[]), "Unknown");
    }

    #[test]
    fn only_somebody_who_comes_to_look_is_asked_to_sign_in() {
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
        let navigate = ("sec-fetch-mode", "navigate");
        for (method, headers, expected) in [
            (Method::GET, &[][..], "SignIn"),
            (Method::HEAD, &[], "SignIn"),
            (Method::GET, &[navigate, ("sec-fetch-dest", "document"), ("sec-fetch-site", "cross-site")], "SignIn"),
            (Method::GET, &[navigate, ("sec-fetch-dest", "iframe")], "Unknown"),
            (Method::GET, &[("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")], "Unknown"),
            (Method::POST, &[], "Unknown"),
            (Method::GET, &upgrade, "Unknown"),
        ] {
            assert_eq!(entry(method, "/status", headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_pass_does_not_serve_pages_of_other_origins() {
        let pass = format!("faregate-dashboard={}", issued(Use::DashboardSession, NAME, NOW + 1));
        let upgrade =
            [("cookie", pass.as_str()), ("host", "gw:1"), ("connection", "upgrade"), ("upgrade", "websocket")];
        let with = |more: &[(&'static str, &str)]| {
            let all: Vec<_> = upgrade.iter().copied().chain(more.iter().copied()).collect();
            entry(Method::GET, "/ws", &all)
        };
        for own in [&[][..], &[("origin", "http://gw:1")], &[("origin", "https://GW:1")]] {
            assert_eq!(with(own), "show /ws", "{own:?}");
        }
        for other in ["null", "http://gw:2", "http://gw", "http://evil.example", "http://gw:1.evil.example"] {
            assert_eq!(with(&[("origin", other)]), "Unknown", "{other}");
        }
        for (site, mode, expected) in [
            ("same-origin", "cors", "show /ws"),
            ("none", "navigate", "show /ws"),
            ("cross-site", "navigate", "show /ws"),
            ("same-site", "no-cors", "Unknown"),
            ("cross-site", "websocket", "Unknown"),
        ] {
            assert_eq!(with(&[("sec-fetch-site", site), ("sec-fetch-mode", mode)]), expected, "{site} {mode}");
        }
    }
}
