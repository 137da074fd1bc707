//! `hearth branch diff`: what a merge of a branch would do, asked of a running cloud by a dry run and shown to people or programs.

mod api;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use schema_merge::{DiffResult, render};
use serde_json::Value;

use self::api::Api;
use crate::{
    failure::Failure,
    settings::{BranchCommand, BranchDiffSettings, BranchSettings},
};

/// What a merge that would not go through ends with.
const BLOCKED: u8 = 2;

/// Runs one of the subcommands.
pub(crate) async fn run(settings: BranchSettings) -> Result<ExitCode, Failure> {
    match settings.command {
        BranchCommand::Diff(settings) => diff(&settings).await,
    }
}

async fn diff(settings: &BranchDiffSettings) -> Result<ExitCode, Failure> {
    let api = Api::find(settings)?;
    let id = api.branch(&settings.branch).await?;
    let verb = if settings.update { "update" } else { "merge" };
    let (body, refused) = api.dry_run(&format!("/projects/v1/branches/{id}/{verb}?dryRun=true")).await?;
    let blocked = show(settings, &body)? || refused.is_some();
    if let Some(refused) = refused {
        eprintln!("hearth: {refused}");
    }
    Ok(if blocked { ExitCode::from(BLOCKED) } else { ExitCode::SUCCESS })
}

/// Prints a diff; true when the merge would not go through.
fn show(settings: &BranchDiffSettings, body: &Value) -> Result<bool, Failure> {
    let unreadable = |cause| Failure::caused("The answer of the API cannot be read", cause);
    let diff: DiffResult = serde_json::from_value(body.clone()).map_err(unreadable)?;
    let text = if settings.json {
        serde_json::to_string_pretty(body).map_err(unreadable)? + "\n"
    } else if settings.markdown {
        render::markdown(&diff)
    } else {
        render::terminal(&diff, !settings.no_color && io::stdout().is_terminal())
    };
    // A closed pipe is no failure.
    let _closed = io::stdout().write_all(text.as_bytes());
    Ok(!diff.conflicts.is_empty() || !diff.unsupported.is_empty())
}
