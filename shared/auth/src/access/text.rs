//! The text of a machine token: `fgt_<id>_<secret>`.

use super::TOKEN_PREFIX;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use faregate_core::model::hex;

/// What a token's text says: 16 hex digits by which it is found, and 64 that are its secret.
pub(super) struct TokenText<'a> {
    /// Which.
    pub id: &'a str,
    secret: &'a str,
}

impl<'a> TokenText<'a> {
    /// Reads it; none when it is no token's.
    pub fn read(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
        let is_hex =
            |part: &str, digits| part.len() == digits && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (is_hex(id, 16) && is_hex(secret, 64)).then_some(TokenText { id, secret })
    }

    /// Is this the hash of its secret?
    pub fn is(&self, hash: &str) -> bool {
        verify_slices_are_equal(hash_of(self.secret).as_bytes(), hash.as_bytes()).is_ok()
    }
}

/// A token's text, and the hash of its secret.
pub(super) fn make(id: &str, secret: [u8; 32]) -> (String, String) {
    let secret = hex(&secret);
    (format!("{TOKEN_PREFIX}{id}_{secret}"), hash_of(&secret))
}

fn hash_of(secret: &str) -> String {
    hex(digest(&SHA256, secret.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_made_and_nothing_else_is() {
        let (text, hash) = make("0123456789abcdef", [0xa5; 32]);
        assert_eq!(text.len(), 4 + 16 + 1 + 64);
        let read = TokenText::read(&text).unwrap();
        assert_eq!((read.id, read.is(&hash)), ("0123456789abcdef", true));
        assert!(!read.is(&hash[1..]) && !read.is("") && !read.is(&hash.replace('a', "b")));
        let upper = text.to_uppercase().replace("FGT", "fgt");
        for bad in [&text[1..], &text[..84], &upper, "fgt_", "fgt__", "", &format!("{text}0"), &format!(" {text}")] {
            assert!(TokenText::read(bad).is_none(), "{bad}");
        }
    }
}
