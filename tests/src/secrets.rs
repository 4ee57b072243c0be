//! Secrets, in every form in which they could be written down.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::{BTreeMap, BTreeSet};

/// Secrets by what they are, each with its forms.
#[derive(Default)]
pub struct Secrets(BTreeMap<String, BTreeSet<String>>);

impl Secrets {
    /// One more to look for.
    pub fn add(&mut self, what: impl Into<String>, secret: &str) {
        self.0.insert(what.into(), forms(secret));
    }

    /// Which of them are in a text.
    pub fn within(&self, text: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(_, forms)| forms.iter().any(|form| text.contains(form)));
        found.map(|(what, _)| what.as_str()).collect()
    }
}

/// As it is; of several lines each, as any one shows some of it, all on one line in several ways; and each of these as base64.
fn forms(secret: &str) -> BTreeSet<String> {
    let secret = secret.trim();
    let lines: Vec<&str> = secret.lines().collect();
    let mut plain = BTreeSet::from([secret.to_owned()]);
    if lines.len() > 1 {
        let body: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with("-----")).collect();
        plain.extend([" ", "|", ""].map(|between| lines.join(between)));
        plain.insert(body.join(""));
        plain.extend(body.into_iter().map(str::to_owned));
    }
    // as text within JSON, and within JSON within JSON
    for _ in 0..2 {
        let quoted: Vec<String> = plain.iter().map(|text| json_text(text)).collect();
        plain.extend(quoted);
    }
    let coded: Vec<String> = plain.iter().flat_map(|text| as_base64(text.as_bytes())).collect();
    plain.extend(coded);
    let shortest = plain.iter().map(String::len).min();
    assert!(shortest >= Some(16), "too short to be told from other text: {shortest:?}");
    plain
}

fn json_text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The characters that a text has within the base64 of a longer one, wherever in it the text begins.
fn as_base64(text: &[u8]) -> Vec<String> {
    let alphabets = [STANDARD_NO_PAD, URL_SAFE_NO_PAD];
    let aligned = |engine: &base64::engine::GeneralPurpose, before: usize| {
        let coded = engine.encode([&vec![0; before], text].concat());
        let end = coded.len() - usize::from(!(before + text.len()).is_multiple_of(3));
        coded[[0, 2, 3][before]..end].to_owned()
    };
    alphabets.iter().flat_map(|engine| (0..3).map(move |before| aligned(engine, before))).collect()
}

#[test]
fn a_secret_is_found_in_whatever_form_it_has() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\nAwEHBG0wawIBAQQgq2\n-----END PRIVATE KEY-----\n";
    let mut secrets = Secrets::default();
    secrets.add("key", pem);
    secrets.add("password", "correct horse battery staple");
    let hides = |text: String| secrets.within(&format!("before {text} after")).to_vec();
    for before in ["", "a", "ab", "abc"] {
        assert_eq!(hides(STANDARD_NO_PAD.encode(format!("{before}:correct horse battery staple!"))), ["password"]);
        assert_eq!(hides(URL_SAFE_NO_PAD.encode(format!("{before}{pem}."))), ["key"]);
    }
    let one_line = pem.replace('\n', "\\n");
    for text in
        [pem.to_owned(), one_line.clone(), serde_json::json!({"a": one_line}).to_string(), pem.replace('\n', "")]
    {
        assert_eq!(hides(text), ["key"]);
    }
    assert_eq!(hides("AwEHBG0wawIBAQQgq2".to_owned()), ["key"], "a line of it");
    assert_eq!(hides("correct horse".to_owned()), [""; 0]);
}
