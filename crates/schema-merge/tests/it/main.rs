//! The merge proved on a real Postgres: plans are run, and the catalog they lead to is read back.

mod applications;
mod cases;
mod cluster;
mod database;
mod dump;
mod laws;
mod matrix;
mod options;
mod planning_time;
mod proof;
mod random;
mod rows;
