//! Starts whole clouds (`hearth up` with a home of its own, on free ports) and drives them over HTTP, for tests and benchmarks.
//!
//! [`Cloud::start`] is the entry; a cloud dropped by a failing test shows the end of its log and leaves nothing running.

pub mod api;
pub mod apps;
pub mod binaries;
pub mod cloud;
pub mod data_plane;
pub mod database;
pub mod leftovers;
pub mod logs;
pub mod node;
pub mod ports;
pub mod postgres;
pub mod wait;
pub mod writer;

pub use api::{Api, Branch, Project, Reply};
pub use cloud::{Cloud, Options};
pub use data_plane::DataPlane;
pub use database::Database;
