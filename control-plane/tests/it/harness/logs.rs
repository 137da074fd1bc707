//! An unexpected ERROR fails a test: it means that a person must act. What the control database is asked is kept for who wants to compare.

use std::sync::{Arc, Mutex};

use tracing::{Event, Level, Subscriber, subscriber::DefaultGuard};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry,
};

#[derive(Clone, Default)]
struct Seen {
    errors: Arc<Mutex<Vec<String>>>,
    statements: Arc<Mutex<Vec<String>>>,
}

impl<S: Subscriber> Layer<S> for Seen {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.errors.lock().expect("no holder panics").push(fields.0);
        } else if event.metadata().target() == "sqlx::query" {
            let mut statement = Statement(String::new());
            event.record(&mut statement);
            self.statements.lock().expect("no holder panics").push(statement.0);
        }
    }
}

/// What was asked and how many rows that concerned, but not how long it took.
struct Statement(String);

impl tracing::field::Visit for Statement {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if matches!(field.name(), "summary" | "db.statement" | "rows_affected" | "rows_returned") {
            self.0.push_str(&format!("{field}={value:?} "));
        }
    }
}

struct Fields(String);

impl tracing::field::Visit for Fields {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!("{field}={value:?} "));
    }
}

/// Watches the log of this thread until it is dropped.
pub(super) struct Watch {
    seen: Seen,
    _guard: DefaultGuard,
}

impl Watch {
    pub(super) fn start() -> Self {
        let seen = Seen::default();
        let guard = tracing::subscriber::set_default(registry().with(seen.clone()));
        Self { seen, _guard: guard }
    }

    /// The statements since this was last asked.
    pub(super) fn statements(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.statements.lock().expect("no holder panics"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let errors = self.seen.errors.lock().expect("no holder panics");
        if !std::thread::panicking() {
            assert!(errors.is_empty(), "unexpected ERROR logs: {errors:#?}");
        }
    }
}
