//! What may be answered, and what a refusal must say.

use super::People;
use crate::api::Answer;

/// What a request asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Create,
    Scale,
    Delete,
}

/// What it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Got {
    Created,
    /// A limit is reached.
    Refused,
    Scaled,
    /// To fewer than were asked for, as a limit says.
    Clamped,
    /// The cluster does not run, or its scheduler was not quick enough.
    NotRunning,
    Deleted,
    /// Others were always faster.
    TryAgain,
}

/// Reads an answer; panics at one that must not be.
pub fn read(people: &People, user: &str, asked: Asked, answer: &Answer) -> Got {
    let wrong =
        || panic!("{asked:?} of {user} was answered {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    match (asked, answer.status.as_u16()) {
        (Asked::Create, 201) => Got::Created,
        (Asked::Create, 422) if names_a_limit(people, user, &answer.error()) => Got::Refused,
        (Asked::Create | Asked::Delete, 409) if answer.error().contains("try again") => Got::TryAgain,
        (Asked::Scale, 200) => match answer.json()["msg"].as_str() {
            None => Got::Scaled,
            Some(warning) if names_a_limit(people, user, warning) => Got::Clamped,
            Some(_) => wrong(),
        },
        (Asked::Scale, 404 | 409) if !answer.error().is_empty() => Got::NotRunning,
        (Asked::Delete, 204) => Got::Deleted,
        _ => wrong(),
    }
}

/// A limit, its value, and whose it is.
fn names_a_limit(people: &People, user: &str, sentence: &str) -> bool {
    people.names(user).iter().any(|name| sentence.contains(name))
}
