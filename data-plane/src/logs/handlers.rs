//! Sources, statistics, search and reading.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    entries::Entry,
    sources::{self, SOURCES, Source},
};
use crate::{
    authentication::RequireAdmin,
    http::{Error, Query, Result, paginated},
    state::App,
};

/// Most entries that statistics count.
const COUNTED: usize = 1000;

/// Most entries that a search looks back over, per source.
const SEARCHED: usize = 10_000;

/// `GET /sources`
pub(super) async fn list_sources(_admin: RequireAdmin) -> Json<Value> {
    let sources = SOURCES.iter().enumerate();
    Json(
        sources
            .map(|(index, source)| json!({"id": (index + 1).to_string(), "name": source.name, "token": source.token}))
            .collect(),
    )
}

/// `GET /stats`
pub(super) async fn get_stats(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let mut stats = Vec::new();
    for source in SOURCES {
        let Some(file) = source.file(&app.config.logs_dir) else { continue };
        let entries = newest(&app, source, COUNTED, |_| true).await?;
        // Clients read a time here always: of a file with no entry, when it was written.
        let last = match entries.last() {
            Some(entry) => Some(entry.at),
            None => written_at(&file).await?,
        };
        let Some(last) = last else { continue };
        stats.push(json!({"source": source.name, "count": entries.len(), "lastActivity": clock::iso_millis(last)}));
    }
    Ok(Json(stats.into()))
}

/// `GET /search`
pub(super) async fn search(State(app): State<Arc<App>>, _admin: RequireAdmin, query: Query) -> Result<Response> {
    let text = query
        .get("q")
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Error::invalid_input("Search query parameter (q) is required"))?
        .to_lowercase();
    let limit = query.integer("limit", 100, 1, 1000)?;
    let offset = query.integer("offset", 0, 0, i64::MAX)?;
    let searched: Vec<&Source> = match query.get("source").filter(|name| !name.is_empty()) {
        Some(name) => sources::find(name).into_iter().collect(),
        None => SOURCES.iter().collect(),
    };
    let mut found = Vec::new();
    for source in searched {
        let text = text.clone();
        let entries = newest(&app, source, SEARCHED, move |entry| entry.mentions(&text)).await?;
        found.extend(entries.into_iter().map(|entry| (entry.at, source.name, entry)));
    }
    found.sort_by_key(|(at, _, _)| std::cmp::Reverse(*at));
    let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let page = found
        .into_iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX))
        .take(usize::try_from(limit).unwrap_or(usize::MAX));
    let rows = page.map(|(_, source, entry)| {
        let mut row = entry.as_json();
        row["source"] = source.into();
        row
    });
    Ok(paginated(rows.collect(), offset, total))
}

/// `GET /functions/build-logs`
pub(super) async fn get_build_logs(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    query: Query,
) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let wanted = query.get("deployment_id").filter(|id| !id.is_empty());
    let row = client
        .query_opt(
            "select id, status, coalesce(build_logs, '[]'), created_at from functions.deployments
             where $1::text is null or id = $1 order by created_at desc limit 1",
            &[&wanted],
        )
        .await?
        .ok_or_else(|| Error::not_found("LOG_NOT_FOUND", "Function build logs not found"))?;
    Ok(Json(json!({
        "deploymentId": row.get::<_, String>(0),
        "status": row.get::<_, String>(1),
        "logs": row.get::<_, Value>(2),
        "createdAt": row.get::<_, Option<DateTime<Utc>>>(3).map(clock::iso_millis),
    })))
}

/// `GET /:source`: the newest entries before a time, oldest first.
pub(super) async fn read_source(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    Path(name): Path<String>,
    query: Query,
) -> Result<Json<Value>> {
    let limit = usize::try_from(query.integer("limit", 100, 1, 1000)?).unwrap_or(100);
    let before = match query.get("before_timestamp").filter(|text| !text.is_empty()) {
        None => None,
        Some(text) => Some(
            DateTime::parse_from_rfc3339(text)
                .map_err(|_| Error::invalid_input("before_timestamp: Invalid date"))?
                .with_timezone(&Utc),
        ),
    };
    let entries = match sources::find(&name) {
        Some(source) => newest(&app, source, limit, move |entry| before.is_none_or(|before| entry.at < before)).await?,
        None => Vec::new(),
    };
    let logs: Vec<Value> = entries.iter().map(Entry::as_json).collect();
    Ok(Json(json!({"total": logs.len(), "logs": logs})))
}

/// Absent where the file has been moved away meanwhile.
async fn written_at(file: &std::path::Path) -> Result<Option<DateTime<Utc>>> {
    match tokio::fs::metadata(file).await.and_then(|metadata| metadata.modified()) {
        Ok(at) => Ok(Some(at.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::internal("read a log file", &error)),
    }
}

async fn newest(
    app: &App,
    source: &'static Source,
    most: usize,
    wanted: impl Fn(&Entry) -> bool + Send + 'static,
) -> Result<Vec<Entry>> {
    let folder = app.config.logs_dir.clone();
    let read = tokio::task::spawn_blocking(move || source.newest(&folder, most, wanted)).await;
    read.map_err(|error| Error::internal("read a log file", &error))?
        .map_err(|error| Error::internal("read a log file", &error))
}
