//! The checked-in OpenAPI document is the one the handlers describe. `BLESS=1` rewrites it.

use std::{env, fs, path::Path};

use serde_json::Value;

#[test]
fn the_checked_in_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/control-plane.json");
    let present = control_plane::openapi_document();
    if env::var_os("BLESS").is_some() {
        fs::write(&path, &present).expect("the document can be written");
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    assert!(recorded == present, "run `BLESS=1 cargo test -p control-plane openapi` and commit {}", path.display());
}

#[test]
fn operations_are_named_verb_noun_and_described() {
    let document: Value = serde_json::from_str(&control_plane::openapi_document()).expect("it is JSON");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let id = operation["operationId"].as_str().unwrap_or_default();
            assert!(id.contains('_'), "{method} {path}: {id}");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path} is not described"
            );
        }
    }
}
