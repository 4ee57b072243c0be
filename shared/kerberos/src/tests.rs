use crate::accept::{Accepted, Policy, Random, accept};
use crate::builder::{KERBEROS, NOW, REALM, Token, gss_flags, keytab, keytab_entry, raw, spnego};
use crate::crypto::{ANSWER, BLOCK};
use crate::der::{INTEGER, OCTET_STRING, Reader, SEQUENCE, TIME, application};
use crate::keytab::{Keytab, KeytabError};
use proptest::prelude::*;

const TYPES: [u16; 4] = [17, 18, 19, 20];

fn try_with(token: &[u8], policy: &Policy) -> Result<Accepted, String> {
    let random = Random { confounder: [1; BLOCK], sequence: 0xffff_ffff };
    accept(token, &Keytab::parse(&keytab()).unwrap(), policy, NOW, &random).map_err(|why| why.into_owned())
}

fn policy() -> Policy {
    Policy { service: "HTTP".into(), realms: Vec::new(), skew: 300_000 }
}

fn entered(token: &Token) -> Result<Accepted, String> {
    try_with(&token.raw(), &policy())
}

fn why(change: impl FnOnce(&mut Token)) -> String {
    let mut token = Token::good(18);
    change(&mut token);
    entered(&token).unwrap_err()
}

fn user(change: impl FnOnce(&mut Token)) -> Result<String, String> {
    let mut token = Token::good(18);
    change(&mut token);
    entered(&token).map(|accepted| accepted.user)
}

#[test]
fn a_good_ticket_of_every_type_lets_its_user_in_and_is_answered() {
    for etype in TYPES {
        let token = Token::good(etype);
        let accepted = entered(&token).unwrap();
        assert_eq!((accepted.user.as_str(), accepted.until), ("alice", NOW + 600_000));
        assert_eq!(accepted.once.len(), 64);
        // what a client checks of the answer (RFC 4120, 3.2.5): its own time, encrypted with the session's key
        let answer = accepted.answer.unwrap();
        let at = answer.windows(2).position(|two| two == [2, 0]).unwrap() + 2;
        let mut reply = Reader::new(&answer[at..]).take(application(15)).unwrap().take(SEQUENCE).unwrap();
        assert_eq!((reply.number(0), reply.number(1)), (Some(5), Some(15)));
        let mut sealed = reply.field(2, SEQUENCE).unwrap();
        assert_eq!(sealed.number(0), Some(i64::from(etype)));
        let plain = token.key().open(ANSWER, sealed.field(2, OCTET_STRING).unwrap().rest()).unwrap();
        let mut plain = Reader::new(&plain).take(application(27)).unwrap().take(SEQUENCE).unwrap();
        assert_eq!(plain.field(0, TIME).unwrap().text(), Some("20270115080000Z"));
        assert_eq!(plain.field(1, INTEGER).unwrap().integer(), Some(0));
        assert_eq!(plain.number(3), Some(0x3fff_ffff));
    }
}

#[test]
fn in_spnego_it_is_the_same() {
    let request = Token::good(17).raw();
    let accepted = try_with(&spnego(&[KERBEROS], &request), &policy()).unwrap();
    assert_eq!(accepted.once, try_with(&request, &policy()).unwrap().once, "and no way round the ban on replays");
    assert_eq!(accepted.answer.unwrap()[0], 0xa1);
}

#[test]
fn a_client_that_wants_no_answer_gets_none() {
    let mut token = Token::good(18);
    token.checksum = Some((0x8003, gss_flags(8)));
    assert_eq!(entered(&token).unwrap().answer, None);
    let spnego = try_with(&spnego(&[KERBEROS], &token.raw()), &policy()).unwrap();
    assert!(spnego.answer.is_some(), "SPNEGO's own");
}

#[test]
fn channel_bindings_and_what_is_delegated_are_let_pass() {
    let mut bound = gss_flags(2);
    bound[4..20].fill(9);
    bound.extend(b"\x01\x00\x04\x00cred");
    assert!(user(|token| token.checksum = Some((0x8003, bound))).is_ok());
}

