//! The local provider with real Postgres and a stand-in data plane: the suite of all providers, and what only a local one does.

mod cloning;
mod conformance;
mod control;
mod harness;
mod isolation;
mod sleeping;
mod survival;
