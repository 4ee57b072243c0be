//! Who a token proves somebody to be: a pure function of the token, the keys and the clock (RFC 4120, 3.2.3; RFC 4121, 4.1).

use crate::Ms;
use crate::crypto::{ANSWER, AUTHENTICATOR, BLOCK, Etype, Key, TICKET};
use crate::keytab::{Entry, Keytab};
use crate::messages::{ApReq, Authenticator, Content, INVALID, Principal, TRANSITED_CHECKED, Ticket, ap_rep};
use crate::token::unwrap;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use std::borrow::Cow;

/// A longer token is not read: Windows makes none longer than 64 KiB (`MaxTokenSize`).
pub(crate) const LONGEST_TOKEN: usize = 64 * 1024;

/// Whose tickets are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The first part of the service's name.
    pub service: String,
    /// Realms, beside the keytab's own, whose users may come in.
    pub realms: Vec<String>,
    /// So far may clocks be apart, in milliseconds.
    pub skew: Ms,
}

/// What makes an answer one of a kind.
pub struct Random {
    /// Begins what is encrypted.
    pub(crate) confounder: [u8; BLOCK],
    /// The number of the first message that we would send.
    pub(crate) sequence: u32,
}

impl Random {
    /// Drawn from the operating system; none when it has none to give.
    pub fn draw() -> Option<Random> {
        let (mut confounder, mut sequence) = ([0; BLOCK], [0; 4]);
        rand::fill(&mut confounder).and_then(|()| rand::fill(&mut sequence)).ok()?;
        Some(Random { confounder, sequence: u32::from_be_bytes(sequence) })
    }
}

/// Somebody who may come in, if the token was not used before.
#[derive(Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Who it is: `alice`, or `nfs/host`; of another realm than the service's `alice@OTHER`, so that nobody there can be anybody here.
    pub user: String,
    /// The same with the realm, as it is shown.
    pub client: Principal,
    /// What may be used once: a digest of the authenticator.
    pub once: String,
    /// It is too old after that.
    pub until: Ms,
    /// The token that answers it.
    pub answer: Option<Vec<u8>>,
}

/// Why nobody is let in: for the log, not for the caller.
pub type Why = Cow<'static, str>;

/// Reads and checks all that there is to check but whether it was used before.
pub fn accept(token: &[u8], keys: &Keytab, policy: &Policy, now: Ms, random: &Random) -> Result<Accepted, Why> {
    if token.len() > LONGEST_TOKEN {
        return Err(format!("the token has {} bytes, and at most {LONGEST_TOKEN} are read", token.len()).into());
    }
    let (wrapping, request) = unwrap(token)?;
    let request = ApReq::parse(request).ok_or("the request for entrance (AP-REQ) is malformed")?;
    if request.user_to_user {
        return Err("the ticket is for another session, not for a service".into());
    }
    let (content, service) = open_ticket(&request.ticket, keys, policy)?;
    check_ticket(&content, &service.principal, policy, now)?;
    let key = content.key.as_ref().map_err(|etype| unknown("session's key", *etype))?;

    let sealed = &request.authenticator;
    let opened = match sealed.etype == key.etype().number() {
        true => key.open(AUTHENTICATOR, sealed.cipher),
        false => None,
    };
    let opened = opened.ok_or("the authenticator is not encrypted with the ticket's key")?;
    let authenticator = Authenticator::parse(&opened).ok_or("the authenticator is malformed")?;
    let flags = check_authenticator(&authenticator, &content.client, policy, now)?;

    let answer = match flags & MUTUAL != 0 {
        true => Some(answer(&authenticator, key, random).ok_or("the answer could not be encrypted")?),
        false => None,
    };
    Ok(Accepted {
        user: user(&content.client, &service.principal.realm)?,
        client: content.client,
        once: digest(&SHA256, sealed.cipher).as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        // the clocks of replicas are not quite one
        until: authenticator.at.saturating_add(2 * policy.skew),
        answer: wrapping.answer(answer.as_deref()),
    })
}

/// The key decides whose ticket it is; the name that is written on it only says which key to take.
fn open_ticket<'a>(ticket: &Ticket<'_>, keys: &'a Keytab, policy: &Policy) -> Result<(Content, &'a Entry), Why> {
    let named = &ticket.service;
    let is = |principal: &Principal| {
        let pairs = principal.parts.iter().zip(&named.parts);
        // Windows hands out tickets for a name in any case
        principal.realm == named.realm
            && principal.parts.len() == named.parts.len()
            && pairs.into_iter().all(|(a, b)| a.eq_ignore_ascii_case(b))
    };
    if !named.parts.first().is_some_and(|first| first.eq_ignore_ascii_case(&policy.service)) {
        return Err(format!("the ticket is for `{named}`, and the service is `{}`", policy.service).into());
    }
    let own: Vec<&Entry> = keys.entries.iter().filter(|entry| is(&entry.principal)).collect();
    if own.is_empty() {
        return Err(format!("the ticket is for `{named}`, which is not in the keytab").into());
    }
    let etype = Etype::of(ticket.content.etype).ok_or_else(|| unknown("ticket", ticket.content.etype))?;
    let own: Vec<&Entry> = own.into_iter().filter(|entry| entry.key.etype() == etype).collect();
    if own.is_empty() {
        return Err(
            format!("no key of `{named}` in the keytab has the ticket's encryption type {}", etype.number()).into()
        );
    }
    let mut fitting = own.into_iter().filter(|entry| entry.kvno.fits(ticket.content.kvno)).peekable();
    if fitting.peek().is_none() {
        let kvno = ticket.content.kvno.unwrap_or_default();
        return Err(format!("no key of `{named}` in the keytab has the ticket's version (kvno) {kvno}").into());
    }
    let (opened, entry) = fitting
        .find_map(|entry| Some((entry.key.open(TICKET, ticket.content.cipher)?, entry)))
        .ok_or_else(|| format!("the ticket for `{named}` is not encrypted with the keytab's key of that version"))?;
    let content = Content::parse(&opened).ok_or("what the ticket holds is malformed")?;
    Ok((content, entry))
}

