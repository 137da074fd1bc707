//! Usage records.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::state::App;

/// Measures and reports until cancelled.
pub async fn run(_app: Arc<App>, stop: CancellationToken) {
    stop.cancelled().await;
}
