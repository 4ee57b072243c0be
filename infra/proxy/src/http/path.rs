//! Paths, as they were sent: nothing is decoded but to be refused.

use faregate_core::model::ClusterName;
use percent_encoding::percent_decode;

/// What follows `base`, when that is where `target` (a path, maybe with a query) lies: it starts with `/`.
pub(super) fn below<'a>(base: &str, target: &'a str) -> Option<&'a str> {
    target.strip_prefix(base).filter(|rest| rest.starts_with('/'))
}

/// `/clusters/<name><tail>`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClusterPath<'a> {
    pub(super) name: ClusterName,
    /// Empty, or starts with `/` or `?`.
    pub(super) tail: &'a str,
}

impl<'a> ClusterPath<'a> {
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/clusters/")?;
        let (name, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Some(ClusterPath { name: name.parse().ok()?, tail })
    }

    /// The key and what follows it, when `tail` is `/<key><tail>`.
    pub(super) fn keyed(&self) -> Option<(&'a str, &'a str)> {
        let rest = self.tail.strip_prefix('/')?;
        Some(rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len())))
    }
}

/// Could a browser go up from where this path begins?
pub(super) fn climbs(path: &str) -> bool {
    let dots = |segment: &str| segment.to_ascii_lowercase().replace("%2e", ".");
    path.split('/').any(|segment| dots(segment).split(';').next() == Some(".."))
}

/// Could a server read this path (without its query) as `/api` or something under it? In doubt, yes.
///
/// Looked at as it was sent and with its escapes undone once, twice and so on; in each form by its first segment, and
/// by the first one that remains when `.` and `..` are resolved.
pub(super) fn reaches_api(path: &str) -> bool {
    let mut form = path.as_bytes().to_vec();
    for _ in 0..8 {
        if first_segments(&form).into_iter().flatten().any(is_api) {
            return true;
        }
        let decoded = percent_decode(&form).collect::<Vec<u8>>();
        if decoded == form {
            return false;
        }
        form = decoded;
    }
    true
}

fn is_api(segment: &[u8]) -> bool {
    let segment = segment.split(|b| b";?#".contains(b)).next().unwrap_or_default();
    let letters = segment.iter().filter(|b| !b.is_ascii_control() && **b != b' ').map(u8::to_ascii_lowercase);
    letters.eq(*b"api")
}

/// The first segment as it stands, and the first one of the resolved path.
fn first_segments(path: &[u8]) -> [Option<&[u8]>; 2] {
    let segments = || path.split(|b| *b == b'/' || *b == b'\\').filter(|s| !s.is_empty() && *s != b".");
    let mut resolved = vec![];
    for segment in segments() {
        if segment == b".." {
            resolved.pop();
        } else {
            resolved.push(segment);
        }
    }
    [segments().find(|s| *s != b".."), resolved.first().copied()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_prefix_ends_at_a_slash() {
        assert_eq!(below("", "/api/health"), Some("/api/health"));
        assert_eq!(below("/services/x", "/services/x/api/health?a"), Some("/api/health?a"));
        assert_eq!(below("/services/x", "/services/xy/api"), None);
        assert_eq!(below("/services/x", "/services/x"), None);
    }

    #[test]
    fn a_cluster_path_is_taken_apart_as_it_was_sent() {
        let path = format!("/clusters/{NAME}/k1-ab/info%2Fmain?x=%2F/");
        let parsed = ClusterPath::parse(&path).unwrap();
        assert_eq!(parsed.name.as_str(), NAME);
        assert_eq!(parsed.keyed(), Some(("k1-ab", "/info%2Fmain?x=%2F/")));
        for (tail, keyed) in [("", None), ("?a/b", None), ("/", Some(("", ""))), ("/k?a/b", Some(("k", "?a/b")))] {
            let path = format!("/clusters/{NAME}{tail}");
            let parsed = ClusterPath::parse(&path).unwrap();
            assert_eq!((parsed.tail, parsed.keyed()), (tail, keyed));
        }
        for path in ["/clusters", "/clusters/", "/clusters/abc/status", "/cluster/", "/api/v1/clusters/"] {
            assert_eq!(ClusterPath::parse(path), None, "{path}");
        }
    }

    #[test]
    fn the_api_is_seen_through_its_disguises() {
        for path in [
            "/api",
            "/api/",
            "/api/v1/retire_workers",
            "//api/v1",
            "/./api/v1",
            "/status/../api/v1",
            "/api/../status",
            "/a/b/../../api",
            "/../api/v1",
            "/%61pi/v1",
            "/%2561pi/v1",
            "/%252561pi/v1",
            "/status/%2e%2e/api",
            "/status/%2E./api",
            "/%2Fapi/v1",
            "/api%2Fv1",
            "/status%2F..%2Fapi%2Fv1",
            "/\\api\\v1",
            "/status/..%5Capi",
            "/API/v1",
            "/api;x/v1",
            "/api%00/v1",
            "/ api/v1",
            "/api%3Fx",
        ] {
            assert!(reaches_api(path), "{path}");
        }
    }

    #[test]
    fn what_is_not_the_api_is_served() {
        for path in [
            "/",
            "",
            "/status",
            "/apis/x",
            "/status/api/x",
            "/info/main/workers.html",
            "/info/worker/tls%3A%2F%2F127.0.0.1%3A38001.html",
            "/static/js/bokeh.min.js",
            "/a/../status",
            "/%zz",
            "/100%",
        ] {
            assert!(!reaches_api(path), "{path}");
        }
    }
}
