//! Requests as API Gateway's HTTP API hands them to a function (payload format 2.0), made fit for `lambda_http`.
//!
//! The events hold the path with the escapes undone. Taken for a URL as it stands, `<name>%3Fx` would become a query, `<name>%23x`
//! lose its end, `<name>%0A` its newline, and each be served as `<name>`. And a text that fits into no URL, or no header, must not
//! end the function (`lambda_http` 1.3 panics): that is its sender's mistake. So the path is escaped again, and whatever does not fit
//! is escaped or dropped.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, header};
use axum::middleware::{map_request, map_response};
use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD};
use faregate_headers::Peer;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Service};
use lambda_runtime::LambdaEvent;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// What is escaped in a part of a path …
const SEGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');
/// … and in a query, which says itself what its escapes mean.
const QUERY: AsciiSet = CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// The longest target of a request: no URL that `http` takes is longer than 65,534 bytes.
const LONGEST: usize = 60_000;

/// Has an event answered by the router. Whatever the event is, there is an answer.
pub async fn serve(router: Router, event: LambdaEvent<Value>) -> Result<Value, lambda_runtime::Error> {
    let LambdaEvent { payload, context } = event;
    let peer = peer(&payload);
    let request = read(tame(payload)).or_else(|_| read(tame(Value::Null)))?;
    let named = map_request(move |mut request: Request<Body>| async move {
        request.extensions_mut().insert(peer);
        request
    });
    let router = router.layer(map_request(give_host_back)).layer(named).layer(map_response(join));
    let mut adapter = Adapter::from(router);
    let response = adapter.call(LambdaEvent { payload: request, context }).await?;
    Ok(serde_json::to_value(response)?)
}

/// Who is at the other end, as API Gateway has seen it: `requestContext.http.sourceIp`.
fn peer(event: &Value) -> Peer {
    let address = event["requestContext"]["http"]["sourceIp"].as_str();
    Peer { address: address.and_then(|address| address.parse().ok()), ..Peer::default() }
}

fn read(event: Value) -> Result<LambdaRequest, serde_json::Error> {
    serde_json::from_value(event).map(LambdaRequest::ApiGatewayV2)
}

/// The event with nothing left in it that is no path, no query or no header. What is no event at all asks for nothing there is.
fn tame(event: Value) -> Value {
    let Value::Object(mut event) = event else { return tame(json!({"rawPath": "/"})) };
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let mut path = escape_path(&text(event.remove("rawPath")));
    let query = utf8_percent_encode(&text(event.remove("rawQueryString")), &QUERY).to_string();
    if path.len() + query.len() > LONGEST {
        path = "/too-long".to_owned();
    } else {
        event.insert("rawQueryString".into(), query.into());
    }
    event.insert("rawPath".into(), path.into());
    event.remove("queryStringParameters");
    event.remove("pathParameters");
    let headers = match event.remove("headers") {
        Some(Value::Object(headers)) => headers.into_iter().filter(fits).map(host_aside).collect(),
        _ => Map::new(),
    };
    event.insert("headers".into(), Value::Object(headers));
    if let Some(Value::Array(cookies)) = event.get_mut("cookies") {
        cookies.retain(|cookie| cookie.as_str().is_some_and(|cookie| HeaderValue::from_str(cookie).is_ok()));
        if cookies.is_empty() {
            event.remove("cookies");
        }
    }
    if event.get("isBase64Encoded") == Some(&Value::Bool(true)) {
        let body = event.get("body").and_then(Value::as_str).unwrap_or_default();
        if STANDARD.decode(body).is_err() {
            event.remove("body");
        }
    }
    let method = event.get("requestContext").and_then(|c| c["http"]["method"].as_str()).unwrap_or("GET").to_owned();
    event.insert("requestContext".into(), json!({"stage": "$default", "http": {"method": method}}));
    Value::Object(event)
}

/// A header that is one.
fn fits((name, value): &(String, Value)) -> bool {
    let value = value.as_str().is_some_and(|value| HeaderValue::from_str(value).is_ok());
    HeaderName::from_bytes(name.as_bytes()).is_ok_and(|name| name != HOST_ASIDE) && value
}

fn host_aside((name, value): (String, Value)) -> (String, Value) {
    (if name.eq_ignore_ascii_case("host") { HOST_ASIDE.to_owned() } else { name }, value)
}

/// The name of the host need not fit into a URL, and `lambda_http` makes one of it.
const HOST_ASIDE: &str = "faregate-host";

async fn give_host_back(mut request: Request<Body>) -> Request<Body> {
    if let Some(host) = request.headers_mut().remove(HOST_ASIDE) {
        request.headers_mut().insert(header::HOST, host);
    }
    request
}

