//! What goes on in this process: open and counted requests, and a wake-up for the tasks that work only after something happened.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;

/// Counters since the process began.
#[derive(Debug, Default)]
pub struct Activity {
    open: AtomicU64,
    last_request_millis: AtomicI64,
    function_calls: AtomicU64,
    database_touched: AtomicBool,
    storage_touched: AtomicBool,
    happened: Notify,
}

impl Activity {
    /// A request began; pair with [`Activity::request_ended`].
    pub fn request_began(&self, at: DateTime<Utc>) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.last_request_millis.store(at.timestamp_millis(), Ordering::Relaxed);
        self.database_touched.store(true, Ordering::Relaxed);
        self.happened.notify_one();
    }

    /// The response, stream or socket of a request is finished.
    pub fn request_ended(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// A function was invoked.
    pub fn function_called(&self) {
        self.function_calls.fetch_add(1, Ordering::Relaxed);
        self.happened.notify_one();
    }

    /// Stored objects changed.
    pub fn storage_changed(&self) {
        self.storage_touched.store(true, Ordering::Relaxed);
        self.happened.notify_one();
    }

    /// Requests, streams and sockets open now.
    #[must_use]
    pub fn open_requests(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// When the newest request began.
    #[must_use]
    pub fn last_request_at(&self) -> Option<DateTime<Utc>> {
        match self.last_request_millis.load(Ordering::Relaxed) {
            0 => None,
            millis => DateTime::from_timestamp_millis(millis),
        }
    }

    /// Function calls since last asked.
    pub fn take_function_calls(&self) -> u64 {
        self.function_calls.swap(0, Ordering::Relaxed)
    }

    /// Whether the database may have changed since last asked.
    pub fn take_database_touched(&self) -> bool {
        self.database_touched.swap(false, Ordering::Relaxed)
    }

    /// Whether stored objects changed since last asked.
    pub fn take_storage_touched(&self) -> bool {
        self.storage_touched.swap(false, Ordering::Relaxed)
    }

    /// Returns after something happened; at once when it did since the last call.
    pub async fn happened(&self) {
        self.happened.notified().await;
    }
}
