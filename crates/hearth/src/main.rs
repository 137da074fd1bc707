//! The `hearth` binary: settings → logs → role.

mod announcement;
mod control_database;
mod failure;
mod home;
mod operations;
mod output;
mod partners;
mod settings;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    failure::Failure,
    settings::{Cli, Command},
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start(&cli.log, if cli.log_json { telemetry::Format::Json } else { telemetry::Format::Text });
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::caused("Could not start the asynchronous runtime", cause))
        .and_then(|runtime| runtime.block_on(run(cli.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hearth: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Up(settings) => up::run(*settings).await,
        Command::Gateway(settings) => up::run_gateway(*settings).await,
        Command::Operations(settings) => operations::run(settings).await,
        Command::Partner(settings) => partners::run(settings).await,
    }
}
