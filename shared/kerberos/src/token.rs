//! What tokens are wrapped in: the official client sends Kerberos' own (RFC 4121, 4.1), browsers and curl send SPNEGO's (RFC 4178).
//! Each is answered in kind.

use crate::der::{ENUMERATED, OCTET_STRING, OID, Reader, SEQUENCE, application, context, element, field};

/// 1.2.840.113554.1.2.2, Kerberos.
const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// 1.2.840.48018.1.2.2, what Windows has called it since a number too large for it was cut off: it offers it first, and means Kerberos
/// ([MS-SPNG], 3.1.5.2).
const KERBEROS_OF_WINDOWS: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
/// 1.3.6.1.5.5.2, SPNEGO.
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

/// Begins what is in Kerberos' wrapping (RFC 4121, 4.1): a request …
const AP_REQ: [u8; 2] = [1, 0];
/// … and its answer.
const AP_REP: [u8; 2] = [2, 0];

/// What an answer is to be wrapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapping<'a> {
    /// Kerberos' own.
    Raw,
    /// SPNEGO's, with the name that the client has for Kerberos.
    Spnego {
        /// An OID.
        mechanism: &'a [u8],
    },
}

/// The `AP-REQ` in a client's first token, or what else the token is.
pub(crate) fn unwrap(token: &[u8]) -> Result<(Wrapping<'_>, &[u8]), &'static str> {
    let (mechanism, inner) = opened(token)?;
    if mechanism != SPNEGO {
        return Ok((Wrapping::Raw, request(mechanism, inner)?));
    }
    let (mechanism, token) = negotiated(inner).ok_or("the SPNEGO token is malformed")?;
    if ![KERBEROS, KERBEROS_OF_WINDOWS].contains(&mechanism) {
        return Err("the client would rather not use Kerberos");
    }
    let (inner_mechanism, inner) = opened(token.ok_or("the SPNEGO token has no Kerberos token in it")?)?;
    Ok((Wrapping::Spnego { mechanism }, request(inner_mechanism, inner)?))
}

/// The mechanism of a first token (RFC 2743, 3.1), and what is inside.
fn opened(token: &[u8]) -> Result<(&[u8], Reader<'_>), &'static str> {
    const MALFORMED: &str = "the token is no GSS-API token";
    if token.starts_with(b"NTLMSSP\0") {
        return Err("the token is NTLM's, not Kerberos'");
    }
    let mut inner = Reader::new(token).take(application(0)).ok_or(MALFORMED)?;
    Ok((inner.take(OID).ok_or(MALFORMED)?.rest(), inner))
}

fn request<'a>(mechanism: &[u8], inner: Reader<'a>) -> Result<&'a [u8], &'static str> {
    if mechanism != KERBEROS {
        return Err("the token is not Kerberos'");
    }
    inner.rest().strip_prefix(&AP_REQ).ok_or("the Kerberos token is no request for entrance (AP-REQ)")
}

/// The mechanism that the client likes best, and its token for that (`NegTokenInit`, RFC 4178, 4.2.1).
fn negotiated(mut inner: Reader<'_>) -> Option<(&[u8], Option<&[u8]>)> {
    let mut fields = inner.field(0, SEQUENCE)?;
    let mechanism = fields.field(0, SEQUENCE)?.take(OID)?.rest();
    let _flags = fields.maybe(context(1));
    let token = fields.optional(2, OCTET_STRING)?;
    Some((mechanism, token.map(Reader::rest)))
}

impl Wrapping<'_> {
    /// The token that answers: with an `AP-REP` where the client wanted one.
    ///
    /// SPNEGO's needs no `mechListMIC`: what was chosen is what the client likes best, and we like nothing better (RFC 4178, 5).
    pub(crate) fn answer(self, ap_rep: Option<&[u8]>) -> Option<Vec<u8>> {
        let raw = ap_rep.map(|ap_rep| {
            let inner = [&element(OID, KERBEROS), &AP_REP[..], ap_rep].concat();
            element(application(0), &inner)
        });
        match self {
            Wrapping::Raw => raw,
            Wrapping::Spnego { mechanism } => {
                const ACCEPT_COMPLETED: &[u8] = &[0];
                let mut fields = [field(0, ENUMERATED, ACCEPT_COMPLETED), field(1, OID, mechanism)].concat();
                if let Some(raw) = raw {
                    fields.extend(field(2, OCTET_STRING, &raw));
                }
                Some(field(1, SEQUENCE, &fields))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{raw, spnego};

    #[test]
    fn both_wrappings_are_read_and_answered_in_kind() {
        let (wrapping, request) = unwrap(&raw(b"request")).map(|(w, r)| (w == Wrapping::Raw, r.to_vec())).unwrap();
        assert!(wrapping && request == b"request");
        let answer = Wrapping::Raw.answer(Some(b"reply")).unwrap();
        assert_eq!(answer[..2], [0x60, 18]);
        assert!(answer.ends_with(b"\x02\x00reply"));
        assert_eq!(Wrapping::Raw.answer(None), None);
        for mechanism in [KERBEROS, KERBEROS_OF_WINDOWS] {
            let token = spnego(&[mechanism, b"ntlm"], &raw(b"request"));
            let (wrapping, request) = unwrap(&token).unwrap();
            assert_eq!((wrapping, request), (Wrapping::Spnego { mechanism }, &b"request"[..]));
            let answer = wrapping.answer(Some(b"reply")).unwrap();
            assert_eq!(answer[0], 0xa1);
            assert!(answer.windows(mechanism.len()).any(|window| window == mechanism) && answer.ends_with(b"reply"));
            assert!(wrapping.answer(None).unwrap().len() < answer.len());
        }
    }

    #[test]
    fn what_is_something_else_is_named() {
        let why = |token: &[u8]| unwrap(token).unwrap_err();
        assert_eq!(why(b"NTLMSSP\0\x01\0\0\0"), "the token is NTLM's, not Kerberos'");
        assert_eq!(why(&spnego(&[b"ntlm", KERBEROS], b"NTLMSSP\0")), "the client would rather not use Kerberos");
        assert_eq!(why(&spnego(&[KERBEROS], b"NTLMSSP\0")), "the token is NTLM's, not Kerberos'");
        let nested = spnego(&[KERBEROS], &spnego(&[KERBEROS], &raw(b"")));
        assert_eq!(why(&nested), "the token is not Kerberos'");
        assert_eq!(why(&element(application(0), &element(OID, b"x"))), "the token is not Kerberos'");
        let answer = Wrapping::Raw.answer(Some(b"reply")).unwrap();
        assert_eq!(why(&answer), "the Kerberos token is no request for entrance (AP-REQ)");
        assert_eq!(why(b""), "the token is no GSS-API token");
    }
}
