//! The data API against pgbench running the same statements, and against the real PostgREST on the same database.

mod replay;
mod shapes;
mod stage;

use std::{
    fs,
    time::{Duration, Instant},
};

use tests::DataPlane;

use crate::{
    Settings,
    report::Report,
    tools::{Load, load, pgbench, transactions_per_second},
};
use replay::Replay;
use shapes::Shape;
use stage::{Stage, cpu_time, own_megabytes, resident_megabytes, send};

/// Connections of pgbench; two threads drive them.
const CLIENTS: &str = "16";
const SETTLED: Duration = Duration::from_secs(5);
/// The slowest of a few says nothing about the slowest of a hundred.
const RELOADS: usize = 100;
const RELOAD_LIMIT: Duration = Duration::from_secs(10);

/// What one server did under load.
struct Served {
    load: Load,
    cpu_microseconds: f64,
}

pub(crate) async fn measure(settings: &Settings, report: &mut Report) {
    let stage = Stage::start().await;
    tokio::time::sleep(SETTLED).await;
    let idle = resident_megabytes(stage.data_plane);
    let own = own_megabytes(stage.data_plane);
    let measured = format!("{idle:.1} MB, {own:.1} MB without the program's own pages");
    report.add("data plane, idle, resident", measured, "≤ 15 MB", Some(idle <= 15.0));
    let shapes = shapes::all();
    let replays = replay::record(&stage, &shapes).await;
    let bare = transactions_per_second(pgbench(&stage.socket, &arguments(settings, &["-S".to_owned()])));
    for (shape, replay) in shapes.iter().zip(&replays) {
        stage.superuser("truncate notes; checkpoint");
        let ours = serve(settings, &stage, shape, true);
        let same = replayed(settings, &stage, replay);
        if shape.keys == 1_000_000 {
            share(report, "read by key, of pgbench -S", &ours, bare, Some(20.0));
        }
        share(
            report,
            &format!("{}, of pgbench with the same transaction", shape.name),
            &ours,
            same,
            (shape.keys == 1_000_000).then_some(60.0),
        );
        spread(report, shape, &ours);
        if stage.theirs.is_some() {
            stage.superuser("truncate notes; checkpoint");
            let theirs = serve(settings, &stage, shape, false);
            compare(report, shape, &ours, &theirs);
            if shape.name == shapes::BULK_INSERT {
                bound(settings, report, &stage, &ours, &theirs);
            }
        }
    }
    let after = resident_megabytes(stage.data_plane);
    report.add("data plane, after the load, resident", format!("{after:.1} MB"), "≤ 40 MB", Some(after <= 40.0));
    reload(report, &stage).await;
    many_tables(report, &stage).await;
    let Stage { cloud, reference, .. } = stage;
    drop(reference);
    cloud.finish().await;
}

fn arguments(settings: &Settings, rest: &[String]) -> Vec<String> {
    let seconds = settings.seconds.to_string();
    let common = ["-n", "-M", "prepared", "-c", CLIENTS, "-j", "2", "-T", &seconds];
    common.into_iter().map(str::to_owned).chain(rest.iter().cloned()).collect()
}

fn replayed(settings: &Settings, stage: &Stage, replay: &Replay) -> f64 {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let script = folder.path().join("transaction.sql");
    fs::write(&script, &replay.script).expect("the folder is ours");
    let mut rest = vec!["-f".to_owned(), script.display().to_string()];
    for (name, value) in &replay.variables {
        rest.extend(["-D".to_owned(), format!("{name}={value}")]);
    }
    transactions_per_second(pgbench(&stage.socket, &arguments(settings, &rest)))
}

/// Puts one server under load: 64 connections that are kept.
fn serve(settings: &Settings, stage: &Stage, shape: &Shape, ours: bool) -> Served {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let script = folder.path().join("request.lua");
    let (base, prefix, pid) = match (ours, &stage.theirs, &stage.reference) {
        (false, Some(base), Some(process)) => (base, "/", process.pid()),
        _ => (&stage.ours, if shape.calls() { "/api/database/" } else { "/api/database/records/" }, stage.data_plane),
    };
    fs::write(&script, lua(shape, prefix)).expect("the folder is ours");
    let headers = if ours { vec![format!("Authorization: Bearer {}", stage.anon_key)] } else { Vec::new() };
    load(base, &headers, Some(&script), 1);
    let began = cpu_time(pid);
    let load = load(base, &headers, Some(&script), settings.seconds);
    let cpu = cpu_time(pid).saturating_sub(began);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Served { cpu_microseconds: cpu.as_secs_f64() * 1e6 / load.requests as f64, load }
}

