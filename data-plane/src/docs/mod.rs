//! `GET /api/docs`: what agents read before they write code against this backend.

use axum::{Json, Router, extract::Path, routing::get};
use serde_json::{Value, json};

use std::sync::Arc;

use crate::{
    http::{Error, Result},
    state::App,
};

mod pages;

/// Routes of this area.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(list_docs))
        .route("/{name}", get(read_doc))
        .route("/{feature}/{language}", get(read_feature))
}

async fn list_docs() -> Json<Value> {
    let entry =
        |page: &pages::Page| json!({"type": page.name(), "filename": page.filename(), "endpoint": page.endpoint()});
    Json(pages::all().map(entry).collect())
}

async fn read_doc(Path(name): Path<String>) -> Result<Json<Value>> {
    let page = pages::all().find(|page| page.language.is_none() && page.feature == name);
    page.map(content).ok_or_else(not_found)
}

async fn read_feature(Path((feature, language)): Path<(String, String)>) -> Result<Json<Value>> {
    let page = pages::all().find(|page| page.feature == feature && page.language == Some(language.as_str()));
    page.map(content).ok_or_else(not_found)
}

fn content(page: &pages::Page) -> Json<Value> {
    Json(json!({"type": page.name(), "content": page.content}))
}

fn not_found() -> Error {
    Error::not_found("DOCS_NOT_FOUND", "Documentation not found")
}
