//! Links of the guides, and of the other documents at the root, lead somewhere.

use crate::documents::{Guide, guide, guides, root};
use std::collections::BTreeSet;

/// Targets of `[…](…)` that are within the repository: a path from the document, and the anchor behind it.
fn links(text: &str) -> Vec<(String, Option<String>)> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let here = targets.filter(|target| !target.contains("://"));
    here.map(|target| match target.split_once('#') {
        Some((path, anchor)) => (path.to_owned(), Some(anchor.to_owned())),
        None => (target.to_owned(), None),
    })
    .collect()
}

/// The anchors of a document's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.starts_with("```");
        !fenced && line.starts_with('#')
    });
    let words = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
    words.map(|words| words.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()).collect()
}

fn broken(document: &Guide) -> Vec<String> {
    let directory = root().join(&document.path).parent().unwrap().to_owned();
    let is_broken = |(path, anchor): &(String, Option<String>)| {
        let file = if path.is_empty() { root().join(&document.path) } else { directory.join(path) };
        let Some(anchor) = anchor else { return !file.exists() };
        !std::fs::read_to_string(file).is_ok_and(|text| anchors(&text).contains(anchor))
    };
    let broken = links(&document.text).into_iter().filter(is_broken);
    broken.map(|(path, anchor)| format!("{}: {path}#{}", document.path, anchor.unwrap_or_default())).collect()
}

#[test]
fn links_lead_somewhere() {
    let read = |path: &str| Guide { path: path.to_owned(), text: std::fs::read_to_string(root().join(path)).unwrap() };
    let others = ["ARCHITECTURE.md", "CHANGELOG.md", "tests/full/README.md"].map(read);
    let broken: Vec<String> = guides().iter().chain(&others).flat_map(broken).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_readme_names_every_guide() {
    let named: BTreeSet<String> = links(&guide("README.md").text).into_iter().map(|(path, _)| path).collect();
    let missing: Vec<String> = guides()
        .into_iter()
        .map(|guide| guide.path)
        .filter(|path| path != "README.md" && !named.contains(path))
        .collect();
    assert!(missing.is_empty(), "not in the README: {}", missing.join(", "));
}

#[test]
fn the_readme_has_at_most_200_lines() {
    assert!(guide("README.md").text.lines().count() <= 200);
}

#[test]
fn anchors_are_those_of_github() {
    let text =
        "# Passwords of one's own\n```\n# no heading\n```\n## OIDC and other JWTs\n[a](#b) [c](d.md#e) [f](https://g)";
    assert_eq!(anchors(text), BTreeSet::from(["passwords-of-ones-own".to_owned(), "oidc-and-other-jwts".to_owned()]));
    assert_eq!(links(text), [(String::new(), Some("b".to_owned())), ("d.md".to_owned(), Some("e".to_owned()))]);
}
