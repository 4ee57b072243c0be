//! Requests as API Gateway's HTTP API hands them to a function, and answers as it takes them (payload format 2.0).
//!
//! Its events hold the path with the escapes undone. Taken for a URL as it stands, `<name>%3Fx` would become a query, `<name>%23x`
//! lose its end, `<name>%0A` its newline, and each be served as `<name>`. And a text that fits into no URL, or no header, must not
//! end the function: that is its sender's mistake. So the path is escaped again, and whatever does not fit is escaped or dropped.

use super::failure::Failure;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower::ServiceExt;

/// Of an event, what makes the request.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    raw_path: String,
    raw_query_string: String,
    headers: Option<Map<String, Value>>,
    cookies: Option<Vec<String>>,
    request_context: Context,
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Context {
    http: Description,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Description {
    method: String,
}

/// Has an event answered by the router. Whatever the event is, there is an answer.
pub async fn serve(router: Router, event: Value) -> Value {
    let answer = match request(event) {
        Ok(request) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
        Err(failure) => failure.into_response(),
    };
    reply(answer).await
}

fn request(event: Value) -> Result<Request<Body>, Failure> {
    let event: Event =
        serde_json::from_value(event).map_err(|e| Failure::invalid(format!("this is no event of an HTTP API: {e}")))?;
    let method = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|_| Failure::invalid("this is no event of an HTTP API: it has no method"))?;
    let body = match event.body {
        None => Bytes::new(),
        Some(text) if event.is_base64_encoded => {
            STANDARD.decode(text).map_err(|_| Failure::invalid("the body is not base64"))?.into()
        }
        Some(text) => text.into(),
    };
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri(&event.raw_path, &event.raw_query_string)?;
    *request.headers_mut() = headers(event.headers.unwrap_or_default(), event.cookies.unwrap_or_default());
    Ok(request)
}

