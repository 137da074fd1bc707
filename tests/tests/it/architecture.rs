//! The dependency arrows between our packages are exactly those of docs/ARCHITECTURE.md. A new arrow is a change to this list.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;
use tests::binaries::repository;

/// Every package and what it may depend on among ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("clock", &[]),
    ("telemetry", &[]),
    ("test-ports", &[]),
    ("schema-merge", &[]),
    ("outbound", &[]),
    ("identity-providers", &["outbound"]),
    ("model", &["ids"]),
    ("saga", &["ids"]),
    ("data-plane-contract", &["ids"]),
    ("metering", &["ids", "data-plane-contract"]),
    ("http-kit", &["ids", "clock", "telemetry"]),
    ("store", &["ids", "clock", "model", "saga"]),
    ("providers", &["ids", "model"]),
    ("providers-local", &["providers", "ids", "model"]),
    (
        "control-plane",
        &[
            "ids",
            "clock",
            "telemetry",
            "http-kit",
            "model",
            "store",
            "saga",
            "schema-merge",
            "data-plane-contract",
            "outbound",
            "identity-providers",
        ],
    ),
    (
        "workflows",
        &[
            "ids",
            "clock",
            "telemetry",
            "model",
            "store",
            "saga",
            "data-plane-contract",
            "metering",
            "providers",
            "schema-merge",
            "outbound",
        ],
    ),
    ("gateway", &["ids", "clock", "telemetry", "http-kit", "data-plane-contract", "metering"]),
    (
        "hearth-data-plane",
        &[
            "ids",
            "clock",
            "telemetry",
            "http-kit",
            "data-plane-contract",
            "metering",
            "schema-merge",
            "outbound",
            "identity-providers",
        ],
    ),
    (
        "hearth",
        &[
            "ids",
            "clock",
            "telemetry",
            "http-kit",
            "model",
            "store",
            "saga",
            "schema-merge",
            "data-plane-contract",
            "providers",
            "providers-local",
            "control-plane",
            "workflows",
            "gateway",
            "outbound",
            "identity-providers",
        ],
    ),
    ("tests", ALL),
];

const ALL: &[&str] = &[
    "ids",
    "clock",
    "telemetry",
    "test-ports",
    "schema-merge",
    "model",
    "saga",
    "data-plane-contract",
    "http-kit",
    "store",
    "providers",
    "providers-local",
    "control-plane",
    "workflows",
    "gateway",
    "hearth-data-plane",
    "hearth",
];

/// Arrows that only tests need.
const TEST_ARROWS: &[(&str, &[&str])] = &[("hearth-data-plane", &["test-ports"]), ("workflows", &["test-ports"])];

/// Crates that a package must not know, prefixes of their names.
const STRANGERS: &[(&str, &[&str])] = &[
    ("schema-merge", &["sqlx", "tokio", "axum"]),
    ("model", &["sqlx", "axum", "aws-sdk", "kube", "tokio"]),
    ("saga", &["sqlx", "axum", "aws-sdk", "kube"]),
    ("store", &["axum"]),
    ("providers", &["sqlx", "aws-sdk", "kube"]),
    ("providers-local", &["sqlx"]),
    ("control-plane", &["aws-sdk", "kube", "hyper-util"]),
    ("workflows", &["axum", "aws-sdk", "kube"]),
    ("gateway", &["sqlx", "tokio-postgres"]),
    ("hearth-data-plane", &["sqlx"]),
];

struct Package {
    name: String,
    /// Names of dependencies with whether only tests need them.
    dependencies: Vec<(String, bool)>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(repository())
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .output()
        .expect("cargo runs, it started this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let text = |value: &Value| value.as_str().expect("names are text").to_owned();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    list(&metadata["packages"])
        .iter()
        .map(|package| Package {
            name: text(&package["name"]),
            dependencies: list(&package["dependencies"])
                .iter()
                .map(|dependency| (text(&dependency["name"]), dependency["kind"] == "dev"))
                .collect(),
        })
        .collect()
}

fn lookup<'a>(table: &[(&str, &'a [&'a str])], name: &str) -> &'a [&'a str] {
    table.iter().find(|(package, _)| *package == name).map_or(&[], |(_, list)| list)
}

#[test]
fn arrows_between_packages_are_the_documented_ones() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, listed, "every package has a line in the list, and no other");

    let mut surplus: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in &packages {
        let (allowed, for_tests) = (lookup(ARROWS, &package.name), lookup(TEST_ARROWS, &package.name));
        for (dependency, test_only) in &package.dependencies {
            let known =
                allowed.contains(&dependency.as_str()) || (*test_only && for_tests.contains(&dependency.as_str()));
            if ours.contains(dependency.as_str()) && !known && *dependency != package.name {
                surplus.entry(&package.name).or_default().insert(dependency);
            }
        }
    }
    assert!(surplus.is_empty(), "arrows that the architecture does not have: {surplus:#?}");
}

#[test]
fn packages_do_not_know_what_they_must_not() {
    let mut known = Vec::new();
    for package in packages() {
        for stranger in lookup(STRANGERS, &package.name) {
            let meets = |name: &str| name == *stranger || name.starts_with(&format!("{stranger}-"));
            known.extend(
                package
                    .dependencies
                    .iter()
                    .filter(|(name, test_only)| !test_only && meets(name))
                    .map(|(name, _)| format!("{} knows {name}", package.name)),
            );
        }
    }
    assert!(known.is_empty(), "{known:#?}");
}

#[test]
fn the_top_level_holds_only_the_agreed_folders() {
    let agreed = [
        "control-plane",
        "crates",
        "console",
        "data-plane",
        "docs",
        "gateway",
        "migrations",
        "terraform",
        "tests",
        "workflows",
    ];
    let output = Command::new("git").current_dir(repository()).args(["ls-tree", "-d", "--name-only", "HEAD"]).output();
    let output = output.expect("git is there, it brought this repository");
    let folders = String::from_utf8(output.stdout).expect("folder names are text");
    let others: Vec<&str> = folders.lines().filter(|name| !name.starts_with('.') && !agreed.contains(name)).collect();
    assert!(others.is_empty(), "folders that the architecture does not have: {others:?}");
}
