//! Multipart forms with one file.

use std::collections::HashMap;

use axum::extract::Multipart;
use http::StatusCode;

use crate::http::{Error, Result};

/// Longest value of a field that is no file.
const LONGEST_FIELD: usize = 64 * 1024;

/// A form, read whole.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) file: Option<File>,
    fields: HashMap<String, String>,
}

/// An uploaded file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Form {
    /// Reads a form whose file, in the field `file`, has at most `limit` bytes.
    pub(super) async fn read(mut multipart: Multipart, limit: u64) -> Result<Self> {
        let mut form = Self::default();
        while let Some(mut field) = multipart.next_field().await.map_err(|error| malformed(&error))? {
            let name = field.name().unwrap_or_default().to_owned();
            let file = field.file_name().map(str::to_owned);
            let most = if file.is_some() { limit } else { LONGEST_FIELD as u64 };
            let mut bytes = Vec::new();
            while let Some(chunk) = field.chunk().await.map_err(|error| malformed(&error))? {
                if (bytes.len() + chunk.len()) as u64 > most {
                    return Err(too_large(file.is_some()));
                }
                bytes.extend_from_slice(&chunk);
            }
            match file {
                Some(_) if name != "file" || form.file.is_some() => {
                    return Err(Error::invalid_input("Unexpected field"));
                }
                Some(name) => form.file = Some(File { name, bytes }),
                None => {
                    form.fields.insert(name, String::from_utf8_lossy(&bytes).into_owned());
                }
            }
        }
        Ok(form)
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

impl File {
    /// What follows the last dot of its name, lower case, with the dot.
    pub(super) fn ending(&self) -> String {
        self.name.rsplit_once('.').map_or_else(String::new, |(_, ending)| format!(".{}", ending.to_ascii_lowercase()))
    }

    /// Its text, without a byte order mark.
    pub(super) fn text(&self) -> Result<&str> {
        let text = std::str::from_utf8(&self.bytes).map_err(|_| Error::invalid_input("The file is not UTF-8 text"))?;
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }
}

fn malformed(error: &axum::extract::multipart::MultipartError) -> Error {
    Error::invalid_input(error.body_text())
}

fn too_large(file: bool) -> Error {
    if !file {
        return Error::invalid_input("Field value too long");
    }
    let message = "File too large. Please check the configured upload size limit.";
    Error::new(StatusCode::PAYLOAD_TOO_LARGE, "STORAGE_INVALID_PARAMETER", message)
}
