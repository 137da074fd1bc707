//! How a client is to transfer bytes. Objects are on the local disk, so always directly through this API.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequestParts as _, Request, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header, request::Parts};
use serde_json::{Value, json};

use super::{
    configuration::max_upload_bytes,
    download::{find, reader},
    names::{self, BucketPath, ObjectPath, invalid, object_url},
    objects::{bucket_visibility, no_bucket},
    upload::{prove_writable, too_large},
};
use crate::{
    authentication::RequireUser,
    http::{Error, JsonBody, Query, Result, validation::Form},
    state::App,
};

/// `POST /buckets/:b/upload-strategy`.
pub(super) async fn get_upload_strategy(
    State(app): State<Arc<App>>,
    RequireUser(caller): RequireUser,
    BucketPath(bucket): BucketPath,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    let mut form = Form::new(&body);
    let key = form.string("filename");
    form.optional_string("contentType");
    let size = form.optional_integer("size", 0, i64::MAX);
    form.finish_as("STORAGE_INVALID_PARAMETER")?;
    names::check_key(key)?;
    if bucket_visibility(&app, &bucket).await?.is_none() {
        return Err(no_bucket());
    }
    let limit = max_upload_bytes(&app).await?;
    if size.and_then(|size| u64::try_from(size).ok()).is_some_and(|size| size > limit) {
        return Err(too_large(limit));
    }
    prove_writable(&app, &caller, &bucket, key).await?;
    let url = object_url(&app, &bucket, key);
    Ok(Json(json!({"method": "direct", "uploadUrl": url, "key": key, "confirmRequired": false})))
}

/// `GET /buckets/:b/download-strategy/objects/*`.
pub(super) async fn get_download_strategy(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response> {
    let ObjectPath { bucket, key } = ObjectPath::from_request_parts(&mut parts, &app).await?;
    let Ok(query) = Query::from_request_parts(&mut parts, &app).await;
    if query.get("expiresIn").is_some_and(|text| !text.parse::<f64>().is_ok_and(f64::is_finite)) {
        return Err(not_seconds());
    }
    strategy(&app, &mut parts, &bucket, &key).await
}

/// `POST /buckets/:b/objects/*`: the older form of the download strategy, and the confirmation of an upload.
pub(super) async fn post_to_object(State(app): State<Arc<App>>, request: Request) -> Result<Response> {
    let (mut parts, body) = request.into_parts();
    let ObjectPath { bucket, key: path } = ObjectPath::from_request_parts(&mut parts, &app).await?;
    if let Some(key) = path.strip_suffix("/download-strategy") {
        let bytes = crate::http::read(body, app.config.max_json_body_bytes).await?;
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if body.get("expiresIn").is_some_and(|value| !value.is_number()) {
            return Err(not_seconds());
        }
        return strategy(&app, &mut parts, &bucket, key).await;
    }
    let Some(key) = path.strip_suffix("/confirm-upload") else {
        let url = parts.uri.path().to_owned();
        return Err(Error::not_found("NOT_FOUND", format!("Endpoint {url} not found"))
            .with_next_actions("Please check the API documentation for available endpoints"));
    };
    let RequireUser(caller) = RequireUser::from_request_parts(&mut parts, &app).await?;
    let object = find(&app, &caller, &bucket, key).await.map_err(|error| {
        if error.code() != "STORAGE_NOT_FOUND" {
            return error;
        }
        let message = format!("Upload not found for key \"{key}\" in bucket \"{bucket}\"");
        Error::not_found("STORAGE_NOT_FOUND", message)
    })?;
    Ok(Json(object.json(&app)).into_response())
}

async fn strategy(app: &Arc<App>, parts: &mut Parts, bucket: &str, key: &str) -> Result<Response> {
    let (caller, _) = reader(app, parts, bucket).await?;
    let object = find(app, &caller, bucket, key).await?;
    let mut response = Json(json!({"method": "direct", "url": object.url(app)})).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn not_seconds() -> Error {
    invalid("expiresIn must be a finite number of seconds")
}
