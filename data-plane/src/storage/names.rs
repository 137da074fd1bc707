//! Names of buckets and keys of objects: what is allowed, and how they appear in URLs.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    http::{Error, Result},
    state::App,
};

const KEY_MAX_BYTES: usize = 1024;
const BUCKET_MAX_BYTES: usize = 255;

/// What `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// 400 of this area.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::bad_request("STORAGE_INVALID_PARAMETER", message)
}

/// Refuses what is no bucket name.
pub(super) fn check_bucket(name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.len() <= BUCKET_MAX_BYTES && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(invalid("Invalid bucket name. Use only letters, numbers, hyphens, and underscores."))
}

/// Refuses what is no key.
pub(super) fn check_key(key: &str) -> Result<()> {
    if key.contains("..") || key.starts_with('/') {
        return Err(invalid("Invalid key. Cannot use \"..\" or start with \"/\""));
    }
    if key.is_empty() || key.len() > KEY_MAX_BYTES || key.contains('\0') {
        return Err(invalid(format!("Invalid key. Use 1 to {KEY_MAX_BYTES} bytes without NUL")));
    }
    Ok(())
}

/// The bucket in the path.
pub(super) struct BucketPath(pub(super) String);

/// Bucket and key in the path; the key may be written with plain or encoded slashes.
pub(super) struct ObjectPath {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl FromRequestParts<Arc<App>> for BucketPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let Path(bucket) = Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| invalid("Invalid bucket name. Use only letters, numbers, hyphens, and underscores."))?;
        check_bucket(&bucket)?;
        Ok(Self(bucket))
    }
}

impl FromRequestParts<Arc<App>> for ObjectPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let Path((bucket, key)) = Path::<(String, String)>::from_request_parts(parts, app)
            .await
            .map_err(|_| invalid("Invalid key. Cannot use \"..\" or start with \"/\""))?;
        check_bucket(&bucket)?;
        check_key(&key)?;
        Ok(Self { bucket, key })
    }
}

/// The absolute URL of an object, without a version.
pub(super) fn object_url(app: &App, bucket: &str, key: &str) -> String {
    let base = app.config.api_base_url.trim_end_matches('/');
    let key = utf8_percent_encode(key, COMPONENT);
    format!("{base}/api/storage/buckets/{bucket}/objects/{key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_buckets() {
        for good in ["a", "a/b.txt", "ü €", "a.b", "sp ace/x"] {
            assert!(check_key(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "../a", "a/../b", "a..b", "\0", &"x".repeat(2000)] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
        for bad in ["", "a/b", "a b", "..", "ü", ".uploads"] {
            assert!(check_bucket(bad).is_err(), "{bad}");
        }
        assert!(check_bucket("My_bucket-1").is_ok());
    }
}
