//! `hearth-data-plane`: serves one project; `hearth-data-plane migrate` only prepares its database.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hearth_data_plane::{config::Config, migrations, pools::Pools, serve, startup};
use tokio::signal::unix::{SignalKind, signal};

/// A request makes some hundred small allocations; this allocator needs half the time of the system's for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The backend of one project.
#[derive(Parser)]
#[command(name = "hearth-data-plane", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    config: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Run internal migrations and exit.
    Migrate,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::start(&arguments.config.log_level, telemetry::Format::Text);
    // A project's process is one of many on its machine: few threads, so that an idle one stays small.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hearth-data-plane: {}", telemetry::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { command, config } = arguments;
    if matches!(command, Some(Command::Migrate)) {
        let pools = Pools::new(&config)?;
        migrations::run(&pools, &config.postgres_user).await?;
        startup::let_tenants_in(&pools, &config).await.map_err(|error| error.message().to_owned())?;
        return Ok(());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let serving = serve::start(config, clock::for_role("data-plane")).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    serving.stop().await;
    Ok(())
}
