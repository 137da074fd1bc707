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
        .filter(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.' || byte == b'_'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_error_code_is_documented() {
    let page = fs::read_to_string(repository().join("docs/ERRORS.md")).expect("the page is there");
    let mut missing = BTreeSet::new();
    for folder in SOURCES {
        for path in sources(&repository().join(folder)) {
            let text = fs::read_to_string(&path).expect("sources are text");
            missing.extend(codes(&text).into_iter().filter(|code| !page.contains(&format!("| `{code}` |"))));
        }
    }
    assert!(missing.is_empty(), "error codes without an entry in docs/ERRORS.md: {missing:#?}");
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
