//! A bound on each pair, for what never ends: neither a statement that waits nor a computation that goes round in circles is silent.

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::cluster::Cluster;

/// A pair takes a second or two; a machine that is busy with other things gets a hundred times that.
const BOUND: Duration = Duration::from_secs(180);

/// Ends the whole test, cluster and all, unless it is dropped in time: a thread that computes for ever cannot be taken back.
pub(super) struct Watch {
    _done: Sender<()>,
}

impl Watch {
    /// Watches what is called this, which it says before it ends the test.
    pub(super) fn over(cluster: &Cluster, what: String) -> Self {
        let (done, receiver) = channel();
        let ender = cluster.ender();
        std::thread::spawn(move || {
            if receiver.recv_timeout(BOUND) == Err(RecvTimeoutError::Timeout) {
                // Not `eprintln`, which a test that never returns would show to nobody.
                let _ = writeln!(std::io::stderr(), "not done after {} s: {what}", BOUND.as_secs());
                ender.end();
                std::process::exit(1);
            }
        });
        Self { _done: done }
    }
}
