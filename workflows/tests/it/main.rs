//! Sagas and their engine on a real control database, with a provider in memory and a gateway and data planes that are one small server.

mod cases;
mod cloud;
mod engine;
mod every_saga;
mod faults;
mod merges;
mod postgres;
mod quotas;
mod reseal;
mod server;
mod sweep;
mod webhooks;
