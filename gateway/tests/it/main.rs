//! The gateway as its clients, its projects, the control plane and the operator see it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod harness;
mod postgres;
mod protocol;
mod restrictions;
mod routing;
mod sleeping;
mod streaming;
mod tls;
mod upstream;
mod usage;
mod waking;
