//! The headers of a request that a dashboard gets: what pages and WebSockets of Dask, Bokeh and Jupyter need, and nothing else.
//!
//! A dashboard is user code. Whatever else a browser, a login in front or a proxy adds to a request speaks of its visitor (who they are,
//! tokens they hold, where they are) and stays here, also what nobody has thought of yet.

use super::headers;
use http::header::{HeaderMap, HeaderName};

/// What is passed on.
const PASSED_ON: [&str; 31] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "origin",
    "pragma",
    "range",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-extensions",
    "sec-websocket-key",
    // Bokeh's session is in it
    "sec-websocket-protocol",
    "sec-websocket-version",
    "user-agent",
    "x-requested-with",
    // of Jupyter's pages: its value is the page's own
    "x-xsrftoken",
];

/// Leaves what is passed on.
pub(super) fn pass_on(all: &mut HeaderMap, websocket: bool) {
    // what a sender names in `Connection` is not passed on, whatever it is
    headers::remove_hop_by_hop(all);
    let dropped: Vec<HeaderName> =
        all.keys().filter(|name| PASSED_ON.binary_search(&name.as_str()).is_err()).cloned().collect();
    for name in dropped {
        all.remove(name);
    }
    if websocket {
        headers::set_websocket(all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn what_a_login_in_front_adds_stays_here() {
        assert!(PASSED_ON.is_sorted());
        let mut all = HeaderMap::new();
        for name in [
            "authorization",
            "cookie",
            "cf-access-jwt-assertion",
            "cf-connecting-ip",
            "expect",
            "faregate-peer-uid",
            "forwarded",
            "referer",
            "remote-user",
            "service-worker",
            "true-client-ip",
            "x-amzn-oidc-accesstoken",
            "x-amzn-oidc-data",
            "x-amzn-oidc-identity",
            "x-auth-request-access-token",
            "x-auth-request-email",
            "x-forwarded-access-token",
            "x-forwarded-email",
            "x-forwarded-for",
            "x-forwarded-user",
            "x-goog-iap-jwt-assertion",
            "x-ms-token-aad-access-token",
            "x-real-ip",
            "x-scheme",
            "x-nobody-has-thought-of-this",
        ] {
            all.insert(name, HeaderValue::from_static("secret"));
        }
        for name in PASSED_ON {
            all.insert(name, HeaderValue::from_static("good"));
        }
        pass_on(&mut all, false);
        assert_eq!(all.len(), PASSED_ON.len());
        assert!(all.values().all(|value| value == "good"));
    }

    #[test]
    fn a_websocket_stays_one() {
        let asked = [("connection", "keep-alive, Upgrade, origin"), ("upgrade", "websocket"), ("origin", "http://a")];
        let mut all: HeaderMap =
            asked.map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).into_iter().collect();
        pass_on(&mut all, true);
        assert!(headers::is_websocket(&all));
        assert_eq!(all.len(), 2, "{all:?}");
    }
}
