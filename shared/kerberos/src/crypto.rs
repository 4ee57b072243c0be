//! The encryption types of Kerberos that are still good, on AES and HMAC of aws-lc: 17 and 18 (RFC 3962), 19 and 20 (RFC 8009).

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

/// AES has one block size, and messages start with as much that is random.
pub(crate) const BLOCK: usize = 16;

/// What a key is used for (RFC 4120, 7.5.1): the encrypted part of a ticket.
pub(crate) const TICKET: u32 = 2;
/// … of an authenticator.
pub(crate) const AUTHENTICATOR: u32 = 11;
/// … of the answer to it.
pub(crate) const ANSWER: u32 = 12;

/// An encryption type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Etype {
    /// 17, aes128-cts-hmac-sha1-96.
    Aes128Sha1,
    /// 18, aes256-cts-hmac-sha1-96.
    Aes256Sha1,
    /// 19, aes128-cts-hmac-sha256-128.
    Aes128Sha256,
    /// 20, aes256-cts-hmac-sha384-192.
    Aes256Sha384,
}

use Etype::{Aes128Sha1, Aes128Sha256, Aes256Sha1, Aes256Sha384};

impl Etype {
    /// By its assigned number.
    pub(crate) fn of(number: i64) -> Option<Self> {
        [Aes128Sha1, Aes256Sha1, Aes128Sha256, Aes256Sha384].into_iter().find(|etype| etype.number() == number)
    }

    /// Its assigned number.
    pub(crate) fn number(self) -> i64 {
        match self {
            Aes128Sha1 => 17,
            Aes256Sha1 => 18,
            Aes128Sha256 => 19,
            Aes256Sha384 => 20,
        }
    }

    /// Bytes of a key.
    pub(crate) fn key_length(self) -> usize {
        match self {
            Aes128Sha1 | Aes128Sha256 => 16,
            Aes256Sha1 | Aes256Sha384 => 32,
        }
    }

    /// Bytes of the checksum that a message ends with.
    fn mac_length(self) -> usize {
        match self {
            Aes128Sha1 | Aes256Sha1 => 12,
            Aes128Sha256 => 16,
            Aes256Sha384 => 24,
        }
    }

    fn cipher(self) -> &'static Algorithm {
        match self.key_length() {
            16 => &AES_128,
            _ => &AES_256,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Aes128Sha1 | Aes256Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Aes128Sha256 => hmac::HMAC_SHA256,
            Aes256Sha384 => hmac::HMAC_SHA384,
        }
    }
}

/// A key, of its type's length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    etype: Etype,
    bytes: Vec<u8>,
}

