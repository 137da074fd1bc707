//! The data API against recorded cases and against the real PostgREST on an equal database.

mod case;
mod cases;
mod crowd;
mod differential;
mod forms;
mod generator;
mod interruptions;
mod isolation;
mod leaving;
mod properties;
mod reload;
mod settings;
mod twin;
