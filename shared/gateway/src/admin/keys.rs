use super::{Act, Admin};
use crate::ServiceError;
use faregate_keys::KeyRing;
use serde_json::json;

impl Admin {
    /// Writes down that the ring becomes this one: only the keys' ids. Whoever holds the ring puts it in place.
    pub async fn rotates_keys(&self, act: &Act, ring: &KeyRing) -> Result<(), ServiceError> {
        let ids: Vec<&str> = ring.keys.iter().map(|key| key.id.as_str()).collect();
        self.record(act, "rotate-keys", "keys".to_owned(), json!({ "keys": ids })).await
    }
}
