//! Headers that end at a proxy.

use faregate_headers::names_another_origin;
use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Removes what speaks of the connection, not of the message (RFC 9110, section 7.6.1).
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, header::CONNECTION).filter_map(|name| name.parse().ok()).collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in [header::TE, header::TRAILER, header::TRANSFER_ENCODING, header::UPGRADE, header::PROXY_AUTHORIZATION] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
}

/// Is a WebSocket asked for, or granted?
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let has = |name, token: &str| tokens(headers, name).any(|t| t.eq_ignore_ascii_case(token));
    has(header::CONNECTION, "upgrade") && has(header::UPGRADE, "websocket")
}

/// Says that a WebSocket is asked for, or granted.
pub(super) fn set_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// Was this sent by a script, a frame or an image of a web page? Browsers say so in headers no page can change: over HTTPS and at
/// loopback addresses always; elsewhere, if it may change something.
///
/// Dashboards are made by clusters' owners and share the gateway's origin: without this a dashboard could call the API
/// with the session cookie of whoever looks at it.
pub(super) fn is_from_a_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "none")
        || headers.contains_key(header::ORIGIN)
        || is_ahead_of_a_visit(headers)
}

/// Is it fetched or shown in advance? A page can have that done by speculation rules, and the browser calls it nobody's: `Sec-Fetch-Site:
/// none`, with the cookies of whoever looks at the page. Who then comes is asked for again.
fn is_ahead_of_a_visit(headers: &HeaderMap) -> bool {
    headers.contains_key("sec-purpose") || headers.contains_key("purpose")
}

/// Is a script asked for that would answer for the dashboard from then on, without what we say of its pages?
pub(super) fn is_service_worker(headers: &HeaderMap) -> bool {
    headers.contains_key("service-worker")
}

/// Does somebody come to look, rather than a page that fetches, frames or connects? In doubt, yes.
pub(super) fn is_visit(method: &Method, headers: &HeaderMap) -> bool {
    let says = |name: &str, expected: &str| headers.get(name).is_none_or(|value| value == expected);
    (method == Method::GET || method == Method::HEAD)
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
        && !is_websocket(headers)
        && !is_ahead_of_a_visit(headers)
}

/// Was this sent by a page of another origin? The cookies of those who look at that page come along if it is near enough.
pub(super) fn is_of_another_origin(headers: &HeaderMap) -> bool {
    let is_near = |site: &HeaderValue| site == "same-origin" || site == "none";
    names_another_origin(headers)
        || is_ahead_of_a_visit(headers)
        || (headers.get("sec-fetch-site").is_some_and(|site| !is_near(site))
            && headers.get("sec-fetch-mode").is_none_or(|mode| mode != "navigate"))
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn what_the_connection_header_names_is_removed_too() {
        let mut all = headers(&[
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut all);
        assert_eq!(all, headers(&[("accept", "*/*")]));
    }

    #[test]
    fn only_a_websocket_is_an_upgrade() {
        assert!(is_websocket(&headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")])));
        assert!(!is_websocket(&headers(&[("connection", "Upgrade"), ("upgrade", "h2c")])));
        assert!(!is_websocket(&headers(&[("upgrade", "websocket")])));
    }

    #[test]
    fn what_is_fetched_in_advance_is_a_pages_doing() {
        let ahead = headers(&[
            ("sec-purpose", "prefetch;prerender"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
        ]);
        assert!(is_from_a_page(&ahead) && is_of_another_origin(&ahead) && !is_visit(&Method::GET, &ahead));
        let visit = headers(&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]);
        assert!(!is_from_a_page(&visit) && !is_of_another_origin(&visit) && is_visit(&Method::GET, &visit));
    }
}
