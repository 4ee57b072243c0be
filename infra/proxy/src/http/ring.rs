use crate::config::{ConfigError, Keys, MemoryKeys};
use crate::watched::Watched;
use faregate_keys::KeyRing;
use std::sync::Arc;

/// The key ring of now, wherever it is.
pub(super) enum Ring {
    File(Watched<KeyRing>),
    Memory(MemoryKeys),
}

impl Ring {
    pub(super) fn open(keys: Keys) -> Result<Self, ConfigError> {
        match keys {
            Keys::File(path) => Watched::open(vec![path], |json| parse(&json[0])).map(Ring::File),
            Keys::Memory(keys) => keys.get().check().map(|()| Ring::Memory(keys)).map_err(|e| e.to_string()),
        }
        .map_err(ConfigError::Keys)
    }

    pub(super) fn get(&self) -> Arc<KeyRing> {
        match self {
            Ring::File(file) => file.get(),
            Ring::Memory(keys) => keys.get(),
        }
    }
}

fn parse(json: &[u8]) -> Result<KeyRing, String> {
    let ring: KeyRing = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    ring.check().map_err(|e| e.to_string())?;
    Ok(ring)
}
