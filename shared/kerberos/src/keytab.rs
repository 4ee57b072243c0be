//! Keytabs as MIT's and Heimdal's tools write them, version 0x0502
//! (<https://web.mit.edu/kerberos/krb5-latest/doc/formats/keytab_file_format.html>).

use crate::crypto::{Etype, Key};
use crate::messages::Principal;

/// The long-term keys of services.
pub struct Keytab {
    /// In the file's order; only those whose encryption type is known.
    pub(crate) entries: Vec<Entry>,
    /// How many others there were.
    pub(crate) unusable: usize,
}

/// One key.
pub(crate) struct Entry {
    /// Whose it is.
    pub(crate) principal: Principal,
    /// Its version.
    pub(crate) kvno: Kvno,
    /// The key itself.
    pub(crate) key: Key,
}

/// The version of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kvno {
    /// All of it.
    Whole(u32),
    /// Its last 8 bits: older tools keep no more.
    Last8(u8),
}

impl Kvno {
    /// May a ticket that names this version be encrypted with the key? A keytab's version 0 is a wildcard (`ktpass /kvno 0`), and a
    /// ticket may name none.
    pub(crate) fn fits(self, named: Option<u32>) -> bool {
        match (self, named) {
            (_, None) | (Kvno::Whole(0) | Kvno::Last8(0), _) => true,
            (Kvno::Whole(own), Some(named)) => own == named,
            (Kvno::Last8(own), Some(named)) => u32::from(own) == named & 0xff,
        }
    }
}

/// The bytes are no keytab.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum KeytabError {
    #[error("it does not begin with 05 02, as a keytab does")]
    Version,
    #[error("it is damaged: the entry at byte {at} ends before it should")]
    Entry { at: usize },
    #[error("it has {others} of other principals and {unusable} of other types")]
    NoKey { others: usize, unusable: usize },
}

impl Keytab {
    /// The keys of `service/<any host>` in a keytab's bytes; upper and lower case are the same, as Windows has it.
    ///
    /// # Errors
    ///
    /// The bytes are no keytab, or hold no such key of a known encryption type.
    pub fn of_service(bytes: &[u8], service: &str) -> Result<Keytab, KeytabError> {
        let mut keytab = Keytab::parse(bytes)?;
        let others = keytab.entries.len();
        keytab.entries.retain(|entry| match &entry.principal.parts[..] {
            [named, _host] => named.eq_ignore_ascii_case(service),
            _ => false,
        });
        match keytab.entries.is_empty() {
            true => Err(KeytabError::NoKey { others, unusable: keytab.unusable }),
            false => Ok(keytab),
        }
    }

    /// Reads a keytab's bytes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Keytab, KeytabError> {
        let mut rest = Bytes(bytes.strip_prefix(&[5, 2]).ok_or(KeytabError::Version)?);
        let mut keytab = Keytab { entries: Vec::new(), unusable: 0 };
        while !rest.0.is_empty() {
            let damaged = KeytabError::Entry { at: bytes.len() - rest.0.len() };
            let size = rest.array().map(i32::from_be_bytes).ok_or(damaged.clone())?;
            if size == 0 {
                break; // as MIT's library reads it: nothing comes after
            }
            let length = usize::try_from(size.unsigned_abs()).map_err(|_| damaged.clone())?;
            let content = rest.take(length).ok_or(damaged.clone())?;
            if size < 0 {
                continue; // a hole, where an entry was removed
            }
            match entry(Bytes(content)).ok_or(damaged)? {
                Some(entry) => keytab.entries.push(entry),
                None => keytab.unusable += 1,
            }
        }
        Ok(keytab)
    }
}

/// None = malformed; Some(None) = of an encryption type that is not known here.
fn entry(mut bytes: Bytes<'_>) -> Option<Option<Entry>> {
    let components = u16::from_be_bytes(bytes.array()?);
    let realm = bytes.text()?;
    let parts = (0..components).map(|_| bytes.text()).collect::<Option<_>>()?;
    let _name_type: [u8; 4] = bytes.array()?;
    let _written_at: [u8; 4] = bytes.array()?;
    let [last8] = bytes.array()?;
    let etype = i64::from(u16::from_be_bytes(bytes.array()?));
    let length = u16::from_be_bytes(bytes.array()?);
    let key = bytes.take(usize::from(length))?;
    let kvno = match bytes.array().map(u32::from_be_bytes) {
        None | Some(0) => Kvno::Last8(last8),
        Some(whole) => Kvno::Whole(whole),
    };
    let key = Etype::of(etype).and_then(|etype| Key::new(etype, key));
    Some(key.map(|key| Entry { principal: Principal { realm, parts }, kvno, key }))
}

struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_be_bytes(self.array()?);
        String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder;
    use proptest::prelude::*;

    #[test]
    fn versions_have_8_bits_or_32_and_holes_are_skipped() {
        let mut bytes = vec![5, 2];
        bytes.extend(builder::keytab_entry("HTTP/one", "A.TEST", 18, &[1; 32], 5, None));
        bytes.extend([&(-3_i32).to_be_bytes()[..], &[0xff; 3]].concat());
        bytes.extend(builder::keytab_entry("HTTP/two", "A.TEST", 17, &[2; 16], 1, Some(257)));
        bytes.extend(builder::keytab_entry("HTTP/two", "A.TEST", 23, &[2; 16], 1, Some(257)));
        bytes.extend(builder::keytab_entry("HTTP/two", "A.TEST", 20, &[2; 32], 7, Some(0)));
        bytes.extend([0; 9]);
        let keytab = Keytab::parse(&bytes).unwrap();
        let read = |entry: &Entry| (entry.principal.to_string(), entry.kvno, entry.key.etype().number());
        assert_eq!(
            keytab.entries.iter().map(read).collect::<Vec<_>>(),
            [
                ("HTTP/one@A.TEST".to_owned(), Kvno::Last8(5), 18),
                ("HTTP/two@A.TEST".to_owned(), Kvno::Whole(257), 17),
                ("HTTP/two@A.TEST".to_owned(), Kvno::Last8(7), 20),
            ]
        );
        assert_eq!(keytab.unusable, 1);
    }

    #[test]
    fn a_version_of_8_bits_fits_every_version_that_ends_so() {
        assert!(Kvno::Last8(5).fits(Some(5)) && Kvno::Last8(5).fits(Some(261)) && !Kvno::Last8(5).fits(Some(6)));
        assert!(Kvno::Whole(5).fits(Some(5)) && !Kvno::Whole(5).fits(Some(261)));
        assert!(Kvno::Whole(5).fits(None) && Kvno::Whole(0).fits(Some(9)));
    }

    #[test]
    fn what_is_damaged_says_where() {
        assert_eq!(Keytab::parse(b"").err(), Some(KeytabError::Version));
        assert_eq!(Keytab::parse(&[5, 1, 0]).err(), Some(KeytabError::Version));
        let bytes = [vec![5, 2], builder::keytab_entry("HTTP/one", "A.TEST", 18, &[1; 32], 5, None)].concat();
        for end in 3..bytes.len() {
            assert_eq!(Keytab::parse(&bytes[..end]).err(), Some(KeytabError::Entry { at: 2 }));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(at in 0..200_usize, byte: u8, garbage: Vec<u8>) {
            let mut bytes = [vec![5, 2], builder::keytab_entry("HTTP/one", "A.TEST", 18, &[1; 32], 5, Some(3))].concat();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Keytab::parse(&bytes);
            let _ = Keytab::parse(&[&[5, 2], &garbage[..]].concat());
        }
    }
}
