//! The page on which people sign in with a browser: a form in place of the browser's own prompt, which needs `WWW-Authenticate` to
//! arrive under its name, and which offers no token.
//!
//! Its form is for it alone: no other page frames it, and what another page sends is refused.

use crate::App;
use crate::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use faregate_headers::FORM_POLICY;

/// Where its form is sent, below the prefix: outside the API, which answers no pages.
pub const PATH: &str = "/sign-in";

/// Does somebody look with a browser? Programs do not ask for HTML.
pub fn is_browser(method: &Method, headers: &HeaderMap) -> bool {
    let says_html = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("text/html"));
    (method == Method::GET || method == Method::HEAD) && headers.get_all(header::ACCEPT).iter().any(says_html)
}

/// Where a form's `next` leads: a path of ours below the prefix, and nowhere else.
pub fn place(prefix: &str, next: &str) -> Option<Uri> {
    let below = next.strip_prefix(prefix)?;
    let path = below.split(['?', '#']).next().unwrap_or_default();
    // a browser takes `//`, and a `\`, for the beginning of another host, and goes up at `..`
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'\\' && b != b'#';
    let climbs = path.split('/').any(|segment| segment.to_ascii_lowercase().replace("%2e", ".").starts_with(".."));
    let is_ours = below.starts_with('/') && !below.starts_with("//") && !climbs && below.bytes().all(is_plain);
    next.parse().ok().filter(|_| is_ours)
}

/// The form, which leads to `next` afterwards; with what was wrong with the last try.
pub fn form(app: &App, status: StatusCode, next: &str, problem: Option<&str>) -> Response {
    let problem = problem.map_or(String::new(), |problem| format!("<p role=\"alert\">{}</p>\n", escaped(problem)));
    page(
        status,
        &format!(
            "<h1>Sign in</h1>\n{problem}\
             <form method=\"post\" action=\"{}{PATH}\">\n\
             <p><label>User<br><input name=\"user\" autocomplete=\"username\" autofocus></label></p>\n\
             <p><label>Password, or a token<br><input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label></p>\n\
             <p>A machine token or a JWT needs no user.</p>\n\
             <input type=\"hidden\" name=\"next\" value=\"{}\">\n\
             <p><button>Sign in</button></p>\n</form>",
            escaped(&app.prefix),
            escaped(next),
        ),
    )
}

/// Who has signed in goes on. A redirect would be a part of sending the form, and its policy would keep it from a proxy that is elsewhere.
pub fn signed_in(app: &App, place: &Uri) -> Response {
    let to = escaped(&place.to_string());
    let dashboards = format!("{}/clusters/", app.prefix);
    if place.path().starts_with(&dashboards) {
        let body = format!(
            "<meta http-equiv=\"refresh\" content=\"0; url={to}\">\n<p>You are signed in: <a href=\"{to}\">go on</a>.</p>"
        );
        return page(StatusCode::OK, &body);
    }
    // the API answers no page that leads to it
    page(StatusCode::OK, &format!("<p>You are signed in. Open <code>{to}</code> again.</p>"))
}

fn page(status: StatusCode, body: &str) -> Response {
    let whole = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Faregate</title>\n{body}\n</html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, FORM_POLICY),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, Body::from(whole)).into_response()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A form's sentence for who may not come in.
pub fn refusal(error: ApiError, app: &App, next: &str) -> Response {
    let ApiError { status, message, retry_after } = error;
    let mut answer = form(app, status, next, Some(&message));
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_html_is_a_browser() {
        let is = |method, accept| {
            is_browser(&method, &[(header::ACCEPT, HeaderValue::from_static(accept))].into_iter().collect())
        };
        assert!(is(Method::GET, "text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!is(Method::GET, "*/*") && !is(Method::POST, "text/html"));
        assert!(!is_browser(&Method::GET, &HeaderMap::new()));
    }

    #[test]
    fn a_form_leads_to_a_path_below_the_prefix_and_nowhere_else() {
        for next in ["/a/clusters/x/status?y=1", "/a/", "/a/api/v1/clusters/", "/a/x/%2F/y"] {
            assert_eq!(place("/a", next).unwrap().to_string(), next);
        }
        for next in [
            "",
            "/",
            "/a",
            "/ab/x",
            "//evil.example/a/",
            "/a//evil.example",
            "https://evil.example/a/",
            "/a/\\evil.example",
            "/a\\/x",
            "/a/../x",
            "/a/%2e%2E/x",
            "/a/.%2e/x",
            "/a/x#y",
            "/a/x y",
            "/a/x\n",
            "javascript:alert(1)",
            "/a/é",
        ] {
            assert_eq!(place("/a", next), None, "{next:?}");
        }
        for next in ["//evil.example/", "/\\evil.example", "/%2e./x"] {
            assert_eq!(place("", next), None, "{next:?}");
        }
        assert!(place("", "/clusters/x/status").is_some());
    }

    #[test]
    fn what_is_shown_is_text() {
        assert_eq!(escaped("<a href='\"&"), "&lt;a href=&#39;&quot;&amp;");
    }
}