fn check_ticket(content: &Content, service: &Principal, policy: &Policy, now: Ms) -> Result<(), Why> {
    let Content { flags, client, by_way_of_others, starts, ends, .. } = content;
    if flags & INVALID != 0 {
        return Err(format!("the ticket of `{client}` is postdated, and was not made good").into());
    }
    if starts.saturating_sub(policy.skew) > now {
        return Err(
            format!("the ticket of `{client}` is good only in {} s", seconds(starts.saturating_sub(now))).into()
        );
    }
    if ends.saturating_add(policy.skew) < now {
        return Err(format!("the ticket of `{client}` expired {} s ago", seconds(now.saturating_sub(*ends))).into());
    }
    if client.realm == service.realm {
        return Ok(());
    }
    if !policy.realms.contains(&client.realm) {
        return Err(
            format!("`{client}` is of another realm than `{}`, and `realms` does not name it", service.realm).into()
        );
    }
    if *by_way_of_others && flags & TRANSITED_CHECKED == 0 {
        return Err(format!("`{client}` came by way of other realms, which the KDC did not check").into());
    }
    Ok(())
}

/// The client wants to know that it speaks with the service (RFC 4121, 4.1.1.1).
const MUTUAL: u32 = 2;
/// A third token is to follow ([MS-KILE], 3.4.5.1), for which HTTP has no room.
const DCE_STYLE: u32 = 0x1000;

/// The checksum's type that says it is GSS-API's flags (RFC 4121, 4.1.1).
const GSS_FLAGS: i64 = 0x8003;

/// What the client asks for.
fn check_authenticator(of: &Authenticator<'_>, client: &Principal, policy: &Policy, now: Ms) -> Result<u32, Why> {
    if of.client != *client {
        return Err(format!("the ticket is of `{client}`, and the authenticator of `{}`", of.client).into());
    }
    let apart = now.saturating_sub(of.at);
    if apart.saturating_abs() > policy.skew {
        let (by, direction) = (seconds(apart.saturating_abs()), if apart > 0 { "behind" } else { "ahead" });
        let most = policy.skew / 1000;
        return Err(format!("the authenticator of `{client}` is {by} s {direction}, and {most} s are allowed: it is old, or a clock is wrong").into());
    }
    // a length of 16; the digest of channel bindings, which cannot be checked where TLS ends elsewhere; the flags; what is delegated
    let flags = match of.checksum {
        Some((GSS_FLAGS, [16, 0, 0, 0, rest @ ..])) => rest.get(16..20).and_then(|flags| flags.try_into().ok()),
        _ => None,
    };
    let flags = u32::from_le_bytes(flags.ok_or("the authenticator has not the checksum of GSS-API")?);
    if flags & DCE_STYLE != 0 {
        return Err("the client wants a third message (DCE style)".into());
    }
    Ok(flags)
}

fn answer(authenticator: &Authenticator<'_>, key: &Key, random: &Random) -> Option<Vec<u8>> {
    // below 2^30: old clients take larger numbers for negative ones
    let plain = authenticator.answer(random.sequence & 0x3fff_ffff);
    Some(ap_rep(key.etype(), &key.seal(ANSWER, random.confounder, &plain)?))
}

fn user(client: &Principal, own_realm: &str) -> Result<String, Why> {
    let parts = &client.parts;
    if parts.first().is_none_or(|first| first == "WELLKNOWN") {
        return Err(format!("`{client}` is nobody").into());
    }
    if parts.iter().any(|part| part.contains(['/', '@'])) {
        return Err(format!("the name `{client}` could be taken for another's").into());
    }
    let mut name = parts.join("/");
    if client.realm != own_realm {
        name = format!("{name}@{}", client.realm);
    }
    Ok(name)
}

fn unknown(what: &str, etype: i64) -> Why {
    format!("the {what} has the encryption type {etype}, and only 17 to 20 (AES) are accepted").into()
}

/// Rounded up, so that nothing is 0 s too late.
fn seconds(ms: Ms) -> Ms {
    ms.saturating_add(999) / 1000
}
