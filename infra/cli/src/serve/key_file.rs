//! The key ring's file in the data directory.

use super::data_dir::write_private;
use super::{DataDir, DataDirError};
use faregate_keys::KeyRing;
use faregate_machine::random;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Its name.
const KEYS: &str = "keys.json";

impl DataDir {
    /// The key ring; made at the first start.
    pub fn key_ring(&self) -> Result<KeyRing, DataDirError> {
        if let Some(ring) = read_key_ring(self.path())? {
            return Ok(ring);
        }
        let ring = KeyRing::from_random(&random());
        write_key_ring(self.path(), &ring)?;
        Ok(ring)
    }
}

/// The key ring of a data directory, whoever has that open; none before the first start.
pub fn read_key_ring(dir: &Path) -> Result<Option<KeyRing>, DataDirError> {
    let path = dir.join(KEYS);
    let failed = |source| DataDirError::Keys { path: path.clone(), source };
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
    let damaged = |source| DataDirError::Damaged { path: path.clone(), source };
    let ring: KeyRing = serde_json::from_str(&text).map_err(|error| damaged(error.into()))?;
    ring.check().map_err(|error| damaged(error.into()))?;
    Ok(Some(ring))
}

/// Puts a ring in the place of the last. The proxy takes it over within seconds, the gateway at its next start.
pub fn write_key_ring(dir: &Path, ring: &KeyRing) -> Result<(), DataDirError> {
    let path = dir.join(KEYS);
    let failed = |source| DataDirError::Keys { path: path.clone(), source };
    let text = serde_json::to_string_pretty(ring).map_err(|e| failed(e.into()))?;
    write_private(&path, text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_key_ring_is_not_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = DataDir::open(dir.path(), false).expect("opened");
        std::fs::write(data.file("keys.json"), "{").expect("written");
        let said = data.key_ring().expect_err("damaged").to_string();
        assert!(said.contains("put back a copy of it") && said.contains("faregate admin keys rotate"), "{said}");
        assert_eq!(std::fs::read_to_string(data.file("keys.json")).expect("still there"), "{");
    }
}
