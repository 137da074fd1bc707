//! `hearth up`: control database, control plane, worker, gateway and local provider in one process; and each role alone.
//!
//! Everything is started in the order in which it is needed and stopped in reverse, also when a later part fails to start.

mod edge;
mod parts;
mod price_lists;
mod shared_clients;
mod waker;

use std::sync::Arc;

use providers_local::LocalNode;

use crate::{
    announcement::Announcement,
    failure::Failure,
    home::{Home, Role},
    settings::UpSettings,
    stop_signals::StopSignals,
    up::parts::{Parts, Progress},
};

/// Runs the whole cloud, its control plane or its worker until Ctrl-C or SIGTERM.
pub(crate) async fn run(settings: UpSettings, role: Role) -> Result<(), Failure> {
    let mut stop = StopSignals::listen()?;
    let home = Home::locate(&settings.home)?;
    home.prepare()?;
    let _lock = home.lock(role)?;
    let progress = Progress::default();
    let mut parts = Parts::default();
    let started = tokio::select! {
        outcome = parts.start(&settings, role, &home, &progress) => outcome.map(Some),
        () = stop.received() => Ok(None),
    };
    let outcome = match started {
        Ok(Some(announcement)) => serve(&home, announcement.as_ref(), &mut stop).await,
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    if outcome.is_ok() {
        progress.step("stopping: projects are checkpointed");
    }
    let stopped = parts.stop().await;
    outcome.and(stopped)
}

async fn serve(home: &Home, announcement: Option<&Announcement>, stop: &mut StopSignals) -> Result<(), Failure> {
    if let Some(announcement) = announcement {
        let path = home.join("hearth.json");
        announcement.write(&path)?;
        announcement.print(&path);
    } else {
        println!("Worker is ready. Stop with Ctrl-C.");
    }
    stop.received().await;
    Ok(())
}

/// Serves and wakes this home's projects without control plane or control database, until Ctrl-C or SIGTERM.
pub(crate) async fn run_gateway(settings: UpSettings) -> Result<(), Failure> {
    let mut stop = StopSignals::listen()?;
    let home = Home::locate(&settings.home)?;
    home.prepare()?;
    let _lock = home.lock(Role::Gateway)?;
    let node = edge::open_node(&settings, &home).await?;
    let gateway = match edge::start_gateway(&settings, &home, Arc::clone(&node)).await {
        Ok(gateway) => gateway,
        Err(failure) => {
            stop_node(&node).await?;
            return Err(failure);
        }
    };
    let postgres = settings.postgres_address().map(|address| format!(", and for Postgres on {address}"));
    println!(
        "Gateway is ready on http://{} and https://{}{}. Stop with Ctrl-C.",
        settings.gateway_http_addr,
        settings.gateway_https_addr,
        postgres.unwrap_or_default()
    );
    stop.received().await;
    gateway.shutdown().await;
    stop_node(&node).await
}

async fn stop_node(node: &LocalNode) -> Result<(), Failure> {
    node.shutdown().await.map_err(|cause| Failure::caused("Could not stop every project", cause))
}
