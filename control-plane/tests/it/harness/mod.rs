//! One control plane per test, each with a database of its own.

mod app;
mod engine;
mod logs;
mod postgres;

pub(crate) use app::{App, INTERNAL_TOKEN, Reply, User, until};
pub(crate) use engine::MergeScript;
