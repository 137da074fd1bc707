//! The threads that serve connections: one per core, each with an event loop of its own.
//!
//! A connection stays on its thread from accept to close, and so do the upstream connections it uses; no request crosses
//! threads. Everything else (waking, usage, the admin interface) runs in the runtime the gateway was started in.

use std::{
    cell::Cell,
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(0) };
}

/// How many threads a gateway has.
pub(crate) fn count() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Which of them this is; 0 on any other thread.
pub(crate) fn current() -> usize {
    INDEX.get()
}

/// The running threads.
pub(crate) struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
}

impl Workers {
    /// Starts the threads; they end, with whatever they still serve, when `ending` is cancelled.
    pub(crate) fn start(ending: &CancellationToken) -> io::Result<Self> {
        let handles = (0..count()).map(|index| start_one(index, ending.clone())).collect::<io::Result<_>>()?;
        Ok(Self { handles, next: AtomicUsize::new(0) })
    }

    /// The thread for the next connection, in turn.
    pub(crate) fn next(&self) -> &Handle {
        &self.handles[self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()]
    }
}

fn start_one(index: usize, ending: CancellationToken) -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name(format!("gateway-{index}")).spawn(move || {
        INDEX.set(index);
        runtime.block_on(ending.cancelled());
    })?;
    Ok(handle)
}
