//! The `hearth` binary: settings → logs → role.

mod announcement;
mod audited;
mod branch;
mod control_database;
mod failure;
mod home;
mod operations;
mod output;
mod partners;
mod schema;
mod settings;
mod stop_signals;
mod up;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    failure::Failure,
    home::Role,
    settings::{Cli, Command},
};

/// Plans and catalogs are many small pieces; this is where a merge's time goes with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Status 2 belongs to merges that do not go through.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _closed = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    telemetry::start(&cli.log, if cli.log_json { telemetry::Format::Json } else { telemetry::Format::Text });
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::caused("Could not start the asynchronous runtime", cause))
        .and_then(|runtime| runtime.block_on(run(cli.command)));
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("hearth: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, Failure> {
    let done = match command {
        Command::Up(settings) => up::run(*settings, Role::Whole).await,
        Command::ControlPlane(settings) => up::run(*settings, Role::ControlPlane).await,
        Command::Worker(settings) => up::run(*settings, Role::Worker).await,
        Command::Gateway(settings) => up::run_gateway(*settings).await,
        Command::Operations(settings) => operations::run(settings).await,
        Command::Partner(settings) => partners::run(settings).await,
        Command::Usage(settings) => usage::run(settings).await,
        Command::Schema(settings) => return schema::run(settings).await,
        Command::Branch(settings) => return branch::run(settings).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}
