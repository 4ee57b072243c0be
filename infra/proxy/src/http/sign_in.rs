//! The ways of those who sign in to a dashboard.

use super::Site;
use super::answer::{Answer, refuse_for_now};
use crate::config::Scheme;
use faregate_core::model::ClusterName;
use faregate_headers::Cookie;
use faregate_keys::{Ticket, Use};
use faregate_machine::now;
use http::StatusCode;
use http::header::{self, HeaderValue};

impl Site {
    /// Makes a cookie of a ticket that nobody has used yet, and leads to the place that it was for.
    pub(super) async fn exchange(&self, name: &ClusterName, ticket: &Ticket, tail: &str, scheme: Scheme) -> Answer {
        match self.once.use_once(&ticket.used_as(name), ticket.expires_at).await {
            Ok(true) => {}
            Ok(false) => return self.sign_in_at(name, tail),
            Err(error) => {
                tracing::warn!(cluster = %name, %error, "ticket check failed");
                return refuse_for_now(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "signing in cannot be completed now; try again",
                );
            }
        }
        let Ok(pass) = ticket.session(now()).issue(&self.keys.get(), Use::DashboardSession, name) else {
            return self.sign_in_at(name, tail);
        };
        let answer = lead_to(&self.prefix, name, tail);
        match Cookie::dashboard(scheme == Scheme::Https, &self.prefix, name).set(&pass) {
            Some(cookie) => answer.with(header::SET_COOKIE, cookie),
            None => answer,
        }
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
    let answer = Answer::empty(StatusCode::SEE_OTHER).with(header::LOCATION, place);
    answer.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
