//! Names of buckets and keys, what a key's URL is, and which media types a browser would run.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::Rng as _;

use crate::http::{Error, Result};

pub(super) const INVALID: &str = "STORAGE_INVALID_PARAMETER";
const LONGEST_KEY: usize = 1024;
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// Refuses what is no bucket name.
pub(super) fn check_bucket(name: &str) -> Result<()> {
    let valid = !name.is_empty()
        && name != crate::database::backups::FOLDER
        && name.len() <= 255
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if valid {
        return Ok(());
    }
    let message = "Invalid bucket name. Use only letters, numbers, hyphens, and underscores.";
    Err(Error::bad_request(INVALID, message))
}

/// Refuses what is no key.
pub(super) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.contains("..") || key.starts_with('/') || key.contains('\0') {
        return Err(Error::bad_request(INVALID, "Invalid key. Cannot use \"..\" or start with \"/\""));
    }
    if key.len() > LONGEST_KEY {
        return Err(Error::bad_request(INVALID, format!("Invalid key. It must be at most {LONGEST_KEY} bytes")));
    }
    Ok(())
}

/// A key made from a file's name, hardly to be met twice.
pub(super) fn generated_key(filename: &str, millis: i64) -> String {
    let (stem, extension) = match filename.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, Some(extension)),
        _ => (filename, None),
    };
    let clean = |text: &str, replacement: Option<char>, most: usize| -> String {
        let kept = text.chars().filter_map(|character| match character {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_' => Some(character),
            _ => replacement,
        });
        kept.take(most).collect()
    };
    let stem = clean(stem, Some('-'), 32);
    let stem = if stem.is_empty() { "file".to_owned() } else { stem };
    let mut rng = rand::rng();
    let random: String =
        (0..6).map(|_| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[rng.random_range(0..36)])).collect();
    let extension = extension.map(|extension| clean(extension, None, 16)).filter(|extension| !extension.is_empty());
    match extension {
        Some(extension) => format!("{stem}-{millis}-{random}.{extension}"),
        None => format!("{stem}-{millis}-{random}"),
    }
}

/// The address of an object; `version` changes with its content.
pub(super) fn object_url(base: &str, bucket: &str, key: &str, version: Option<&str>) -> String {
    let url = format!(
        "{}/api/storage/buckets/{bucket}/objects/{}",
        base.trim_end_matches('/'),
        utf8_percent_encode(key, UNRESERVED)
    );
    match version {
        Some(version) => format!("{url}?v={version}"),
        None => url,
    }
}

/// Whether a browser would run content of this type.
pub(super) fn active(mime_type: &str) -> bool {
    let kind = mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.ends_with("html") || kind.ends_with("xml") || kind.contains("script") || kind == "image/svg+xml"
}

/// The type to store: the declared one, unless the declaration or the first bytes are such that a browser would run it.
pub(super) fn stored_type(declared: Option<&str>, head: &[u8]) -> String {
    const MARKS: &[&str] = &["<html", "<script", "<svg", "<!doctype html", "<body", "<iframe", "<object", "<form"];
    let declared = declared.unwrap_or("application/octet-stream");
    let text = String::from_utf8_lossy(&head[..head.len().min(4096)]).to_ascii_lowercase();
    if active(declared) || MARKS.iter().any(|mark| text.contains(mark)) {
        return "application/octet-stream".to_owned();
    }
    sniffed(head).unwrap_or(declared).to_owned()
}

/// The type that the first bytes tell for sure.
fn sniffed(head: &[u8]) -> Option<&'static str> {
    const SIGNATURES: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"\x1f\x8b", "application/gzip"),
    ];
    if head.len() >= 12 && head.starts_with(b"RIFF") && &head[8..12] == b"WEBP" {
        return Some("image/webp");
    }
    SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cannot_leave_their_bucket_and_urls_keep_them_whole() {
        for key in ["", "../x", "a/../b", "/etc/passwd", "a\0b", &"x".repeat(1025)] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
        assert!(check_key("folder/ä b.png").is_ok());
        assert_eq!(
            object_url("http://h/", "b", "a/b c", Some("1")),
            "http://h/api/storage/buckets/b/objects/a%2Fb%20c?v=1"
        );
        assert!(check_bucket("a-b_C1").is_ok() && check_bucket("a/b").is_err() && check_bucket("").is_err());
    }

    #[test]
    fn generated_keys_are_plain_and_active_content_is_stored_as_bytes() {
        let key = generated_key("my photo!.PN/G", 7);
        assert!(key.starts_with("my-photo--7-") && key.ends_with(".PNG"), "{key}");
        assert!(generated_key("", 7).starts_with("file-7-"));
        assert_eq!(stored_type(Some("text/html"), b"x"), "application/octet-stream");
        assert_eq!(stored_type(Some("text/plain"), b"  <ScRipt>"), "application/octet-stream");
        assert_eq!(stored_type(Some("text/plain"), b"\x89PNG\r\n\x1a\n"), "image/png");
        assert_eq!(stored_type(Some("text/plain"), b"hello"), "text/plain");
    }
}