impl Key {
    /// None when it has not the length that its type asks for.
    pub(crate) fn new(etype: Etype, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == etype.key_length()).then(|| Key { etype, bytes: bytes.to_vec() })
    }

    /// Its type.
    pub(crate) fn etype(&self) -> Etype {
        self.etype
    }

    /// The plain text of a message that was encrypted with this key, for this use. None = it was not.
    pub(crate) fn open(&self, usage: u32, message: &[u8]) -> Option<Vec<u8>> {
        let length = message.len().checked_sub(self.etype.mac_length()).filter(|length| *length >= BLOCK)?;
        let (encrypted, mac) = message.split_at(length);
        let opened = match self.etype {
            Aes128Sha1 | Aes256Sha1 => {
                let opened = self.decrypt(&self.derived(usage, ENCRYPTION)?, encrypted)?;
                verify_slices_are_equal(&self.mac(usage, &opened)?, mac).ok()?;
                opened
            }
            Aes128Sha256 | Aes256Sha384 => {
                verify_slices_are_equal(&self.mac(usage, encrypted)?, mac).ok()?;
                self.decrypt(&self.derived(usage, ENCRYPTION)?, encrypted)?
            }
        };
        opened.get(BLOCK..).map(<[u8]>::to_vec)
    }

    /// A message that [`Key::open`] opens. The confounder is random, and for this message alone.
    pub(crate) fn seal(&self, usage: u32, confounder: [u8; BLOCK], plain: &[u8]) -> Option<Vec<u8>> {
        let plain = [confounder.as_slice(), plain].concat();
        let encrypted = self.encrypt(&self.derived(usage, ENCRYPTION)?, &plain)?;
        let mac = match self.etype {
            Aes128Sha1 | Aes256Sha1 => self.mac(usage, &plain)?,
            Aes128Sha256 | Aes256Sha384 => self.mac(usage, &encrypted)?,
        };
        Some([encrypted, mac].concat())
    }

    /// Over the plain text (RFC 3961, 5.3), or over the first state of the cipher and what is encrypted (RFC 8009, 5).
    fn mac(&self, usage: u32, text: &[u8]) -> Option<Vec<u8>> {
        let key = hmac::Key::new(self.etype.hmac(), &self.derived(usage, INTEGRITY)?);
        let mut context = hmac::Context::with_key(&key);
        if matches!(self.etype, Aes128Sha256 | Aes256Sha384) {
            context.update(&[0; BLOCK]);
        }
        context.update(text);
        context.sign().as_ref().get(..self.etype.mac_length()).map(<[u8]>::to_vec)
    }

    /// The key derived from this one for a use (RFC 3961, 5.1 and 5.3; RFC 8009, 3 and 5).
    fn derived(&self, usage: u32, purpose: u8) -> Option<Vec<u8>> {
        let [a, b, c, d] = usage.to_be_bytes();
        let constant = [a, b, c, d, purpose];
        match self.etype {
            Aes128Sha1 | Aes256Sha1 => {
                let mut block = folded(&constant);
                let mut derived = Vec::new();
                while derived.len() < self.etype.key_length() {
                    block = self.cbc_encrypt(&self.bytes, block)?;
                    derived.extend_from_slice(&block);
                }
                Some(derived)
            }
            Aes128Sha256 | Aes256Sha384 => {
                let length = if purpose == ENCRYPTION { self.etype.key_length() } else { self.etype.mac_length() };
                let bits = u32::try_from(length * 8).ok()?;
                let text = [&1_u32.to_be_bytes()[..], &constant, &[0], &bits.to_be_bytes()].concat();
                let tag = hmac::sign(&hmac::Key::new(self.etype.hmac(), &self.bytes), &text);
                tag.as_ref().get(..length).map(<[u8]>::to_vec)
            }
        }
    }

    /// CBC with ciphertext stealing, the last two blocks always swapped (RFC 3962, 5), of at least one block.
    fn encrypt(&self, key: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut blocks = plain.to_vec();
        blocks.resize(plain.len().next_multiple_of(BLOCK), 0);
        let mut blocks = self.cbc_encrypt(key, blocks)?;
        if let Some(before_last) = blocks.len().checked_sub(2 * BLOCK) {
            blocks.get_mut(before_last..)?.rotate_left(BLOCK);
        }
        blocks.truncate(plain.len());
        Some(blocks)
    }

    /// The reverse.
    fn decrypt(&self, key: &[u8], encrypted: &[u8]) -> Option<Vec<u8>> {
        let length = encrypted.len();
        let mut blocks = encrypted.to_vec();
        let before_last = length.next_multiple_of(BLOCK).checked_sub(2 * BLOCK);
        if let Some(before_last) = before_last {
            // what was stolen from the block before the last is at the end of the last one's plain text
            let whole = encrypted.get(before_last..before_last + BLOCK)?.to_vec();
            let stolen = self.cbc_decrypt(key, whole)?;
            blocks.extend_from_slice(stolen.get(length - before_last - BLOCK..)?);
            blocks.get_mut(before_last..)?.rotate_left(BLOCK);
        }
        let mut plain = self.cbc_decrypt(key, blocks)?;
        plain.truncate(length);
        Some(plain)
    }

    fn cbc_encrypt(&self, key: &[u8], mut blocks: Vec<u8>) -> Option<Vec<u8>> {
        let key = EncryptingKey::cbc(UnboundCipherKey::new(self.etype.cipher(), key).ok()?).ok()?;
        let context = EncryptionContext::Iv128(FixedLength::from([0; BLOCK]));
        key.less_safe_encrypt(&mut blocks, context).ok()?;
        Some(blocks)
    }

    fn cbc_decrypt(&self, key: &[u8], mut blocks: Vec<u8>) -> Option<Vec<u8>> {
        let key = DecryptingKey::cbc(UnboundCipherKey::new(self.etype.cipher(), key).ok()?).ok()?;
        let context = DecryptionContext::Iv128(FixedLength::from([0; BLOCK]));
        key.decrypt(&mut blocks, context).ok()?;
        Some(blocks)
    }
}

/// What a derived key is for (RFC 3961, 5.3).
const ENCRYPTION: u8 = 0xaa;
const INTEGRITY: u8 = 0x55;

