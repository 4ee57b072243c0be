//! Tags of tasks: what cost reports are made by.
//!
//! A tag's value holds letters, digits, spaces and `+ - = . _ : / @`, 256 characters at most, and does not begin with `aws:`
//! (Amazon ECS API reference, "Tag"). What it may not hold is written `=XX`, the byte in hexadecimal, and so is `=` itself:
//! quoted-printable, which any language can read back. A value that is still too long ends in `=..`, and has lost its rest.

use crate::Settings;
use faregate_core::model::{Launch, TaskRole};

/// The most characters of a value.
const LONGEST: usize = 256;
/// Marks a value that was cut: no escape looks like it.
const CUT: &str = "=..";

/// The tags of a launch's tasks.
pub(crate) fn tags(settings: &Settings, launch: &Launch) -> Vec<(&'static str, String)> {
    let spec = &launch.spec;
    let groups: Vec<String> = spec.groups.iter().map(|group| escape(group).replace(' ', "=20")).collect();
    let mut tags = vec![
        ("faregate:stack", value(&escape(&settings.stack))),
        ("faregate:cluster", launch.cluster.to_string()),
        ("faregate:role", role(spec.role).to_owned()),
        ("faregate:user", value(&escape(&spec.user))),
        ("faregate:groups", value(&groups.join(" "))),
    ];
    tags.retain(|(_, value)| !value.is_empty());
    tags
}

/// As it stands in a task's group and tags.
pub(crate) fn role(role: TaskRole) -> &'static str {
    match role {
        TaskRole::Scheduler => "scheduler",
        TaskRole::Worker => "worker",
    }
}

fn escape(text: &str) -> String {
    let reserved = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    let ends = text.len().saturating_sub(1);
    let one = |(at, byte): (usize, u8)| match byte {
        _ if reserved && at == 0 => format!("={byte:02X}"),
        b' ' if at != 0 && at != ends => " ".to_owned(),
        b'+' | b'-' | b'.' | b'_' | b':' | b'/' | b'@' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("={byte:02X}"),
    };
    text.bytes().enumerate().map(one).collect()
}

/// At most as long as a value may be; escapes stay whole.
fn value(escaped: &str) -> String {
    if escaped.len() <= LONGEST {
        return escaped.to_owned();
    }
    let mut end = LONGEST - CUT.len();
    if let Some(escape) = escaped[..end].rfind('=').filter(|at| end - at < 3) {
        end = escape;
    }
    format!("{}{CUT}", &escaped[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(escaped: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = escaped;
        while let Some(at) = rest.find('=') {
            bytes.extend(rest[..at].bytes());
            bytes.push(u8::from_str_radix(&rest[at + 1..at + 3], 16).unwrap());
            rest = &rest[at + 3..];
        }
        bytes.extend(rest.bytes());
        bytes
    }

    #[test]
    fn names_are_readable_as_far_as_aws_allows() {
        assert_eq!(escape("alice@example.org"), "alice@example.org");
        assert_eq!(escape("Data Science"), "Data Science");
        assert_eq!(escape("zoë;=*"), "zo=C3=AB=3B=3D=2A");
        assert_eq!(escape("AWS:me"), "=41WS:me");
        assert_eq!(escape(" x "), "=20x=20");
        assert_eq!(value(&"é".repeat(10)), "é".repeat(10));
        let long = value(&escape(&"é".repeat(100)));
        assert!(long.ends_with("=A9=..") || long.ends_with("=C3=.."), "{long}");
        assert!(long.len() <= 256);
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_allowed_and_can_be_read_back(text in "\\PC*") {
            let escaped = escape(&text);
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b" +-=._:/@".contains(&b);
            prop_assert!(escaped.bytes().all(allowed), "{}", escaped);
            prop_assert_eq!(decode(&escaped), text.as_bytes());
        }

        #[test]
        fn a_value_is_never_too_long(text in "\\PC{200,400}") {
            let value = value(&escape(&text));
            prop_assert!(value.len() <= LONGEST);
            let whole = value.strip_suffix(CUT).unwrap_or(&value);
            prop_assert!(text.as_bytes().starts_with(&decode(whole)));
        }
    }
}
