use crate::App;
use crate::door::Session;
use crate::error::{ApiError, json};
use crate::params::{query, shorten};
use crate::report::{Report, Reports, has_dashboard};
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use faregate_core::model::{Status, TokenScope};
use std::sync::Arc;

pub async fn list(State(app): State<Arc<App>>, session: Session, uri: Uri) -> Result<Response, ApiError> {
    let who = session.who();
    let clusters = app.gateway.clusters.list(who, &statuses(&uri)?).await?;
    // a link with a key opens a dashboard for as long as its cluster runs
    let is_asked = app.dashboards.are_keyed()
        && who.allows(TokenScope::Connect)
        && clusters.iter().any(|cluster| has_dashboard(cluster));
    let may_connect = is_asked && session.holds(&app).await?;
    let reports = clusters.iter().map(|cluster| Report::short(&app, may_connect, cluster)).collect::<Result<_, _>>()?;
    Ok(json(StatusCode::OK, &Reports(reports)))
}

/// The statuses of `?status=`, in any case of letters; 422 for an unknown one.
fn statuses(uri: &Uri) -> Result<Vec<Status>, ApiError> {
    if uri.query().is_none() {
        return Ok(ACTIVE.to_vec());
    }
    let query = query(uri)?;
    let mut statuses = Vec::new();
    for name in query.iter().filter(|(key, _)| key == "status").flat_map(|(_, names)| names.split(',')) {
        let status = status(name)?;
        if !statuses.contains(&status) {
            statuses.push(status);
        }
    }
    Ok(if statuses.is_empty() { ACTIVE.to_vec() } else { statuses })
}

/// A status by its name, in any case of letters.
pub fn status(name: &str) -> Result<Status, ApiError> {
    let found = Status::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let known = Status::ALL.map(Status::as_str).join(", ");
        ApiError::invalid(format!("`{}` is no status: the statuses are {known}", shorten(name)))
    })
}

const ACTIVE: [Status; 2] = [Status::Pending, Status::Running];

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Failed, Pending, Running, Stopped};

    fn of(uri: &'static str) -> Result<Vec<Status>, String> {
        statuses(&Uri::from_static(uri)).map_err(|error| error.message)
    }

    #[test]
    fn statuses_are_read_in_any_case_and_encoding() {
        assert_eq!(of("/"), Ok(vec![Pending, Running]));
        assert_eq!(of("/?x=1"), Ok(vec![Pending, Running]));
        assert_eq!(of("/?status=running,STOPPED"), Ok(vec![Running, Stopped]));
        assert_eq!(of("/?status=Failed%2Cfailed&status=pending"), Ok(vec![Failed, Pending]));
    }

    #[test]
    fn an_unknown_status_is_named() {
        for uri in ["/?status=", "/?status", "/?status=running,", "/?status=nope", "/?status=%ff"] {
            let error = of(uri).unwrap_err();
            assert!(error.contains("is no status: the statuses are PENDING, "), "{uri}: {error}");
        }
    }
}
