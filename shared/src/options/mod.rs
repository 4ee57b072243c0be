//! temp
use crate::model::*;
use serde_json::*;
#[derive(Clone, Debug)]
pub struct Options;
impl Options {
    pub fn apply(
        &self,
        _: &Map<String, Value>,
        b: &ClusterConfig,
    ) -> std::result::Result<(Map<String, Value>, ClusterConfig), String> {
        Ok((Map::new(), b.clone()))
    }
}
