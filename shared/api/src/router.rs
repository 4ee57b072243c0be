//! The table of contents, served.

use super::error::ApiError;
use super::routes::{Route, Who, dashboard_route, routes, sign_in_route};
use super::{App, door};
use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use faregate_headers::{FORM_POLICY, seal};
use std::sync::Arc;

/// Everything the gateway serves, under the prefix of `app`; each path with and without a slash at its end.
///
/// It adds no logging, compression or limits of connections: what serves it does.
pub fn router(app: App) -> Router {
    let app = Arc::new(app);
    // each is wrapped by itself: to merge routers is to insert their paths again, which is much of a cold start
    let guarded = |route: Route| match route.access.who {
        Who::Anybody => route.handler.route_layer(from_fn_with_state(app.clone(), door::client_network)),
        _ => route.handler.route_layer(from_fn_with_state((app.clone(), route.access), door::guard)),
    };
    let mut router = Router::new();
    for route in routes().into_iter().chain(sign_in_route()) {
        let whole = format!("{}{}", app.prefix, route.path);
        let slash = (!route.path.contains("{*")).then(|| format!("{whole}/"));
        let handler = guarded(route);
        if let Some(slash) = slash {
            router = router.route(&slash, handler.clone());
        }
        router = router.route(&whole, handler);
    }
    if let Some(route) = dashboard_route(&app.dashboards) {
        let whole = format!("{}{}", app.prefix, route.path);
        router = router.route(&whole, guarded(route).route_layer(map_response(for_browsers)));
    }
    router
        .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
        })
        .layer(map_response(sealed))
        .with_state(app)
}

/// Every answer, whoever made it.
async fn sealed(mut answer: Response) -> Response {
    seal(answer.headers_mut());
    answer
}

/// Browsers ask their user for a name and a password when they are told `Basic`, and for nothing else. Whatever the methods are, a
/// token may be the password.
async fn for_browsers(mut answer: Response) -> Response {
    let is_basic = |said: &HeaderValue| said.as_bytes().starts_with(b"Basic");
    let said = answer.headers().get_all(header::WWW_AUTHENTICATE);
    let has_form = answer.headers().get(header::CONTENT_SECURITY_POLICY) == Some(&FORM_POLICY);
    if answer.status() == StatusCode::UNAUTHORIZED && !said.iter().any(is_basic) && !has_form {
        answer.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"faregate\""));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_browser_is_asked_for_a_password_once() {
        for (status, said, expected) in [
            (401, "Basic realm=\"faregate\"", &["Basic realm=\"faregate\""][..]),
            (401, "Bearer realm=\"faregate\"", &["Bearer realm=\"faregate\"", "Basic realm=\"faregate\""]),
            (200, "Negotiate abc", &["Negotiate abc"]),
        ] {
            let answer = Response::builder().status(status).header(header::WWW_AUTHENTICATE, said);
            let answer = for_browsers(answer.body(axum::body::Body::empty()).unwrap()).await;
            let said: Vec<&str> =
                answer.headers().get_all(header::WWW_AUTHENTICATE).iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(said, expected);
        }
    }
}
