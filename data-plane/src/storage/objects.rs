//! Rows of objects, and objects as clients see them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::{Row, error::SqlState};

use super::names::object_url;
use crate::{
    http::{Error, Result},
    state::App,
    transaction::Transaction,
};

/// What a row says of an object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) size: i32,
    pub(super) mime_type: Option<String>,
    pub(super) uploaded_at: Option<DateTime<Utc>>,
    pub(super) etag: Option<String>,
}

impl Object {
    /// Columns that [`Object::from_row`] reads.
    pub(super) const COLUMNS: &str = "bucket, key, size, mime_type, uploaded_at, etag";

    pub(super) fn from_row(row: &Row) -> Self {
        Self {
            bucket: row.get(0),
            key: row.get(1),
            size: row.get(2),
            mime_type: row.get(3),
            uploaded_at: row.get(4),
            etag: row.get(5),
        }
    }

    /// The object that this transaction may see. One it may not see does not exist.
    pub(super) async fn find(rows: &Transaction, bucket: &str, key: &str) -> Result<Option<Self>> {
        let sql = format!("select {} from storage.objects where bucket = $1 and key = $2", Self::COLUMNS);
        match rows.query_opt(&sql, &[&bucket, &key]).await {
            Ok(row) => Ok(row.as_ref().map(Self::from_row)),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Its URL with its version, so that caches see a new one after each upload.
    pub(super) fn url(&self, app: &App) -> String {
        let version = match (&self.etag, self.uploaded_at) {
            (Some(etag), _) => etag.clone(),
            (None, Some(at)) => at.timestamp_millis().to_string(),
            (None, None) => "0".to_owned(),
        };
        format!("{}?v={version}", object_url(app, &self.bucket, &self.key))
    }

    /// As clients see it.
    pub(super) fn json(&self, app: &App) -> Value {
        let mut file = json!({"bucket": self.bucket, "key": self.key, "size": self.size});
        if let Some(mime_type) = &self.mime_type {
            file["mimeType"] = json!(mime_type);
        }
        file["uploadedAt"] = json!(self.uploaded_at.map(clock::iso_millis));
        file["url"] = json!(self.url(app));
        file
    }
}

/// Whether a bucket exists, and is public.
pub(super) async fn bucket_visibility(app: &App, bucket: &str) -> Result<Option<bool>> {
    let client = app.pools.internal().await?;
    let statement = client.prepare_cached("select coalesce(public, true) from storage.buckets where name = $1").await?;
    Ok(client.query_opt(&statement, &[&bucket]).await?.map(|row| row.get(0)))
}

/// 404 for what is not there or not to be seen.
pub(super) fn not_found() -> Error {
    Error::not_found("STORAGE_NOT_FOUND", "Object not found")
}

/// 404 for a bucket.
pub(super) fn no_bucket() -> Error {
    Error::not_found("STORAGE_NOT_FOUND", "Bucket does not exist")
}
