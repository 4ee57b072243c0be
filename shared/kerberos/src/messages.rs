//! The messages of Kerberos that a service reads, and the one that it writes (RFC 4120, 5.2 to 5.5). What is malformed is None.

use crate::Ms;
use crate::crypto::{Etype, Key};
use crate::der::{
    BIT_STRING, INTEGER, OCTET_STRING, Reader, SEQUENCE, STRING, TIME, application, context, element, field, integer,
};
use std::fmt;

/// A user's or a service's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Where it is known.
    pub(crate) realm: String,
    /// `alice`, or `HTTP` and `host`.
    pub(crate) parts: Vec<String>,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // what others chose may not break a line of the log, nor fill it
        let name = format!("{}@{}", self.parts.join("/"), self.realm);
        name.chars().take(300).flat_map(char::escape_debug).try_for_each(|c| write!(f, "{c}"))
    }
}

/// Something encrypted.
pub(crate) struct Sealed<'a> {
    /// How.
    pub(crate) etype: i64,
    /// With which version of a long-term key.
    pub(crate) kvno: Option<u32>,
    /// The bytes.
    pub(crate) cipher: &'a [u8],
}

/// What a client shows.
pub(crate) struct ApReq<'a> {
    /// The ticket is encrypted with the key of another session, not with the service's.
    pub(crate) user_to_user: bool,
    /// The ticket.
    pub(crate) ticket: Ticket<'a>,
    /// Proves that the client knows the ticket's key, and when.
    pub(crate) authenticator: Sealed<'a>,
}

/// A ticket: for whom it is, and what only they can read.
pub(crate) struct Ticket<'a> {
    /// The service.
    pub(crate) service: Principal,
    /// What the KDC says.
    pub(crate) content: Sealed<'a>,
}

/// What the KDC says of a client.
pub(crate) struct Content {
    /// See [`INVALID`] and [`TRANSITED_CHECKED`].
    pub(crate) flags: u32,
    /// The session's key, or the type that is not known here.
    pub(crate) key: Result<Key, i64>,
    /// Who the client is.
    pub(crate) client: Principal,
    /// The client's realm was reached by way of others.
    pub(crate) by_way_of_others: bool,
    /// From when on.
    pub(crate) starts: Ms,
    /// Until when.
    pub(crate) ends: Ms,
}

/// Flag 7: a postdated ticket that the KDC has not yet made good.
pub(crate) const INVALID: u32 = 1 << (31 - 7);
/// Flag 12: the KDC vouches for the realms between.
pub(crate) const TRANSITED_CHECKED: u32 = 1 << (31 - 12);

/// What the client says of itself.
pub(crate) struct Authenticator<'a> {
    /// Who it is.
    pub(crate) client: Principal,
    /// The checksum's type and bytes.
    pub(crate) checksum: Option<(i64, &'a [u8])>,
    /// When it was made, by the client's clock.
    pub(crate) at: Ms,
    /// The same as it was written: its seconds, and microseconds.
    pub(crate) written: (&'a [u8], &'a [u8]),
}

impl<'a> ApReq<'a> {
    /// Reads one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes).take(application(14))?.take(SEQUENCE)?;
        (fields.number(0)? == 5 && fields.number(1)? == 14).then_some(())?;
        let options = fields.field(2, BIT_STRING)?.flags()?;
        let ticket = Ticket::parse(fields.field(3, application(1))?)?;
        let authenticator = Sealed::parse(fields.field(4, SEQUENCE)?)?;
        Some(ApReq { user_to_user: options & 1 << (31 - 1) != 0, ticket, authenticator })
    }
}

impl<'a> Ticket<'a> {
    fn parse(mut content: Reader<'a>) -> Option<Self> {
        let mut fields = content.take(SEQUENCE)?;
        (fields.number(0)? == 5).then_some(())?;
        let service = principal(&mut fields, 1)?;
        Some(Ticket { service, content: Sealed::parse(fields.field(3, SEQUENCE)?)? })
    }
}

impl<'a> Sealed<'a> {
    fn parse(mut fields: Reader<'a>) -> Option<Self> {
        let etype = fields.number(0)?;
        let kvno = match fields.optional(1, INTEGER)? {
            // some write it with a sign
            Some(kvno) => Some(kvno.integer()? as u32),
            None => None,
        };
        Some(Sealed { etype, kvno, cipher: fields.field(2, OCTET_STRING)?.rest() })
    }
}