/// An answer to an HTTP API has one value for each header, cookies apart: several are joined.
async fn join(mut answer: Response) -> Response {
    // no path: a dashboard's link has its key in it
    tracing::trace!(status = answer.status().as_u16(), "a request is answered");
    let headers = answer.headers_mut();
    let names: Vec<HeaderName> = headers.keys().filter(|name| *name != header::SET_COOKIE).cloned().collect();
    for name in names {
        let values: Vec<&[u8]> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if values.len() > 1
            && let Ok(joined) = HeaderValue::from_bytes(&values.join(&b", "[..]))
        {
            headers.insert(name, joined);
        }
    }
    answer
}

/// The path, each byte but letters, digits, `-`, `_`, `~` and `.` escaped. The segments `.` and `..` get an escaped escape: nothing
/// may resolve them.
fn escape_path(path: &str) -> String {
    let segment = |segment: &str| match segment {
        "." | ".." => segment.replace('.', "%252E"),
        other => utf8_percent_encode(other, &SEGMENT).to_string(),
    };
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').flat_map(|part| ["/".to_owned(), segment(part)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use axum::routing::any;
    use http_body_util::BodyExt;
    use lambda_runtime::Context;

    /// Answers with what it was asked.
    async fn ask(event: Value) -> Value {
        let echo = async |request: Request<Body>| {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let header =
                |name: &str| head.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
            let told = json!({
                "method": head.method.as_str(), "target": head.uri.to_string(), "body": String::from_utf8_lossy(&body),
                "cookie": header("cookie"), "x-name": header("x-name"), "host": header("host"), "x-a": header("x-a"),
                "x-d": header("x-d")});
            let cookies = [(header::SET_COOKIE, "a=1; Path=/"), (header::SET_COOKIE, "b=2; Path=/")];
            let challenges = [(header::WWW_AUTHENTICATE, "Negotiate"), (header::WWW_AUTHENTICATE, "Basic")];
            let mut answer = (StatusCode::CREATED, told.to_string()).into_response();
            for (name, value) in cookies.into_iter().chain(challenges) {
                answer.headers_mut().append(name, HeaderValue::from_static(value));
            }
            answer
        };
        let event = LambdaEvent::new(event, Context::default());
        serve(Router::new().fallback(any(echo)), event).await.unwrap()
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
        event["headers"] = json!({"X-Name": "Andre", "Host": "999.999.999.999:x"});
        event["body"] = STANDARD.encode("{}").into();
        event["isBase64Encoded"] = true.into();
        let answer = ask(event).await;
        assert_eq!(
            told(&answer),
            json!({
            "method": "POST", "target": "/api/v1/clusters/?wait&status=a,b%20c", "body": "{}", "cookie": "x=1; y=2",
            "x-name": "Andre", "host": "999.999.999.999:x", "x-a": null, "x-d": null})
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

    #[test]
    fn a_peer_is_who_the_api_gateway_says() {
        let of = |address: Value| peer(&json!({"requestContext": {"http": {"sourceIp": address}}})).address;
        assert_eq!(of("192.0.2.7".into()), "192.0.2.7".parse().ok());
        assert_eq!(of("2001:db8::1".into()), "2001:db8::1".parse().ok());
        for none in [json!("x"), json!(7), json!(null)] {
            assert_eq!(of(none), None);
        }
        assert_eq!(peer(&json!([])), Peer::default());
    }

    #[tokio::test]
    async fn what_does_not_fit_is_escaped_or_dropped() {
        let mut event = event("/a");
        event["rawQueryString"] = "x=<é \"#{|}>\n".into();
        event["headers"] = json!({"x-a": "a\nb", "bad name": "x", "": "x", "x-c": null, "x-d": "é"});
        event["cookies"] = json!(["a\u{0}b"]);
        let told = told(&ask(event).await);
        assert_eq!(told["target"], "/a?x=%3C%C3%A9%20%22%23%7B%7C%7D%3E%0A");
        assert_eq!((&told["x-a"], &told["x-d"], &told["cookie"]), (&Value::Null, &json!("é"), &Value::Null));
    }

    #[tokio::test]
    async fn what_is_no_request_asks_for_nothing_there_is() {
        let base64 = json!({"requestContext": {"http": {"method": "GET"}}, "body": "é", "isBase64Encoded": true});
        let long = event(&"/é".repeat(30_000));
        for (event, target) in [
            (json!(null), "/"),
            (json!([]), "/"),
            (json!({"rawPath": 7}), "/"),
            (json!({}), "/"),
            (json!({"requestContext": {"http": {"method": "bad method"}}}), "/"),
            (base64, "/"),
            (long, "/too-long"),
        ] {
            assert_eq!(told(&ask(event).await)["target"], target);
        }
    }
}