#[test]
fn names_are_told_apart() {
    assert_eq!(user(|t| [t.client, t.claimed] = [("nfs/host", REALM); 2]).unwrap(), "nfs/host");
    assert_eq!(
        user(|t| [t.client, t.claimed] = [("andre\u{301}", REALM); 2]).unwrap(),
        "andre\u{301}",
        "as it stands there"
    );
    let nobody = why(|t| [t.client, t.claimed] = [("WELLKNOWN/ANONYMOUS", REALM); 2]);
    assert_eq!(nobody, "`WELLKNOWN/ANONYMOUS@EXAMPLE.TEST` is nobody");
    let other = why(|t| [t.client, t.claimed] = [("alice@OTHER.TEST", REALM); 2]);
    assert!(other.ends_with("could be taken for another's"), "{other}");
}

#[test]
fn the_service_has_no_case() {
    assert!(user(|token| token.service = ("http/GATEWAY.test", REALM)).is_ok());
}

#[test]
fn other_realms_come_in_only_when_named() {
    let mut token = Token::good(18);
    [token.client, token.claimed] = [("alice", "OTHER.TEST"); 2];
    let refused = entered(&token).unwrap_err();
    assert_eq!(refused, "`alice@OTHER.TEST` is of another realm than `EXAMPLE.TEST`, and `realms` does not name it");
    let named = Policy { realms: vec!["OTHER.TEST".into()], ..policy() };
    assert_eq!(try_with(&token.raw(), &named).unwrap().user, "alice@OTHER.TEST");
    token.transited = b"BETWEEN.TEST";
    assert!(try_with(&token.raw(), &named).unwrap_err().contains("by way of other realms"));
    token.flags = 1 << 19;
    assert!(try_with(&token.raw(), &named).is_ok(), "the KDC has checked them");
}

#[test]
fn times_are_good_within_the_skew() {
    for (starts, ends, at) in [(Some(300), 600, 0), (Some(-600), -300, 0), (None, 600, 300), (None, 600, -300)] {
        let good = user(|token| {
            token.starts = starts.map(|s| NOW + s * 1000);
            (token.ends, token.at) = (NOW + ends * 1000, NOW + at * 1000);
        });
        assert_eq!(good.as_deref(), Ok("alice"), "{starts:?} {ends} {at}");
    }
    assert_eq!(why(|t| t.ends = NOW - 303_000), "the ticket of `alice@EXAMPLE.TEST` expired 303 s ago");
    assert_eq!(why(|t| t.starts = Some(NOW + 301_000)), "the ticket of `alice@EXAMPLE.TEST` is good only in 301 s");
    assert_eq!(
        why(|token| token.at = NOW - 301_000),
        "the authenticator of `alice@EXAMPLE.TEST` is 301 s behind, and 300 s are allowed: it is old, or a clock is wrong"
    );
    assert!(why(|token| token.at = NOW + 300_500).contains("301 s ahead"));
}

#[test]
fn whatever_is_wrong_is_denied_and_said() {
    let cases: Vec<(String, &str)> = vec![
        (why(|t| t.kvno = Some(5)), "version (kvno) 5"),
        (why(|t| t.service_key.1[0] ^= 1), "is not encrypted with the keytab's key"),
        (why(|t| t.service_key = (23, vec![1; 16])), "the ticket has the encryption type 23"),
        (why(|t| t.service = ("HTTP/other.test", REALM)), "`HTTP/other.test@EXAMPLE.TEST`, which is not in the keytab"),
        (why(|t| t.service = ("HTTP/gateway.test", "OTHER.TEST")), "which is not in the keytab"),
        (why(|t| t.service = ("ldap/gateway.test", REALM)), "and the service is `HTTP`"),
        (why(|t| t.service = ("", REALM)), "and the service is `HTTP`"),
        (why(|t| t.options |= 0x4000_0000), "for another session"),
        (why(|t| t.flags = 1 << 24), "is postdated"),
        (why(|t| t.session_key = (23, vec![1; 16])), "the session's key has the encryption type 23"),
        (why(|t| t.session_key.1 = vec![1; 16]), "what the ticket holds is malformed"),
        (why(|t| t.claimed = ("bob", REALM)), "and the authenticator of `bob@EXAMPLE.TEST`"),
        (why(|t| t.claimed = ("alice", "OTHER.TEST")), "and the authenticator of `alice@OTHER.TEST`"),
        (why(|t| t.checksum = None), "has not the checksum of GSS-API"),
        (why(|t| t.checksum = Some((16, gss_flags(2)))), "has not the checksum of GSS-API"),
        (why(|t| t.checksum = Some((0x8003, gss_flags(2)[..23].to_vec()))), "has not the checksum of GSS-API"),
        (why(|t| t.checksum = Some((0x8003, gss_flags(0x1002)))), "a third message"),
        (try_with(&vec![0x60; 65_537], &policy()).unwrap_err(), "has 65537 bytes"),
        (try_with(b"", &policy()).unwrap_err(), "no GSS-API token"),
        (try_with(&raw(b""), &policy()).unwrap_err(), "(AP-REQ) is malformed"),
    ];
    for (said, expected) in cases {
        assert!(said.contains(expected), "{said} / {expected}");
    }
}