impl Content {
    /// Reads what was decrypted.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes).take(application(3))?.take(SEQUENCE)?;
        let flags = fields.field(0, BIT_STRING)?.flags()?;
        let key = key(fields.field(1, SEQUENCE)?)?;
        let client = principal(&mut fields, 2)?;
        let mut transited = fields.field(4, SEQUENCE)?;
        let _encoding = transited.number(0)?;
        let by_way_of_others = !transited.field(1, OCTET_STRING)?.rest().is_empty();
        let authenticated = time(fields.field(5, TIME)?)?;
        let starts = match fields.optional(6, TIME)? {
            Some(starts) => time(starts)?,
            None => authenticated,
        };
        // after it: until when it could be renewed; addresses, which say nothing behind a load balancer; and what Windows says of groups
        let ends = time(fields.field(7, TIME)?)?;
        Some(Content { flags, key, client, by_way_of_others, starts, ends })
    }
}

impl<'a> Authenticator<'a> {
    /// Reads what was decrypted.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes).take(application(2))?.take(SEQUENCE)?;
        (fields.number(0)? == 5).then_some(())?;
        let client = principal(&mut fields, 1)?;
        let checksum = match fields.optional(3, SEQUENCE)? {
            Some(mut checksum) => Some((checksum.number(0)?, checksum.field(1, OCTET_STRING)?.rest())),
            None => None,
        };
        let microseconds = fields.field(4, INTEGER)?;
        let seconds = fields.field(5, TIME)?;
        // the keys and numbers that follow are for messages after the first, of which there are none
        let at = time(seconds)?.checked_add(microseconds.integer().filter(|n| (0..1_000_000).contains(n))? / 1000)?;
        Some(Authenticator { client, checksum, at, written: (seconds.rest(), microseconds.rest()) })
    }

    /// The answer that only a holder of the session's key can make (`EncAPRepPart`), not yet encrypted.
    pub(crate) fn answer(&self, sequence: u32) -> Vec<u8> {
        let (seconds, microseconds) = self.written;
        let fields =
            [field(0, TIME, seconds), field(1, INTEGER, microseconds), field(3, INTEGER, &integer(sequence))].concat();
        element(application(27), &element(SEQUENCE, &fields))
    }
}

/// `AP-REP`, with its encrypted part.
pub(crate) fn ap_rep(etype: Etype, cipher: &[u8]) -> Vec<u8> {
    let number = u32::try_from(etype.number()).unwrap_or_default();
    let sealed = [field(0, INTEGER, &integer(number)), field(2, OCTET_STRING, cipher)].concat();
    let fields = [field(0, INTEGER, &[5]), field(1, INTEGER, &[15]), field(2, SEQUENCE, &sealed)].concat();
    element(application(15), &element(SEQUENCE, &fields))
}

/// A realm in field `n`, and a name in the next.
fn principal(fields: &mut Reader<'_>, n: u8) -> Option<Principal> {
    let realm = fields.field(n, STRING)?.text()?.to_owned();
    let mut name = fields.field(n + 1, SEQUENCE)?;
    let _type = name.number(0)?;
    let mut parts = name.take(context(1))?.take(SEQUENCE)?;
    let mut named = Principal { realm, parts: Vec::new() };
    while !parts.rest().is_empty() {
        named.parts.push(parts.take(STRING)?.text()?.to_owned());
    }
    Some(named)
}

fn key(mut fields: Reader<'_>) -> Option<Result<Key, i64>> {
    let number = fields.number(0)?;
    let bytes = fields.field(1, OCTET_STRING)?.rest();
    match Etype::of(number) {
        Some(etype) => Key::new(etype, bytes).map(Ok),
        None => Some(Err(number)),
    }
}

/// `YYYYMMDDHHMMSSZ`, always UTC and whole seconds (RFC 4120, 5.2.3).
fn time(content: Reader<'_>) -> Option<Ms> {
    let digits = content.text()?.strip_suffix('Z').filter(|text| text.len() == 14)?;
    let number = |from: usize, to: usize| {
        let digits = digits.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
    };
    let small = |from: usize| u8::try_from(number(from, from + 2)?).ok();
    let month = time::Month::try_from(small(4)?).ok()?;
    let date = time::Date::from_calendar_date(number(0, 4)?.into(), month, small(6)?).ok()?;
    // a leap second is the next minute's first
    let second = small(12)?.min(59);
    let at = date.with_hms(small(8)?, small(10)?, second).ok()?.assume_utc();
    at.unix_timestamp().checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        let read = |text: &str| time(Reader::new(text.as_bytes()));
        assert_eq!(read("20270115080000Z"), Some(1_800_000_000_000));
        assert_eq!(read("19700101000000Z"), Some(0));
        for bad in
            ["", "Z", "20270115080000", "20271315080000Z", "2027011508000Z", "+0270115080000Z", "20270115250000Z"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read("é270115080000Z"), None);
    }

    #[test]
    fn a_name_cannot_break_the_log() {
        let named = Principal { realm: "A\n".into(), parts: vec!["x".repeat(1000), "y".into()] };
        assert!(named.to_string().len() < 400);
        let named = Principal { realm: "A\n".into(), parts: vec!["x".into(), "y".into()] };
        assert_eq!(named.to_string(), "x/y@A\\n");
    }
}
