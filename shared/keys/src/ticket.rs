//! Leave to look at one cluster's dashboard for a while: signed, so that it is checked without a read and on every replica.

use crate::{KeyRing, KeyRingError, Use};
use faregate_core::model::clock::is_ahead;
use faregate_core::model::{ClusterName, Ms};

/// How long the link that an API hands to a browser may wait to be followed, in milliseconds.
pub const TICKET_LIFE_MS: Ms = 60_000;
/// How long a dashboard's cookie is good, in milliseconds: a working day. Then its visitor signs in again.
pub const DASHBOARD_SESSION_MS: Ms = 12 * 3_600_000;

/// What is in a ticket ([`Use::Ticket`]: once, in a link) or in a session cookie ([`Use::DashboardSession`]: again and again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The ring key that signs it.
    pub key_id: String,
    /// From when on it is no longer good.
    pub expires_at: Ms,
    /// Tells it from others.
    pub nonce: u64,
}

impl Ticket {
    /// `<key id>-<expiry>-<nonce: 16 hex>-<64 hex>`: letters, digits and `-` alone.
    pub fn issue(&self, ring: &KeyRing, purpose: Use, name: &ClusterName) -> Result<String, KeyRingError> {
        let Ticket { key_id, expires_at, nonce } = self;
        let signature = ring.sign(key_id, purpose, &format!("{name}\0{expires_at}\0{nonce:016x}"))?;
        Ok(format!("{key_id}-{expires_at}-{nonce:016x}-{signature}"))
    }

    /// Takes a text apart that has the form of one; whether it is good says [`Ticket::open`].
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (key_id, expires_at, nonce, signature) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = !expires_at.is_empty() && expires_at.bytes().all(|b| b.is_ascii_digit());
        if parts.next().is_some() || !hex(nonce, 16) || !hex(signature, 64) || !digits {
            return None;
        }
        let (expires_at, nonce) = (expires_at.parse().ok()?, u64::from_str_radix(nonce, 16).ok()?);
        Some(Ticket { key_id: key_id.to_owned(), expires_at, nonce })
    }

    /// What `text` says, when it was issued for that use of that cluster with a key of the ring, and has not expired.
    pub fn open(text: &str, ring: &KeyRing, purpose: Use, name: &ClusterName, now: Ms) -> Option<Self> {
        let longest = if purpose == Use::Ticket { TICKET_LIFE_MS } else { DASHBOARD_SESSION_MS };
        // one that is good for longer was issued by a clock that was ahead
        let is_good = |ticket: &Ticket| now < ticket.expires_at && !is_ahead(ticket.expires_at, now + longest);
        let ticket = Ticket::parse(text).filter(is_good)?;
        let right = ticket.issue(ring, purpose, name).ok()?;
        aws_lc_rs::constant_time::verify_slices_are_equal(right.as_bytes(), text.as_bytes()).ok()?;
        Some(ticket)
    }

    /// The session that it is exchanged for.
    pub fn session(&self, now: Ms) -> Ticket {
        Ticket { expires_at: now + DASHBOARD_SESSION_MS, ..self.clone() }
    }

    /// What tells that it was used: no secret.
    pub fn used_as(&self, name: &ClusterName) -> String {
        format!("dashboard#{name}#{:016x}", self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Ms = 1_800_000_000_000;

    fn ring() -> KeyRing {
        KeyRing::from_random(&std::array::from_fn(|i| i as u8))
    }

    fn name(letter: &str) -> ClusterName {
        letter.repeat(32).parse().unwrap()
    }

    fn ticket() -> Ticket {
        Ticket { key_id: "k1".into(), expires_at: NOW + TICKET_LIFE_MS, nonce: 0xabc }
    }

    #[test]
    fn a_ticket_is_good_for_one_use_of_one_cluster_until_it_expires() {
        let (ring, a) = (ring(), name("a"));
        let text = ticket().issue(&ring, Use::Ticket, &a).unwrap();
        let open = |purpose, name: &ClusterName, now| Ticket::open(&text, &ring, purpose, name, now);
        assert_eq!(open(Use::Ticket, &a, NOW), Some(ticket()));
        assert_eq!(open(Use::Ticket, &a, NOW + TICKET_LIFE_MS - 1), Some(ticket()));
        assert_eq!(open(Use::Ticket, &a, NOW + TICKET_LIFE_MS), None);
        assert_eq!(open(Use::DashboardSession, &a, NOW), None);
        assert_eq!(open(Use::Ticket, &name("b"), NOW), None);
        assert_eq!(Ticket::open(&text, &KeyRing::from_random(&[9; 64]), Use::Ticket, &a, NOW), None);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    }

    #[test]
    fn what_was_changed_is_no_ticket() {
        let (ring, a) = (ring(), name("a"));
        let text = ticket().issue(&ring, Use::Ticket, &a).unwrap();
        let later = text.replace(&(NOW + TICKET_LIFE_MS).to_string(), &(NOW + 2 * TICKET_LIFE_MS).to_string());
        let padded = text.replacen("k1-", "k1-0", 1);
        let other = text.replace("0abc-", "0abd-");
        let key = ring.token("k1", Use::Dashboard, &a).unwrap();
        for forged in
            [&later, &padded, &other, &text[1..], &text.to_uppercase(), &key, "", "-", "---", &format!("{text}-")]
        {
            assert_eq!(Ticket::open(forged, &ring, Use::Ticket, &a, NOW), None, "{forged}");
        }
        for far in ["99999999999999999999", "-1", ""] {
            let far = text.replace(&(NOW + TICKET_LIFE_MS).to_string(), far);
            assert_eq!(Ticket::parse(&far), None, "{far}");
        }
    }
}
