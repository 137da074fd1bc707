//! What every HTTP server of ours does the same way: request ids, one log line per request, panics caught, bodies read with care,
//! and paths with doubled slashes understood.

mod access_log;
pub mod body;
mod panics;
mod paths;
mod request_id;

pub use access_log::{Principal, access_log};
pub use panics::catch_panics;
pub use paths::tolerate_slashes;
pub use request_id::{REQUEST_ID, RequestId, assign_request_id};
