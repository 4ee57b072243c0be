//! Tickets and tokens as a KDC and a client make them, good or broken: for tests.
#![allow(clippy::unwrap_used)]

use crate::Ms;
use crate::crypto::{AUTHENTICATOR, BLOCK, Etype, Key, TICKET};
use crate::der::{
    BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, STRING, TIME, application, context, element, field, integer,
};

/// The realm of everybody here.
pub const REALM: &str = "EXAMPLE.TEST";
/// When tokens are good, in milliseconds since the epoch.
pub const NOW: Ms = 1_800_000_000_000;

/// The mechanism Kerberos, as SPNEGO names it (the OID 1.2.840.113554.1.2.2).
pub const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

/// An entry of a keytab, with its length.
pub fn keytab_entry(name: &str, realm: &str, etype: u16, key: &[u8], last8: u8, whole: Option<u32>) -> Vec<u8> {
    let counted = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let parts: Vec<&str> = name.split('/').collect();
    let mut entry = (parts.len() as u16).to_be_bytes().to_vec();
    entry.extend(counted(realm.as_bytes()));
    parts.iter().for_each(|part| entry.extend(counted(part.as_bytes())));
    entry.extend([0, 0, 0, 1, 0x65, 0, 0, 0, last8]);
    entry.extend(etype.to_be_bytes());
    entry.extend(counted(key));
    whole.iter().for_each(|whole| entry.extend(whole.to_be_bytes()));
    [&(entry.len() as u32).to_be_bytes()[..], &entry].concat()
}

/// A keytab with the keys of `HTTP/gateway.test`, of every type, and version 4.
pub fn keytab() -> Vec<u8> {
    let entries =
        [17, 18, 19, 20].map(|etype| keytab_entry("HTTP/gateway.test", REALM, etype, &service_key(etype), 4, Some(4)));
    [vec![5, 2], entries.concat()].concat()
}

fn service_key(etype: u16) -> Vec<u8> {
    vec![etype as u8; if etype % 2 == 1 { 16 } else { 32 }]
}

/// All that a client's token is made of.
#[derive(Clone)]
#[allow(missing_docs)]
pub struct Token {
    pub service: (&'static str, &'static str),
    pub service_key: (u16, Vec<u8>),
    pub kvno: Option<u32>,
    pub options: u32,
    pub flags: u32,
    pub session_key: (u16, Vec<u8>),
    pub client: (&'static str, &'static str),
    pub transited: &'static [u8],
    pub starts: Option<Ms>,
    pub ends: Ms,
    pub claimed: (&'static str, &'static str),
    pub at: Ms,
    pub checksum: Option<(u32, Vec<u8>)>,
    pub confounder: [u8; BLOCK],
}

impl Token {
    /// A good one, of `alice@EXAMPLE.TEST`, with the service's key of this type.
    pub fn good(etype: u16) -> Token {
        let alice = ("alice", REALM);
        Token {
            service: ("HTTP/gateway.test", REALM),
            service_key: (etype, service_key(etype)),
            kvno: Some(4),
            options: 0x2000_0000,
            flags: 0,
            session_key: (etype, vec![0x55; service_key(etype).len()]),
            client: alice,
            transited: b"",
            starts: Some(NOW - 3_600_000),
            ends: NOW + 3_600_000,
            claimed: alice,
            at: NOW,
            checksum: Some((0x8003, gss_flags(2 | 8))),
            confounder: [7; BLOCK],
        }
    }

