use crate::App;
use crate::body;
use crate::door::{credentials, is_own_page};
use crate::error::ApiError;
use crate::params::query;
use crate::sign_in_page::{self, place};
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The largest form, in bytes: no token that fits into a header is larger.
const LARGEST: usize = 64 << 10;

/// Makes a session of what the form of [`sign_in_page`] was given.
pub async fn sign_in(State(app): State<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if !is_own_page(&parts.headers) {
        body::discard(body).await;
        return ApiError::new(StatusCode::FORBIDDEN, "only the gateway's own page signs its visitors in")
            .into_response();
    }
    let form = match body::read(body, LARGEST).await.and_then(|bytes| read(&bytes)) {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let next = place(&app.prefix, &form.next).unwrap_or_else(|| home(&app));
    // a token is pasted, with blanks and an end of line perhaps; a password may begin with a blank
    let user = form.user.trim();
    let password = if user.is_empty() { form.password.trim() } else { &form.password };
    match credentials(&app, &parts, user, password).await {
        Ok(cookie) => {
            let mut answer = sign_in_page::signed_in(&app, &next);
            cookie.map(|cookie| answer.headers_mut().append(header::SET_COOKIE, cookie));
            answer
        }
        Err(error) => sign_in_page::refusal(error, &app, &form.next),
    }
}

/// Where a form leads that says nothing good of it.
fn home(app: &App) -> Uri {
    format!("{}/api/v1/clusters/", app.prefix).parse().unwrap_or_default()
}

#[derive(Debug, Default, PartialEq)]
struct Form {
    user: String,
    password: String,
    next: String,
}

/// A form is written as a query is.
fn read(bytes: &[u8]) -> Result<Form, ApiError> {
    let odd = || ApiError::invalid("the form does not parse");
    let text = std::str::from_utf8(bytes).map_err(|_| odd())?;
    let uri: Uri = format!("/?{text}").parse().map_err(|_| odd())?;
    let mut form = Form::default();
    for (name, value) in query(&uri)? {
        match name.as_str() {
            "user" => form.user = value,
            "password" => form.password = value,
            "next" => form.next = value,
            _ => return Err(odd()),
        }
    }
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_its_escapes_undone() {
        let form = read(b"user=andr%C3%A9&password=a+b%2B%26&next=%2Fa%3Fb%3D1").unwrap();
        assert_eq!(form, Form { user: "andré".into(), password: "a b+&".into(), next: "/a?b=1".into() });
        assert_eq!(read(b"").unwrap(), Form::default());
        for odd in [&b"user=\xff"[..], b"more=1", b"a b"] {
            assert_eq!(read(odd).unwrap_err().status, 422, "{odd:?}");
        }
    }
}
