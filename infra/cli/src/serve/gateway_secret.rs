//! The secret that the gateway's socket asks for. A file's mode keeps other users from connecting, not processes of the gateway's own user: a
//! task that is confined to its own files can still connect to a socket whose path it knows.

use super::DataDir;
use super::data_dir::write_private;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use faregate_machine::random;
use faregate_proxy::GATEWAY_SECRET;
use std::io;
use std::sync::Arc;

/// Its name in the data directory.
pub const GATEWAY_SECRET_FILE: &str = "gateway.secret";
/// Hexadecimal digits of a secret.
const DIGITS: usize = 64;

impl DataDir {
    /// The secret; made at the first start, and whenever the file holds none.
    pub fn gateway_secret(&self) -> io::Result<String> {
        let path = self.file(GATEWAY_SECRET_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim().len() == DIGITS => return Ok(text.trim().to_owned()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let bytes: [u8; DIGITS / 2] = random();
        let secret: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        write_private(&path, secret.as_bytes())?;
        Ok(secret)
    }
}

/// The router, for those who show the secret.
pub fn required(router: Router, secret: String) -> Router {
    router.layer(from_fn_with_state(Arc::<str>::from(secret), check))
}

async fn check(State(secret): State<Arc<str>>, mut request: Request, next: Next) -> Response {
    let shown = request.headers_mut().remove(GATEWAY_SECRET);
    let right = shown.is_some_and(|shown| verify_slices_are_equal(shown.as_bytes(), secret.as_bytes()).is_ok());
    match right {
        true => next.run(request).await,
        false => {
            tracing::warn!("authentication failed: a request at the gateway's socket does not come from its proxy");
            (StatusCode::FORBIDDEN, "only the proxy of this gateway is answered here").into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    #[test]
    fn a_secret_is_kept_and_a_file_without_one_is_written_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = DataDir::open(dir.path(), false).expect("opened");
        let secret = data.gateway_secret().expect("made");
        assert_eq!((secret.len(), data.gateway_secret().expect("read")), (DIGITS, secret.clone()));
        std::fs::write(data.file(GATEWAY_SECRET_FILE), "").expect("written");
        assert_ne!(data.gateway_secret().expect("made again"), secret);
    }

    #[tokio::test]
    async fn whoever_does_not_show_the_secret_is_not_answered_and_nobody_behind_sees_it() {
        let headers = |headers: axum::http::HeaderMap| async move { format!("{}", headers.len()) };
        let router = required(Router::new().route("/", get(headers)), "right".into());
        for (shown, status) in [(None, 403), (Some("wrong"), 403), (Some("right"), 200)] {
            let mut request = axum::http::Request::builder().uri("/");
            if let Some(shown) = shown {
                request = request.header(GATEWAY_SECRET, shown);
            }
            let service = TowerToHyperService::new(router.clone());
            let answer = service.call(request.body(Body::empty()).expect("a request")).await.expect("an answer");
            assert_eq!(answer.status().as_u16(), status, "{shown:?}");
            if status == 200 {
                let body = axum::body::to_bytes(answer.into_body(), 100).await.expect("a body");
                assert_eq!(&body[..], b"0");
            }
        }
    }
}
