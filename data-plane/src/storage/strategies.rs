//! How a client is to upload or download: always directly here, because bytes lie on local disk.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts as _, Path, Request, State},
    response::{IntoResponse as _, Response},
};
use http::header;
use serde_json::{Value, json};

use super::{download, names, objects, session::Session, upload::denied};
use crate::{
    authentication::RequireUser,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

/// `POST /buckets/:bucket/upload-strategy`: whether the caller may write is tried in a transaction that is given up.
pub(super) async fn upload_strategy(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    Path(bucket): Path<String>,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    names::check_bucket(&bucket)?;
    let mut form = Form::new(&body);
    let key = form.string("filename");
    form.finish_as(names::INVALID)?;
    names::check_key(key)?;
    let client = app.pools.internal().await?;
    if client.query_opt("select 1 from storage.buckets where name = $1", &[&bucket]).await?.is_none() {
        return Err(Error::not_found("STORAGE_NOT_FOUND", format!("Bucket \"{bucket}\" does not exist")));
    }
    drop(client);
    let session = Session::begin(&app, &caller).await?;
    let sql = "insert into storage.objects (bucket, key, size, uploaded_by) values ($1, $2, 0, $3)
               on conflict (bucket, key) do update set uploaded_at = now()";
    session.execute(sql, &[&bucket, &key, &caller.end_user()]).await.map_err(|error| denied(error, &bucket, key))?;
    drop(session);
    let url = names::object_url(&app.config.api_base_url, &bucket, key, None);
    Ok(Json(json!({"method": "direct", "uploadUrl": url, "key": key, "confirmRequired": false})))
}

/// `GET /buckets/:bucket/download-strategy/objects/:key`
pub(super) async fn download_strategy(
    State(app): State<Arc<App>>,
    Path((bucket, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response> {
    let (mut parts, _body) = request.into_parts();
    let object = download::find(&app, &mut parts, &bucket, &key).await?;
    let url = names::object_url(&app.config.api_base_url, &bucket, &key, object.version.as_deref());
    let answer = Json(json!({"method": "direct", "url": url}));
    Ok(([(header::CACHE_CONTROL, "no-store")], answer).into_response())
}

/// `POST /buckets/:bucket/objects/:key/download-strategy` (the older spelling) and `…/confirm-upload`.
pub(super) async fn after_key(
    state: State<Arc<App>>,
    Path((bucket, path)): Path<(String, String)>,
    request: Request,
) -> Result<Response> {
    if let Some(key) = path.strip_suffix("/download-strategy") {
        return download_strategy(state, Path((bucket, key.to_owned())), request).await;
    }
    let Some(key) = path.strip_suffix("/confirm-upload") else {
        return Err(Error::not_found("NOT_FOUND", format!("Endpoint {} not found", request.uri().path())));
    };
    confirm(&state, &bucket, key, request).await
}

/// A direct upload needs no confirmation; the object is there or it is not.
async fn confirm(app: &Arc<App>, bucket: &str, key: &str, request: Request) -> Result<Response> {
    let (mut parts, _body) = request.into_parts();
    let RequireUser(caller) = RequireUser::from_request_parts(&mut parts, app).await?;
    let session = Session::begin(app, &caller).await?;
    let sql = format!("select {} from storage.objects where bucket = $1 and key = $2", objects::COLUMNS);
    let row = session.query_opt(&sql, &[&bucket, &key]).await?;
    session.commit().await?;
    let message = || format!("Upload not found for key \"{key}\" in bucket \"{bucket}\"");
    let row = row.ok_or_else(|| Error::not_found("STORAGE_NOT_FOUND", message()))?;
    Ok(Json(objects::file_json(&app.config.api_base_url, &row)).into_response())
}
