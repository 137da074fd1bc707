//! What the operator's commands print.

use std::io::{self, Write as _};

/// Writes to standard output; a closed pipe is no failure.
pub(crate) fn print(text: &str) {
    let _closed = io::stdout().write_all(text.as_bytes());
}
