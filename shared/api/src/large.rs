//! Of each cluster, one large heartbeat is taken in at a time: a cluster cannot fill the room for all.

use super::budget;
use super::error::ApiError;
use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use faregate_core::model::ClusterName;
use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

static UNDER_WAY: LazyLock<Mutex<HashSet<ClusterName>>> = LazyLock::new(Mutex::default);

/// A large body is being read, until this is dropped.
#[derive(Debug)]
pub struct Large(ClusterName);

impl Drop for Large {
    fn drop(&mut self) {
        UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// None for a body that is small; 429 while another large one of this cluster is under way.
pub fn one_at_a_time(name: &ClusterName, body: &Body) -> Result<Option<Large>, ApiError> {
    if body.size_hint().exact().is_some_and(|length| length <= budget::SMALL as u64) {
        return Ok(None);
    }
    if !UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone()) {
        let message = "another large heartbeat of this cluster is still under way; try again";
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, message));
    }
    Ok(Some(Large(name.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_one_large_heartbeat_under_way() {
        let name = |n: u8| -> ClusterName { format!("{n:032x}").parse().unwrap() };
        let large = || Body::from(vec![0; budget::SMALL + 1]);
        let first = one_at_a_time(&name(1), &large()).unwrap();
        assert!(first.is_some());
        assert_eq!(one_at_a_time(&name(1), &large()).unwrap_err().status, StatusCode::TOO_MANY_REQUESTS);
        assert!(one_at_a_time(&name(1), &Body::from("small")).unwrap().is_none());
        assert!(one_at_a_time(&name(2), &large()).unwrap().is_some());
        drop(first);
        assert!(one_at_a_time(&name(1), &large()).unwrap().is_some());
    }
}
