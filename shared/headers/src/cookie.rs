//! The cookies: one for the session, one for each cluster's dashboard.
//!
//! Browsers themselves see to what their names promise: `__Secure-` is taken and sent over HTTPS alone, and `__Host-` is besides for this
//! host alone and for all of its paths, so that no other host of the domain sets one. Over plain HTTP there is nothing to promise.
//!
//! Ours are a name and base64 with dots: reading and writing them are nine lines here, which the crate `cookie` makes neither fewer nor
//! stricter, and it needs `time`.

use faregate_core::model::ClusterName;
use http::{HeaderMap, HeaderValue, header};

/// A cookie's name, and what is said with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: &'static str,
    path: String,
    secure: bool,
}

impl Cookie {
    /// The session's, at a public address of this scheme and prefix: sent with every request below the prefix.
    pub fn session(https: bool, prefix: &str) -> Cookie {
        let name = match (https, prefix) {
            (true, "") => "__Host-faregate-session",
            (true, _) => "__Secure-faregate-session",
            (false, _) => "faregate-session",
        };
        Cookie { name, path: if prefix.is_empty() { "/".into() } else { prefix.into() }, secure: https }
    }

    /// The one that opens one cluster's dashboard, and is sent to nothing else.
    pub fn dashboard(https: bool, prefix: &str, name: &ClusterName) -> Cookie {
        let path = format!("{prefix}/clusters/{name}/");
        Cookie { name: Cookie::dashboard_name(https), path, secure: https }
    }

    /// Its name alone.
    pub fn dashboard_name(https: bool) -> &'static str {
        if https { "__Secure-faregate-dashboard" } else { "faregate-dashboard" }
    }

    /// What `Set-Cookie` says.
    pub fn set(&self, value: &str) -> Option<HeaderValue> {
        let Cookie { name, path, secure } = self;
        let secure = if *secure { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{name}={value}; Path={path}; HttpOnly; SameSite=Lax{secure}")).ok()
    }
}

/// The values of all cookies of that name: browsers send one for every path that matches.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(of, _)| *of == name).map(|(_, value)| value)
}

/// Do browsers come by HTTPS? Who stands before the API (the proxy, or API Gateway) says so.
pub fn by_https(headers: &HeaderMap) -> bool {
    let said = headers.get("x-forwarded-proto").map(HeaderValue::as_bytes).unwrap_or_default();
    let first = said.split(|b| *b == b',').next().unwrap_or_default().trim_ascii();
    first.eq_ignore_ascii_case(b"https")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_promise_what_the_attributes_say() {
        let session = |https, prefix| Cookie::session(https, prefix).set("v").unwrap();
        for (https, prefix, expected) in [
            (false, "", "faregate-session=v; Path=/; HttpOnly; SameSite=Lax"),
            (false, "/a/b", "faregate-session=v; Path=/a/b; HttpOnly; SameSite=Lax"),
            (true, "", "__Host-faregate-session=v; Path=/; HttpOnly; SameSite=Lax; Secure"),
            (true, "/a/b", "__Secure-faregate-session=v; Path=/a/b; HttpOnly; SameSite=Lax; Secure"),
        ] {
            assert_eq!(session(https, prefix), expected);
        }
        let name: ClusterName = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let dashboard = Cookie::dashboard(true, "/a", &name).set("v").unwrap();
        let path = format!("/a/clusters/{name}/");
        assert_eq!(dashboard, format!("__Secure-faregate-dashboard=v; Path={path}; HttpOnly; SameSite=Lax; Secure"));
    }

    #[test]
    fn every_cookie_of_the_name_counts() {
        let mut all = HeaderMap::new();
        for line in ["a=1; key=x;key=y", "keys=no; key=z"] {
            all.append(header::COOKIE, HeaderValue::from_static(line));
        }
        assert_eq!(cookies(&all, "key").collect::<Vec<_>>(), ["x", "y", "z"]);
    }
}
