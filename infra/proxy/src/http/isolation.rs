//! What keeps a dashboard to itself. Its pages are made by the cluster's owner, maybe in bad faith, and share an origin with every
//! other cluster's and, on one machine, with the API: without this a page could act there as whoever looks at it.

use super::path;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What a dashboard may say of its answers. All else is dropped: cookies, service workers' scopes, where browsers send reports,
/// what they shall forget or insist on for the whole origin, and whatever they will learn to obey.
const SAID_BY_DASHBOARDS: [&str; 26] = [
    "accept-ranges",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-max-age",
    "age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "pragma",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "vary",
];

/// Pages whose link has a key in it need no cookie. So they get an origin that is nobody else's: no cookie, no storage and no other
/// page of ours is within their reach, nor can they read any answer but what says that anybody may.
const KEYED: &str =
    "sandbox allow-downloads allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-scripts";

/// Where distributed's pages about workers take their style sheet from (`distributed/http/templates/main.html`).
const STYLES: &str = "https://cdnjs.cloudflare.com";

/// How visitors are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// By the key in the path.
    Key,
    /// By the cookie.
    Cookie,
}

/// Makes the answer of the dashboard at `mount`, asked for at `host`, one that concerns this dashboard alone.
pub(super) fn isolate(headers: &mut HeaderMap, entrance: Entrance, host: Option<&HeaderValue>, mount: &str) {
    let place = headers.remove(header::LOCATION).and_then(|place| stay_below(mount, place.to_str().ok()?));
    let dropped: Vec<HeaderName> =
        headers.keys().filter(|name| SAID_BY_DASHBOARDS.binary_search(&name.as_str()).is_err()).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
    if let Some(place) = place {
        headers.insert(header::LOCATION, place);
    }
    let policy = match entrance {
        Entrance::Key => HeaderValue::from_static(KEYED),
        Entrance::Cookie => {
            // no page of another origin shows what comes by a cookie; those by a key are of no origin, and need their own scripts
            headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
            policy(host, mount).unwrap_or(HeaderValue::from_static(KEYED))
        }
    };
    // beside what the dashboard itself says: both hold
    headers.append(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // whoever opened it cannot reach into it, be it a page of our own
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("noopener-allow-popups"));
}

/// Pages that need their cookie must keep the origin, which `sandbox` alone would take. They may speak to their own paths and to
/// nothing else, and open no window: that of another dashboard, or of the API, would be theirs to read. Nor may they be framed, by
/// another dashboard for instance.
///
/// Sources that begin with `http` and `ws` allow `https` and `wss` as well.
fn policy(host: Option<&HeaderValue>, mount: &str) -> Option<HeaderValue> {
    let host = host?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    let own = if host.bytes().all(plain) && !host.is_empty() {
        format!("http://{host}{mount}/ ws://{host}{mount}/")
    } else if host.starts_with('[') {
        // policies cannot name an IPv6 address: this one keeps its pages from each other less well
        "'self'".to_owned()
    } else {
        return None;
    };
    HeaderValue::try_from(format!(
        "sandbox allow-downloads allow-forms allow-modals allow-same-origin allow-scripts; \
         default-src {own} 'unsafe-inline' 'unsafe-eval' data: blob: {STYLES}; worker-src 'none'; object-src 'none'; \
         base-uri {own}; form-action {own}; frame-ancestors 'none'"
    ))
    .ok()
}

