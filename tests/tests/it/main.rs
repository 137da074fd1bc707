//! Whole-cloud tests: everything here drives the built binaries over HTTP and looks at the machine afterwards.

mod accounts;
mod architecture;
mod bad_input;
mod branches;
mod cli;
mod cli_requests;
mod conservation;
mod crashes;
mod documentation;
mod gateway;
mod journeys;
mod lifecycle;
mod load;
mod merges;
mod operations;
mod partners;
mod postgres;
mod schema_command;
mod shared_sign_ins;
