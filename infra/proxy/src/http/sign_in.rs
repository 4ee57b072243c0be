//! The ways of those who sign in to a dashboard.

use super::answer::{Answer, AnswerBody, refuse};
use super::{Channel, Site};
use bytes::Bytes;
use faregate::machine::now;
use faregate::model::{ClusterName, Ticket, Use};
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;

impl Site {
    /// Makes a cookie of a ticket that nobody has used yet, and leads to the place that it was for.
    pub(super) async fn exchange(&self, name: &ClusterName, ticket: &Ticket, tail: &str, channel: Channel) -> Answer {
        match self.once.use_once(&ticket.used_as(name), ticket.expires_at).await {
            Ok(true) => {}
            Ok(false) => return self.sign_in_at(name, tail),
            Err(error) => {
                tracing::warn!(cluster = %name, error, "nobody knows whether a ticket was used");
                return refuse(StatusCode::SERVICE_UNAVAILABLE, "signing in cannot be completed now; try again");
            }
        }
        let Ok(pass) = ticket.pass(now()).issue(&self.keys.get(), Use::Pass, name) else {
            return self.sign_in_at(name, tail);
        };
        let mut answer = lead_to(&self.prefix, name, tail);
        let secure = if self.https || channel == Channel::Https { "; Secure" } else { "" };
        let path = format!("{}/clusters/{name}/", self.prefix);
        let cookie = format!("faregate-dashboard={pass}; Path={path}; HttpOnly; SameSite=Lax{secure}");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        answer
    }

    /// Leads to where people sign in.
    pub(super) fn sign_in_at(&self, name: &ClusterName, tail: &str) -> Answer {
        lead_to(&self.sign_in_at, name, tail)
    }
}

fn lead_to(base: &str, name: &ClusterName, tail: &str) -> Answer {
    let slash = if tail.starts_with('/') { "" } else { "/" };
    let Ok(place) = HeaderValue::try_from(format!("{base}/clusters/{name}{slash}{tail}")) else {
        return super::dashboard::unknown();
    };
    let mut answer = Response::new(AnswerBody::Own(Full::from(Bytes::new())));
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    headers.insert(header::LOCATION, place);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    answer
}
