//! What goes on in this process: open requests, counted acts, and a wake-up for the tasks that work only after something happened.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use chrono::{DateTime, Utc};
use data_plane_contract::usage::Metric;
use metering::Counts;
use tokio::sync::Notify;

/// Counters since the process began.
#[derive(Debug, Default)]
pub struct Activity {
    open: AtomicU64,
    last_request_millis: AtomicI64,
    /// Where acts are counted; nowhere for a process that was not told where its usage goes.
    counts: OnceLock<Counts>,
    users_became_active: AtomicBool,
    database_touched: AtomicBool,
    storage_touched: AtomicBool,
    developers_there: AtomicBool,
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

    /// From now on acts are counted there.
    pub fn count_in(&self, counts: Counts) {
        // A second place would split one count.
        let _first = self.counts.set(counts);
    }

    /// A function was invoked. Counted before it is answered, as all acts.
    pub fn function_called(&self) {
        self.count(Metric::FunctionCalls, 1);
    }

    /// A mail was taken by whoever sends it.
    pub fn email_sent(&self) {
        self.count(Metric::EmailRequests, 1);
    }

    /// A tool was called through MCP.
    pub fn mcp_called(&self) {
        self.count(Metric::McpCalls, 1);
    }

    /// A language model was used: tokens in and out, and millionths of a credit.
    pub fn model_used(&self, tokens: u64, micro_credits: u64) {
        self.count(Metric::AiTokens, tokens);
        self.count(Metric::AiCredits, micro_credits);
    }

    fn count(&self, metric: Metric, amount: u64) {
        if let Some(counts) = self.counts.get() {
            counts.add(metric, amount);
        }
        self.happened.notify_one();
    }

    /// A user was signed in who was not before in this month.
    pub fn user_became_active(&self) {
        self.users_became_active.store(true, Ordering::Relaxed);
        self.happened.notify_one();
    }

    /// The database may have changed by other ways than requests.
    pub fn database_changed(&self) {
        self.database_touched.store(true, Ordering::Relaxed);
    }

    /// A developer has a session of their own, which this process sees nothing of.
    pub fn developer_came(&self) {
        self.developers_there.store(true, Ordering::Relaxed);
        self.happened.notify_one();
    }

    /// Whether one came since last asked.
    pub fn take_developers_there(&self) -> bool {
        self.developers_there.swap(false, Ordering::Relaxed)
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

    /// Whether users became active since last asked.
    pub fn take_users_became_active(&self) -> bool {
        self.users_became_active.swap(false, Ordering::Relaxed)
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
