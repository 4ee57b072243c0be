//! JSON as the official client sends it: Python writes `NaN` and `Infinity`, which JSON has no words for.

use serde_json::Value;

/// Starts a text that stands for a number JSON cannot hold; no user's text starts so, as it is no printable character.
const MARK: char = '\u{1}';

/// Parses JSON. `NaN`, `Infinity` and `-Infinity` are let through as marked texts, so that they are refused where they stand, by
/// the name of their field (`not_finite`). Nested deeper than 128 is an error (serde_json's own limit).
pub fn parse_json(bytes: &[u8]) -> serde_json::Result<Value> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) => match std::str::from_utf8(bytes).ok().and_then(marked) {
            Some(text) => serde_json::from_str(&text),
            None => Err(error),
        },
    }
}

/// `NaN` and its kin, if the text stands for one.
pub(super) fn not_finite(text: &str) -> Option<&str> {
    text.strip_prefix(MARK)
}

/// The text with its bare `NaN`s quoted and marked; none when there are none.
fn marked(text: &str) -> Option<String> {
    let (mut out, mut rest, mut found) = (String::with_capacity(text.len()), text, false);
    while let Some(next) = rest.chars().next() {
        if next == '"' {
            let end = string_end(rest);
            out.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some(word) = ["NaN", "Infinity", "-Infinity"].into_iter().find(|w| rest.starts_with(w)) {
            out.push_str(&format!("\"\\u0001{word}\""));
            rest = &rest[word.len()..];
            found = true;
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    found.then_some(out)
}

/// Where the string literal at the start of `text` ends.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bare_words_are_marked() {
        let value = parse_json(br#"{"a": -Infinity, "b": "NaN \" NaN", "c": [NaN]}"#).unwrap();
        assert_eq!(not_finite(value["a"].as_str().unwrap()), Some("-Infinity"));
        assert_eq!(value["b"], "NaN \" NaN");
        assert_eq!(not_finite(value["c"][0].as_str().unwrap()), Some("NaN"));
    }

    #[test]
    fn what_is_no_json_stays_an_error() {
        for text in ["", "{", "NaN,", "{\"a\": NaNa}", "\"", &"[".repeat(1000)] {
            assert!(parse_json(text.as_bytes()).is_err(), "{text}");
        }
    }
}