/// The ticket of one with the authenticator of another, who has a session key of their own.
#[test]
fn a_stolen_ticket_is_worth_nothing_without_its_key() {
    let mut stolen = Token::good(18);
    let ticket = stolen.request();
    stolen.session_key.1 = vec![0x66; 32];
    let own = stolen.request();
    // both have the same lengths: all up to the authenticator's bytes is the stolen one's
    let at = ticket.len() - 60;
    let mixed = [&ticket[..at], &own[at..]].concat();
    assert_eq!(
        try_with(&raw(&mixed), &policy()).unwrap_err(),
        "the authenticator is not encrypted with the ticket's key"
    );
}

proptest! {
    /// One byte of a good token is another: nobody comes in as somebody else, and nothing panics.
    #[test]
    fn a_changed_token_lets_in_its_user_or_nobody(at in 0..2000_usize, byte: u8, cut in 0..2000_usize, wrapped: bool) {
        let token = Token::good(20).raw();
        let mut token = if wrapped { spnego(&[KERBEROS], &token) } else { token };
        let length = token.len();
        token[at % length] = byte;
        match try_with(&token, &policy()) {
            Ok(accepted) => assert_eq!(accepted.user, "alice"),
            Err(why) => assert!(!why.is_empty()),
        }
        assert!(try_with(&token[..cut % length], &policy()).is_err());
    }

    /// What a KDC encrypts is read with the same care as what anybody sends.
    #[test]
    fn garbage_inside_what_is_encrypted_does_not_panic(garbage: Vec<u8>, at in 0..300_usize, byte: u8) {
        use crate::messages::{ApReq, Authenticator, Content};
        let mut request = Token::good(18).request();
        let length = request.len();
        request[at % length] = byte;
        for bytes in [&request, &garbage] {
            for first in [0x60 | 14, 0x60 | 3, 0x60 | 2] {
                let mut bytes = bytes.clone();
                if let Some(tag) = bytes.first_mut() {
                    *tag = first;
                }
                let _ = (ApReq::parse(&bytes).is_some(), Content::parse(&bytes).is_some());
                let _ = Authenticator::parse(&bytes).is_some();
            }
        }
        let _ = try_with(&raw(&garbage), &policy());
        let _ = try_with(&garbage, &policy());
    }
}

#[test]
fn of_a_keytab_the_keys_of_the_service_are_kept() {
    let kept = |bytes: &[u8], service| Keytab::of_service(bytes, service).map(|keytab| keytab.entries.len());
    assert_eq!(kept(&keytab(), "http"), Ok(4));
    assert_eq!(kept(b"x", "HTTP"), Err(KeytabError::Version));
    assert_eq!(kept(&keytab(), "host"), Err(KeytabError::NoKey { others: 4, unusable: 0 }));
    let old = [vec![5, 2], keytab_entry("HTTP/a", REALM, 23, &[1; 16], 1, None)].concat();
    assert_eq!(kept(&old, "HTTP"), Err(KeytabError::NoKey { others: 0, unusable: 1 }));
}
