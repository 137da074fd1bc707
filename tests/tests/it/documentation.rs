//! The documentation is complete where it can be checked.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tests::binaries::repository;

/// Folders whose errors clients can see.
const SOURCES: &[&str] = &["control-plane/src", "workflows/src", "crates/model/src", "crates/http-kit/src"];

/// Functions that take a stable code as their first argument.
const CONSTRUCTORS: &[&str] = &[
    "already_exists(",
    "conflict(",
    "locked(",
    "not_found(",
    "permanent(",
    "precondition_failed(",
    "quota_exceeded(",
    "refused(",
    "unauthenticated(",
    "unavailable(",
    "unprocessable(",
    // The table of failures that never reach a use-case.
    "=> (",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .flatten()
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => sources(&path),
            path => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

fn codes(text: &str) -> BTreeSet<String> {
    CONSTRUCTORS
        .iter()
        .flat_map(|constructor| text.match_indices(constructor).map(|(at, _)| &text[at + constructor.len()..]))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .filter(|code| {
            code.contains('.') && code.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte))
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_error_code_is_documented_and_every_documented_one_is_used() {
    let page = fs::read_to_string(repository().join("docs/ERRORS.md")).expect("the page is there");
    let texts: Vec<String> = SOURCES
        .iter()
        .flat_map(|folder| sources(&repository().join(folder)))
        .map(|path| fs::read_to_string(path).expect("sources are text"))
        .collect();
    let used: BTreeSet<String> = texts.iter().flat_map(|text| codes(text)).collect();
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|code| code.bytes().all(|byte| !byte.is_ascii_uppercase()))
        .collect();
    let missing: Vec<_> = used.iter().filter(|code| !documented.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "error codes without an entry in docs/ERRORS.md: {missing:#?}");
    let stale: Vec<_> =
        documented.iter().filter(|code| !texts.iter().any(|text| text.contains(&format!("\"{code}\"")))).collect();
    assert!(stale.is_empty(), "entries of docs/ERRORS.md that no code uses: {stale:#?}");
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    for page in ["README.md", "docs/ARCHITECTURE.md", "docs/GLOSSARY.md", "docs/ERRORS.md", "docs/adding-a-saga.md"] {
        let path = repository().join(page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            let there = path.parent().expect("a page is in a folder").join(target);
            assert!(target.contains("://") || there.exists(), "{page} links to {target}");
        }
    }
}

#[test]
fn every_type_of_event_is_documented_and_every_documented_one_is_told() {
    let page = fs::read_to_string(repository().join("docs/EVENTS.md")).expect("the page is there");
    let documented: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let told: Vec<&str> = model::events::EventType::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(documented, told);
}