/// n-fold to one block (RFC 3961, 5.1): copies, each rotated 13 bits further than the one before, added in ones' complement.
fn folded(text: &[u8]) -> Vec<u8> {
    let length = text.len();
    if length == 0 {
        return vec![0; BLOCK];
    }
    // after so many bytes both have come round
    let total = (1..=BLOCK).map(|n| n * length).find(|total| total % BLOCK == 0).unwrap_or(BLOCK * length);
    let bit = |position: usize| text[position / 8] >> (7 - position % 8) & 1;
    let byte = |at: usize| {
        let (copy, offset) = (at / length, at % length);
        let from = offset * 8 + length * 8 * 13 - copy * 13 % (length * 8);
        (0..8).fold(0, |sum, n| sum << 1 | u32::from(bit((from + n) % (length * 8))))
    };
    let mut sums: Vec<u32> = (0..BLOCK).map(|n| (n..total).step_by(BLOCK).map(byte).sum()).collect();
    while sums.iter().any(|sum| *sum > 0xff) {
        for n in (0..BLOCK).rev() {
            let carry = sums[n] >> 8;
            sums[n] &= 0xff;
            sums[(n + BLOCK - 1) % BLOCK] += carry;
        }
    }
    sums.into_iter().map(|sum| sum as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn folding_is_as_in_rfc_3961_appendix_a_1() {
        assert_eq!(folded(b"kerberos"), bytes("6b65726265726f737b9b5b2b93132b93"));
    }

    /// RFC 3962, appendix B.
    #[test]
    fn stealing_is_as_in_rfc_3962() {
        let key = Key::new(Aes128Sha1, b"chicken teriyaki").unwrap();
        let text = b"I would like the General Gau's Chicken, please, and wonton soup.";
        for (length, encrypted) in [
            (17, "c6353568f2bf8cb4d8a580362da7ff7f97"),
            (31, "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5"),
            (32, "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584"),
            (47, "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e39312523a78662d5be7fcbcc98ebf5"),
        ] {
            assert_eq!(key.encrypt(&key.bytes, &text[..length]).unwrap(), bytes(encrypted), "{length}");
            assert_eq!(key.decrypt(&key.bytes, &bytes(encrypted)).unwrap(), &text[..length], "{length}");
        }
    }

    /// RFC 8009, appendix A.
    #[test]
    fn a_message_is_as_in_rfc_8009() {
        let key = Key::new(Aes128Sha256, &bytes("3705D96080C17728A0E800EAB6E0D23C")).unwrap();
        assert_eq!(key.derived(2, ENCRYPTION).unwrap(), bytes("9B197DD1E8C5609D6E67C3E37C62C72E"));
        assert_eq!(key.derived(2, INTEGRITY).unwrap(), bytes("9FDA0E56AB2D85E1569A688696C26A6C"));
        let confounder = bytes("7BCA285E2FD4130FB55B1A5C83BC5B24").try_into().unwrap();
        let message = key.seal(2, confounder, &bytes("000102030405")).unwrap();
        let expected = "84D7F30754ED987BAB0BF3506BEB09CFB55402CEF7E6 877CE99E247E52D16ED4421DFDF8976C";
        assert_eq!(message, bytes(expected));
    }

    #[test]
    fn what_is_sealed_is_opened_and_nothing_else_is() {
        for etype in [Aes128Sha1, Aes256Sha1, Aes128Sha256, Aes256Sha384] {
            assert_eq!(Etype::of(etype.number()), Some(etype));
            let key = Key::new(etype, &vec![3; etype.key_length()]).unwrap();
            let other = Key::new(etype, &vec![4; etype.key_length()]).unwrap();
            for length in 0..70 {
                let plain: Vec<u8> = (0..length).collect();
                let mut message = key.seal(TICKET, [9; BLOCK], &plain).unwrap();
                assert_eq!(key.open(TICKET, &message).unwrap(), plain);
                assert!(key.open(ANSWER, &message).is_none() && other.open(TICKET, &message).is_none());
                for at in 0..message.len() {
                    assert!(key.open(TICKET, &message[..at]).is_none());
                    message[at] ^= 1;
                    assert!(key.open(TICKET, &message).is_none());
                    message[at] ^= 1;
                }
            }
        }
        assert!(Key::new(Aes256Sha1, &[3; 16]).is_none());
        assert!(Etype::of(23).is_none(), "RC4 is no longer good (RFC 8429)");
    }
}