fn uri(path: &str, query: &str) -> Result<Uri, Failure> {
    let mut target = escape_path(path);
    if !query.is_empty() {
        target.push('?');
        target += &escape(query, |b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;:@/?=%[]".contains(&b));
    }
    target.parse().map_err(|_| Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path: it is too long"))
}

/// The path, each byte but letters, digits, `-`, `_`, `~` and `.` escaped. The segments `.` and `..` get an escaped escape: nothing
/// may resolve them.
fn escape_path(path: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-_~.".contains(&b);
    let segment = |segment: &str| match segment {
        "." | ".." => segment.replace('.', "%252E"),
        other => escape(other, keep),
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').flat_map(|part| ["/".to_owned(), segment(part)]).collect()
}

fn escape(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

fn headers(all: Map<String, Value>, cookies: Vec<String>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(all.len() + 1);
    for (name, value) in all {
        let value = value.as_str().and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok());
        if let (Ok(name), Some(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            headers.insert(name, value);
        }
    }
    if let Ok(cookies) = HeaderValue::from_bytes(cookies.join("; ").as_bytes())
        && !cookies.is_empty()
    {
        headers.insert(header::COOKIE, cookies);
    }
    headers
}

async fn reply(answer: Response) -> Value {
    let (head, body) = answer.into_parts();
    // an answer of ours is whole before it is sent
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let cookies: Vec<String> = head.headers.get_all(header::SET_COOKIE).iter().map(text).collect();
    let names = head.headers.keys().filter(|name| *name != header::SET_COOKIE);
    let joined = |name| head.headers.get_all(name).iter().map(text).collect::<Vec<_>>().join(", ");
    let headers: Map<String, Value> = names.map(|name| (name.to_string(), joined(name).into())).collect();
    let (body, is_base64) = match std::str::from_utf8(&body) {
        Ok(text) => (text.to_owned(), false),
        Err(_) => (STANDARD.encode(&body), true),
    };
    json!({
        "statusCode": head.status.as_u16(), "headers": headers, "cookies": cookies, "body": body, "isBase64Encoded": is_base64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::any;

    /// Answers with what it was asked.
    async fn ask(event: Value) -> Value {
        let echo = async |request: Request<Body>| {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let header =
                |name: &str| head.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
            let told = json!({
                "method": head.method.as_str(), "target": head.uri.to_string(), "body": String::from_utf8_lossy(&body),
                "cookie": header("cookie"), "x-name": header("x-name"), "count": head.headers.len()});
            let cookies = [(header::SET_COOKIE, "a=1; Path=/"), (header::SET_COOKIE, "b=2; Path=/")];
            let challenges = [(header::WWW_AUTHENTICATE, "Negotiate"), (header::WWW_AUTHENTICATE, "Basic")];
            let mut answer = (StatusCode::CREATED, told.to_string()).into_response();
            for (name, value) in cookies.into_iter().chain(challenges) {
                answer.headers_mut().append(name, HeaderValue::from_static(value));
            }
            answer
        };
        serve(Router::new().fallback(any(echo)), event).await
    }

    fn told(answer: &Value) -> Value {
        serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
    }

    fn event(path: &str) -> Value {
        json!({"version": "2.0", "rawPath": path, "requestContext": {"http": {"method": "POST", "path": path}}})
    }

    #[tokio::test]
    async fn a_whole_request_arrives_and_a_whole_answer_leaves() {
        let mut event = event("/api/v1/clusters/");
        event["rawQueryString"] = "wait&status=a,b%20c".into();
        event["cookies"] = json!(["x=1", "y=2"]);
        event["headers"] = json!({"X-Name": "André"});
        event["body"] = STANDARD.encode("{}").into();
        event["isBase64Encoded"] = true.into();
        let answer = ask(event).await;
        assert_eq!(
            told(&answer),
            json!({
            "method": "POST", "target": "/api/v1/clusters/?wait&status=a,b%20c", "body": "{}", "cookie": "x=1; y=2",
            "x-name": "André", "count": 2})
        );
        assert_eq!((&answer["statusCode"], &answer["isBase64Encoded"]), (&json!(201), &json!(false)));
        assert_eq!(answer["cookies"], json!(["a=1; Path=/", "b=2; Path=/"]));
        assert_eq!(answer["headers"]["www-authenticate"], "Negotiate, Basic");
    }

    #[tokio::test]
    async fn a_path_is_escaped_again_and_nothing_in_it_is_resolved() {
        for (decoded, escaped) in [
            ("/api/v1/clusters/", "/api/v1/clusters/"),
            ("", "/"),
            ("/", "/"),
            ("//a//b/", "//a//b/"),
            ("/a?b#c d\n\t\0", "/a%3Fb%23c%20d%0A%09%00"),
            ("/é\\%41", "/%C3%A9%5C%2541"),
            ("/a/../b/./c...", "/a/%252E%252E/b/%252E/c..."),
            ("http://other/", "/http%3A//other/"),
        ] {
            assert_eq!(told(&ask(event(decoded)).await)["target"], escaped, "{decoded}");
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_escaped_or_dropped() {
        let mut event = event("/a");
        event["rawQueryString"] = "x=<é \"#{|}>\n".into();
        event["headers"] = json!({"x-a": "a\nb", "bad name": "x", "": "x", "x-c": null, "host": "a b:99999"});
        event["cookies"] = json!(["a\u{0}b"]);
        let told = told(&ask(event).await);
        assert_eq!(told["target"], "/a?x=%3C%C3%A9%20%22%23%7B%7C%7D%3E%0A");
        assert_eq!((&told["count"], &told["cookie"]), (&json!(1), &Value::Null));
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused_in_json() {
        let base64 = json!({"requestContext": {"http": {"method": "GET"}}, "body": "é", "isBase64Encoded": true});
        let long = event(&"/é".repeat(30_000));
        for (event, status) in [
            (json!(null), 422),
            (json!([]), 422),
            (json!({"rawPath": 7}), 422),
            (json!({}), 422),
            (base64, 422),
            (long, 404),
        ] {
            let answer = ask(event).await;
            assert_eq!(answer["statusCode"], status);
            assert!(told(&answer)["error"].is_string());
            assert_eq!(answer["headers"]["content-type"], "application/json");
        }
    }
}
