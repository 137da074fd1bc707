//! `hearth schema`: reads, compares and merges the schemas of any databases, without a cloud.

mod files;
mod place;
mod reading;
mod report;
mod scratch;

use std::{path::Path, process::ExitCode};

use futures::future::try_join_all;
use schema_merge::{Base, Options, Snapshot, merge_with, plan};
use tokio_postgres::Config;

use self::{place::Place, scratch::Scratch};
use crate::{
    failure::Failure,
    settings::{SchemaCommand, SchemaSettings},
    stop_signals::StopSignals,
};

/// What a merge that does not go through ends with.
const CONFLICT: u8 = 2;

/// Runs one of the subcommands.
pub(crate) async fn run(settings: SchemaSettings) -> Result<ExitCode, Failure> {
    let mut stop = StopSignals::listen()?;
    let places = places(&settings.command)?;
    let mut scratch = match places.iter().any(|place| matches!(place, Place::File(_))) {
        true => Some(Scratch::open(&settings).await?),
        false => None,
    };
    // The server is stopped and its databases removed however this ends.
    let outcome = tokio::select! {
        outcome = carry_out(&settings, &places, scratch.as_mut()) => outcome,
        () = stop.received() => Err(Failure::new("Interrupted.")),
    };
    let closed = match scratch {
        Some(scratch) => scratch.close().await,
        None => Ok(()),
    };
    let code = outcome?;
    closed.map(|()| code)
}

fn places(command: &SchemaCommand) -> Result<Vec<Place>, Failure> {
    let texts = match command {
        SchemaCommand::Extract { schema } => vec![schema],
        SchemaCommand::Plan { from, to } => vec![from, to],
        SchemaCommand::Merge { base, target, source, .. } => vec![base, target, source],
    };
    texts.into_iter().map(|text| Place::parse(text)).collect()
}

async fn carry_out(
    settings: &SchemaSettings,
    places: &[Place],
    scratch: Option<&mut Scratch>,
) -> Result<ExitCode, Failure> {
    let on_base = matches!(settings.command, SchemaCommand::Merge { on_base: true, .. });
    let databases = databases(places, settings.prelude.as_deref(), on_base, scratch).await?;
    // Each has a backend of its own, which does most of the work.
    let mut snapshots = try_join_all(databases.iter().map(reading::snapshot)).await?;
    for (snapshot, place) in snapshots.iter_mut().zip(places) {
        report::name_unmodelled(place, snapshot);
        if !keeps_lineage(&settings.command) {
            forget_lineage(snapshot);
        }
    }
    match snapshots.as_slice() {
        [schema] => report::extracted(schema, settings.json),
        [from, to] => report::planned(&plan::two_way(&from.catalog, &to.catalog), settings.json),
        [base, target, source] => {
            let options = options(&settings.command)?;
            let plan = merge_with(&Base::one(base.clone()), target, source, &options)
                .map_err(|cause| Failure::caused("The resolutions cannot be used", cause))?;
            report::merged(&plan, settings.json)
        }
        _ => unreachable!("each subcommand names one to three places"),
    }
}

fn options(command: &SchemaCommand) -> Result<Options, Failure> {
    let SchemaCommand::Merge { approve, resolutions, .. } = command else { return Ok(Options::default()) };
    let mut options = Options { approve: approve.clone(), ..Options::default() };
    if let Some(path) = resolutions {
        let text = std::fs::read(path).map_err(|cause| Failure::io("read", path, cause))?;
        let read = serde_json::from_slice(&text);
        options.resolutions =
            Some(read.map_err(|cause| Failure::caused(format!("{} cannot be read", path.display()), cause))?);
    }
    Ok(options)
}

/// Every place as a database.
async fn databases(
    places: &[Place],
    prelude: Option<&Path>,
    on_base: bool,
    mut scratch: Option<&mut Scratch>,
) -> Result<Vec<Config>, Failure> {
    let mut databases: Vec<Config> = Vec::new();
    for place in places {
        let database = match (place, scratch.as_deref_mut(), databases.first()) {
            (Place::Database(_), ..) if on_base => {
                return Err(Failure::new("With --on-base all three schemas are files."));
            }
            (Place::Database(config), ..) => (**config).clone(),
            (Place::File(file), Some(scratch), Some(base)) if on_base => scratch.load_onto(base, file).await?,
            (Place::File(file), Some(scratch), _) => scratch.load(file, prelude).await?,
            (Place::File(_), None, _) => unreachable!("a scratch server is there when there are files"),
        };
        databases.push(database);
    }
    Ok(databases)
}

/// Oids of databases that have nothing to do with each other are equal by chance only.
fn keeps_lineage(command: &SchemaCommand) -> bool {
    matches!(command, SchemaCommand::Merge { on_base, copies, .. } if *on_base || *copies)
}

fn forget_lineage(snapshot: &mut Snapshot) {
    let facts: Vec<_> = snapshot.catalog.iter().map(|fact| fact.identity.clone()).collect();
    for identity in facts {
        if let Some(mut fact) = snapshot.catalog.remove(&identity) {
            fact.lineage.object = None;
            snapshot.catalog.insert(fact);
        }
    }
}