fn lua(shape: &Shape, prefix: &str) -> String {
    match (&shape.body, shape.path.split_once(shapes::KEY)) {
        (Some(body), _) => format!(
            "wrk.method = 'POST'\nwrk.path = '{prefix}{}'\nwrk.headers['Content-Type'] = 'application/json'\n\
             wrk.headers['Prefer'] = 'return=minimal'\nwrk.body = [==[{body}]==]\n",
            shape.path
        ),
        (None, Some((before, after))) => format!(
            "request = function() return wrk.format('GET', '{prefix}{before}' .. math.random(1, {}) .. '{after}') end\n",
            shape.keys
        ),
        (None, None) => format!("wrk.path = '{prefix}{}'\n", shape.path),
    }
}

fn share(report: &mut Report, what: &str, ours: &Served, other: f64, limit: Option<f64>) {
    let share = ours.load.per_second / other * 100.0;
    report.add(
        what,
        format!("{share:.0} % ({:.0} of {other:.0} per second)", ours.load.per_second),
        limit.map(|limit| format!("≥ {limit:.0} %")).unwrap_or_default(),
        limit.map(|limit| share >= limit),
    );
}

fn spread(report: &mut Report, shape: &Shape, ours: &Served) {
    let Served { load, cpu_microseconds } = ours;
    report.add(
        format!("{}, spread and CPU", shape.name),
        format!("{}; {cpu_microseconds:.0} µs of CPU a request", load.latency()),
        "p99 ≤ 4 × p50",
        Some(load.p99 <= load.p50 * 4),
    );
}

fn compare(report: &mut Report, shape: &Shape, ours: &Served, theirs: &Served) {
    let times = ours.load.per_second / theirs.load.per_second;
    report.add(
        format!("{}, against PostgREST", shape.name),
        format!(
            "{times:.1} × ({:.0} of {:.0} per second; theirs {}, {:.0} µs)",
            ours.load.per_second,
            theirs.load.per_second,
            theirs.load.latency(),
            theirs.cpu_microseconds
        ),
        "≥ 3 ×, p99 no worse",
        Some(times >= 3.0 && ours.load.p99 <= theirs.load.p99),
    );
}

/// What is left of it without a server: pgbench writing the same rows where nothing is to be parsed, sent or returned.
fn bound(settings: &Settings, report: &mut Report, stage: &Stage, ours: &Served, theirs: &Served) {
    stage.superuser(shapes::READY_ROWS);
    for (how, script) in shapes::WRITING_READY_ROWS {
        stage.superuser("truncate notes; checkpoint");
        let replay = Replay { script: script.to_owned(), variables: Vec::new() };
        let alone = replayed(settings, stage, &replay);
        report.add(
            format!("{}, Postgres alone, {how}", shapes::BULK_INSERT),
            format!(
                "{alone:.0} per second, {:.1} × PostgREST; ours {:.0} % of it",
                alone / theirs.load.per_second,
                ours.load.per_second / alone * 100.0
            ),
            "",
            None,
        );
    }
}

/// From the commit of a new table, made past the data plane, to the first request that finds it.
async fn reload(report: &mut Report, stage: &Stage) {
    let caller = DataPlane::at(&stage.ours, None).with_token(&stage.anon_key);
    let mut times = Vec::new();
    for number in 0..RELOADS {
        stage.superuser(&format!(
            "set role project_admin; create table fresh_{number} (id int primary key); grant select on fresh_{number} to anon"
        ));
        let began = Instant::now();
        while caller.get(&format!("/api/database/records/fresh_{number}")).await.status != 200 {
            assert!(began.elapsed() < RELOAD_LIMIT, "a new table stays unknown");
        }
        times.push(began.elapsed());
    }
    report.add_times("schema change made by psql → known", &times, 100, Some(100));
}

/// The first request after a change of a schema of 2,000 tables waits for the whole schema to be read.
async fn many_tables(report: &mut Report, stage: &Stage) {
    stage.superuser(shapes::MANY_TABLES);
    stage.superuser("notify pgrst");
    let caller = DataPlane::at(&stage.ours, None).with_token(&stage.anon_key);
    let shape = &shapes::all()[0];
    let mut times = Vec::new();
    for _ in 0..3 {
        stage.superuser("notify pgrst");
        times.push(send(&caller, shape, 1).await);
    }
    report.add_times("schema cache of 2,000 tables, read anew", &times, 1000, Some(1000));
    let resident = resident_megabytes(stage.data_plane);
    report.add("data plane with 2,000 tables, resident", format!("{resident:.1} MB"), "", None);
}
