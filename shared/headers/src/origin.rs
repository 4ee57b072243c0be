//! Where a browser says that a request comes from.

use http::{HeaderMap, HeaderValue, header};

/// Sent by a page of another origin: a browser adds cookies, and credentials it remembers, without asking its user.
pub fn names_another_origin(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_own = |origin: &HeaderValue| {
        [&b"http://"[..], b"https://"].iter().any(|scheme| {
            origin.as_bytes().strip_prefix(*scheme).is_some_and(|address| address.eq_ignore_ascii_case(host))
        })
    };
    headers.get(header::ORIGIN).is_some_and(|origin| !is_own(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_ours_when_its_address_is_the_hosts() {
        for (origin, another) in [
            (None, false),
            (Some("http://gate.example:8000"), false),
            (Some("https://GATE.example:8000"), false),
            (Some("http://gate.example"), true),
            (Some("http://gate.example:8000.evil"), true),
            (Some("ftp://gate.example:8000"), true),
            (Some("null"), true),
        ] {
            let mut headers: HeaderMap =
                [(header::HOST, HeaderValue::from_static("gate.example:8000"))].into_iter().collect();
            origin.map(|origin| headers.insert(header::ORIGIN, HeaderValue::from_static(origin)));
            assert_eq!(names_another_origin(&headers), another, "{origin:?}");
        }
    }
}
