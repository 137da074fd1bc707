//! The HTTP platform and authentication, against the built binary on a Postgres that asks for passwords.

mod cloud;
mod harness;
mod keys;
mod limits;
mod metering;
mod passwords;
mod platform;
mod refusals;
mod scripts;
mod sessions;
mod standalone;
