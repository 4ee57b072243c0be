//! As much of DER (X.690) as Kerberos messages are made of: tags of one byte, definite lengths.
//!
//! By hand: it is about a hundred lines, which `der` would not make fewer. There each message is a type that implements decoding, also of the
//! fields that nobody here reads, and times, which are also compared as they were written, would be read past it.

/// Reads elements one after another. Nothing here panics, recurses or allocates: what is malformed is None.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// `SEQUENCE`.
pub(crate) const SEQUENCE: u8 = 0x30;
/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `BIT STRING`.
pub(crate) const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `OBJECT IDENTIFIER`.
pub(crate) const OID: u8 = 0x06;
/// `ENUMERATED`.
pub(crate) const ENUMERATED: u8 = 0x0a;
/// `GeneralizedTime`.
pub(crate) const TIME: u8 = 0x18;
/// `GeneralString`, which Kerberos calls KerberosString and Realm.
pub(crate) const STRING: u8 = 0x1b;

/// `[APPLICATION n]`, n < 31.
pub(crate) const fn application(n: u8) -> u8 {
    0x60 | n
}

/// `[n]`, explicit, n < 31.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// What is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next element, which must have this tag: its content.
    pub(crate) fn take(&mut self, tag: u8) -> Option<Reader<'a>> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // longer lengths than four bytes have no use, and 0x80 is BER's indefinite one
            0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(Reader(content))
    }

    /// The next element if it has this tag.
    pub(crate) fn maybe(&mut self, tag: u8) -> Option<Reader<'a>> {
        self.0.first().filter(|found| **found == tag)?;
        self.take(tag)
    }

    /// Field `n` of a `SEQUENCE`, an element with this tag in an explicit one.
    pub(crate) fn field(&mut self, n: u8, tag: u8) -> Option<Reader<'a>> {
        self.take(context(n))?.take(tag)
    }

    /// Field `n`, if it is there.
    pub(crate) fn optional(&mut self, n: u8, tag: u8) -> Option<Option<Reader<'a>>> {
        match self.maybe(context(n)) {
            Some(mut inner) => Some(Some(inner.take(tag)?)),
            // there, and malformed
            None if self.0.first() == Some(&context(n)) => None,
            None => Some(None),
        }
    }

    /// Field `n`, an integer.
    pub(crate) fn number(&mut self, n: u8) -> Option<i64> {
        self.field(n, INTEGER)?.integer()
    }

    /// The content of an `INTEGER`.
    pub(crate) fn integer(self) -> Option<i64> {
        let negative = self.0.first()? & 0x80 != 0;
        let start = if negative { -1 } else { 0 };
        (self.0.len() <= 8).then(|| self.0.iter().fold(start, |sum, byte| sum << 8 | i64::from(*byte)))
    }

    /// The content of a string.
    pub(crate) fn text(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }

    /// The first 32 bits of a `BIT STRING`, the first of them highest (RFC 4120, 5.2.8).
    pub(crate) fn flags(self) -> Option<u32> {
        let (_unused, bits) = self.0.split_first()?;
        let mut flags = [0; 4];
        flags.iter_mut().zip(bits).for_each(|(flag, byte)| *flag = *byte);
        Some(u32::from_be_bytes(flags))
    }
}

/// An element with this tag and content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = Vec::with_capacity(length + 10);
    out.push(tag);
    match length {
        0..=0x7f => out.push(length as u8),
        _ => {
            out.push(0x80 | significant.len() as u8);
            out.extend_from_slice(significant);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Field `n` of a `SEQUENCE`: an element with this tag and content in an explicit one.
pub(crate) fn field(n: u8, tag: u8, content: &[u8]) -> Vec<u8> {
    element(context(n), &element(tag, content))
}

/// The content of an `INTEGER` that is not negative.
pub(crate) fn integer(number: u32) -> Vec<u8> {
    let bytes = [[0].as_slice(), &number.to_be_bytes()].concat();
    // as short as it can be, and never so that it looks negative
    let superfluous = bytes.windows(2).take_while(|pair| pair[0] == 0 && pair[1] < 0x80).count();
    bytes[superfluous..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let bytes = element(OCTET_STRING, &vec![7; length]);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.take(OCTET_STRING).unwrap().rest().len(), length);
            assert!(reader.rest().is_empty());
        }
        for number in [0, 1, 127, 128, 255, 256, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            assert_eq!(Reader::new(&integer(number)).integer(), Some(i64::from(number)));
        }
        assert_eq!(integer(5), [5]);
        assert_eq!(integer(200), [0, 200]);
    }

    #[test]
    fn every_prefix_is_malformed() {
        let bytes = field(3, SEQUENCE, &vec![1; 300]);
        for end in 0..bytes.len() {
            assert!(Reader::new(&bytes[..end]).field(3, SEQUENCE).is_none(), "{end}");
        }
    }

    #[test]
    fn optional_fields_are_absent_there_or_malformed() {
        let bytes = field(1, INTEGER, &[5]);
        assert!(Reader::new(&bytes).optional(0, INTEGER).unwrap().is_none());
        assert_eq!(Reader::new(&bytes).optional(1, INTEGER).unwrap().unwrap().integer(), Some(5));
        assert!(Reader::new(&bytes).optional(1, STRING).is_none());
        assert!(Reader::new(&bytes[..4]).optional(1, INTEGER).is_none());
    }

    #[test]
    fn numbers_may_be_negative_and_not_too_long() {
        assert_eq!(Reader::new(&[0xff]).integer(), Some(-1));
        assert_eq!(Reader::new(&[0x80, 0]).integer(), Some(-32768));
        assert_eq!(Reader::new(&[]).integer(), None);
        assert_eq!(Reader::new(&[1; 9]).integer(), None);
    }
}