/// Where a redirect leads that stays at the dashboard: after a redirect, a browser no longer looks at the path that a policy allows.
fn stay_below(mount: &str, place: &str) -> Option<HeaderValue> {
    let end = place.find(['?', '#']).unwrap_or(place.len());
    let (path, rest) = place.split_at(end);
    let odd = |b: u8| !b.is_ascii_graphic() || b == b'\\';
    let is_relative = !path.split('/').next().unwrap_or_default().contains(':');
    if place.bytes().any(odd) || path.starts_with("//") || !is_relative || path::climbs(path) {
        return None;
    }
    let mount = if path.starts_with('/') { mount } else { "" };
    HeaderValue::try_from(format!("{mount}{path}{rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNT: &str = "/clusters/a";

    fn isolated(said: &[(&'static str, &'static str)], entrance: Entrance, host: &'static str) -> HeaderMap {
        let mut headers: HeaderMap =
            said.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect();
        isolate(&mut headers, entrance, Some(&HeaderValue::from_static(host)), MOUNT);
        headers
    }

    #[test]
    fn what_concerns_more_than_the_answer_is_dropped() {
        assert!(SAID_BY_DASHBOARDS.is_sorted());
        let said = [
            ("set-cookie", "a=b; Path=/"),
            ("service-worker-allowed", "/"),
            ("clear-site-data", "\"*\""),
            ("strict-transport-security", "max-age=1"),
            ("public-key-pins", "x"),
            ("link", "</api>; rel=preload"),
            ("refresh", "0; url=/api/v1/clusters/"),
            ("report-to", "{}"),
            ("reporting-endpoints", "a=\"/api/v1/clusters/\""),
            ("nel", "{}"),
            ("alt-svc", "h3=\":1\""),
            ("content-security-policy-report-only", "default-src 'none'; report-uri /api/v1/clusters/"),
            ("www-authenticate", "Basic realm=\"faregate\""),
            ("cross-origin-opener-policy", "unsafe-none"),
            ("referrer-policy", "unsafe-url"),
            ("access-control-allow-credentials", "true"),
            ("content-type", "text/html"),
            ("etag", "x"),
        ];
        for entrance in [Entrance::Key, Entrance::Cookie] {
            let kept = isolated(&said, entrance, "gateway.example");
            let mut names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            names.retain(|name| *name != "cross-origin-resource-policy");
            assert_eq!(kept.contains_key("cross-origin-resource-policy"), entrance == Entrance::Cookie);
            let expected =
                ["content-security-policy", "content-type", "cross-origin-opener-policy", "etag", "referrer-policy"];
            assert_eq!(names, expected);
            assert_eq!(kept["cross-origin-opener-policy"], "noopener-allow-popups");
            assert_eq!(kept["referrer-policy"], "no-referrer");
        }
    }

    #[test]
    fn a_page_by_cookie_speaks_to_its_own_paths_alone() {
        let said = [("content-security-policy", "default-src *")];
        let headers = isolated(&said, Entrance::Cookie, "gateway.example:8000");
        let policies: Vec<_> = headers.get_all("content-security-policy").iter().collect();
        assert_eq!(policies[0], "default-src *", "and ours beside it");
        let ours = policies[1].to_str().unwrap();
        let own = "http://gateway.example:8000/clusters/a/ ws://gateway.example:8000/clusters/a/";
        for directive in [
            format!("default-src {own} 'unsafe-inline' 'unsafe-eval' data: blob: https://cdnjs.cloudflare.com"),
            format!("form-action {own}"),
            format!("base-uri {own}"),
            "worker-src 'none'".into(),
            "frame-ancestors 'none'".into(),
            "sandbox allow-downloads allow-forms allow-modals allow-same-origin allow-scripts".into(),
        ] {
            assert!(ours.split("; ").any(|one| one == directive), "{directive} in {ours}");
        }
    }

    #[test]
    fn where_the_host_cannot_be_named_the_page_keeps_less() {
        for odd in ["", "a b", "a;script-src *", "a,b", "'self'", "*", "a/b"] {
            assert_eq!(isolated(&[], Entrance::Cookie, odd)["content-security-policy"], KEYED, "{odd}");
        }
        let six = isolated(&[], Entrance::Cookie, "[::1]:8000");
        assert!(six["content-security-policy"].to_str().unwrap().contains("default-src 'self' "));
        assert!(!KEYED.contains("allow-same-origin"));
    }

    #[test]
    fn a_redirect_stays_at_the_dashboard() {
        let mut headers = HeaderMap::new();
        for (place, leads_to) in [
            ("/status", Some("/clusters/a/status")),
            ("/status?next=http://x//..#/../a", Some("/clusters/a/status?next=http://x//..#/../a")),
            ("status", Some("status")),
            ("./info/main.html", Some("./info/main.html")),
            ("?theme=dark", Some("?theme=dark")),
            ("/a..b/...", Some("/clusters/a/a..b/...")),
            ("../../api/v1/clusters/", None),
            ("/../b/status", None),
            ("/x/%2e%2E/../api", None),
            (".%2e/api", None),
            ("/..;/api", None),
            ("//evil.example/", None),
            ("/\\evil.example/", None),
            ("\\\\evil.example", None),
            ("http://gateway.example/api/", None),
            ("HTTPS:/api", None),
            ("javascript:alert(1)", None),
            ("x:y", None),
            ("/\tapi", None),
        ] {
            headers.insert(header::LOCATION, HeaderValue::from_static(place));
            isolate(&mut headers, Entrance::Key, None, MOUNT);
            assert_eq!(headers.get(header::LOCATION).map(|to| to.to_str().unwrap()), leads_to, "{place}");
        }
    }
}