    fn principal(n: u8, (name, realm): (&str, &str)) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = name.split('/').map(|part| element(STRING, part.as_bytes())).collect();
        let name = [field(0, INTEGER, &[1]), field(1, SEQUENCE, &parts.concat())].concat();
        [field(n, STRING, realm.as_bytes()), field(n + 1, SEQUENCE, &name)].concat()
    }

    fn sealed(etype: u16, key: &[u8], kvno: Option<u32>, usage: u32, confounder: [u8; BLOCK], plain: &[u8]) -> Vec<u8> {
        let known = Etype::of(etype.into()).and_then(|etype| Key::new(etype, key));
        let cipher = known.map_or(plain.to_vec(), |key| key.seal(usage, confounder, plain).unwrap());
        let kvno = kvno.map(|kvno| field(1, INTEGER, &integer(kvno))).unwrap_or_default();
        [field(0, INTEGER, &integer(etype.into())), kvno, field(2, OCTET_STRING, &cipher)].concat()
    }

    /// The ticket's content, not yet encrypted.
    fn content(&self) -> Vec<u8> {
        let (etype, key) = &self.session_key;
        let key = [field(0, INTEGER, &integer((*etype).into())), field(1, OCTET_STRING, key)].concat();
        let transited = [field(0, INTEGER, &[1]), field(1, OCTET_STRING, self.transited)].concat();
        let starts = self.starts.map(|starts| field(6, TIME, &time(starts))).unwrap_or_default();
        let fields = [
            field(0, BIT_STRING, &[&[0], &self.flags.to_be_bytes()[..]].concat()),
            field(1, SEQUENCE, &key),
            Token::principal(2, self.client),
            field(4, SEQUENCE, &transited),
            field(5, TIME, &time(NOW - 7_200_000)),
            starts,
            field(7, TIME, &time(self.ends)),
        ];
        element(application(3), &element(SEQUENCE, &fields.concat()))
    }

    fn authenticator(&self) -> Vec<u8> {
        let checksum = self.checksum.as_ref().map(|(number, bytes)| {
            field(3, SEQUENCE, &[field(0, INTEGER, &integer(*number)), field(1, OCTET_STRING, bytes)].concat())
        });
        let microseconds = u32::try_from(self.at.rem_euclid(1000) * 1000).unwrap();
        let fields = [
            field(0, INTEGER, &[5]),
            Token::principal(1, self.claimed),
            checksum.unwrap_or_default(),
            field(4, INTEGER, &integer(microseconds)),
            field(5, TIME, &time(self.at)),
            field(7, INTEGER, &integer(77)),
        ];
        element(application(2), &element(SEQUENCE, &fields.concat()))
    }

    /// The `AP-REQ`.
    pub fn request(&self) -> Vec<u8> {
        let (etype, key) = &self.service_key;
        let content = Token::sealed(*etype, key, self.kvno, TICKET, [8; BLOCK], &self.content());
        let (realm, name) = (self.service.1, self.service.0);
        let ticket =
            [field(0, INTEGER, &[5]), Token::principal(1, (name, realm)), field(3, SEQUENCE, &content)].concat();
        let (etype, key) = &self.session_key;
        let authenticator = Token::sealed(*etype, key, None, AUTHENTICATOR, self.confounder, &self.authenticator());
        let fields = [
            field(0, INTEGER, &[5]),
            field(1, INTEGER, &[14]),
            field(2, BIT_STRING, &[&[0], &self.options.to_be_bytes()[..]].concat()),
            element(context(3), &element(application(1), &element(SEQUENCE, &ticket))),
            field(4, SEQUENCE, &authenticator),
        ];
        element(application(14), &element(SEQUENCE, &fields.concat()))
    }

    /// As the official client sends it.
    pub fn raw(&self) -> Vec<u8> {
        raw(&self.request())
    }

    /// The session's key.
    #[cfg(test)]
    pub(crate) fn key(&self) -> Key {
        Key::new(Etype::of(self.session_key.0.into()).unwrap(), &self.session_key.1).unwrap()
    }
}

/// The checksum with these flags, and no channel bindings.
pub fn gss_flags(flags: u32) -> Vec<u8> {
    [&16_u32.to_le_bytes()[..], &[0; 16], &flags.to_le_bytes()].concat()
}

/// A request in Kerberos' own wrapping.
pub fn raw(request: &[u8]) -> Vec<u8> {
    element(application(0), &[&element(OID, KERBEROS), &[1, 0][..], request].concat())
}

/// A token in SPNEGO's, with the mechanisms that the client offers.
pub fn spnego(mechanisms: &[&[u8]], token: &[u8]) -> Vec<u8> {
    let mechanisms: Vec<Vec<u8>> = mechanisms.iter().map(|oid| element(OID, oid)).collect();
    let fields = [field(0, SEQUENCE, &mechanisms.concat()), field(2, OCTET_STRING, token)].concat();
    element(application(0), &[element(OID, SPNEGO), field(0, SEQUENCE, &fields)].concat())
}

fn time(at: Ms) -> Vec<u8> {
    let at = time::OffsetDateTime::from_unix_timestamp(at.div_euclid(1000)).unwrap();
    let (date, month) = (at.date(), u8::from(at.month()));
    format!("{:04}{month:02}{:02}{:02}{:02}{:02}Z", date.year(), date.day(), at.hour(), at.minute(), at.second())
        .into_bytes()
}
