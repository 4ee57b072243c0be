//! temp
use crate::model::*;
pub fn scheduler_command(_: &ClusterConfig, _: &Policy) -> Vec<String> {
    vec![]
}
pub fn worker_command(_: &ClusterConfig, _: std::net::SocketAddr) -> Vec<String> {
    vec![]
}
pub fn environment(_: &ClusterConfig, _: &str, _: &ClusterName) -> Vec<(String, String)> {
    vec![]
}
