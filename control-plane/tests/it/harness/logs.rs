//! An unexpected ERROR fails a test: it means that a person must act.

use std::sync::{Arc, Mutex};

use tracing::{Event, Level, Subscriber, subscriber::DefaultGuard};
use tracing_subscriber::{
    layer::{Context, Layer, SubscriberExt as _},
    registry,
};

#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Errors {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.0.lock().expect("no holder panics").push(fields.0);
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
    errors: Errors,
    _guard: DefaultGuard,
}

impl Watch {
    pub(super) fn start() -> Self {
        let errors = Errors::default();
        let guard = tracing::subscriber::set_default(registry().with(errors.clone()));
        Self { errors, _guard: guard }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let errors = self.errors.0.lock().expect("no holder panics");
        if !std::thread::panicking() {
            assert!(errors.is_empty(), "unexpected ERROR logs: {errors:#?}");
        }
    }
}
