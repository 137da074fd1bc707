//! Reading one row by key over REST, against pgbench reading the same row in the same transaction, and against bare `pgbench -S`.

use std::fs;

use tests::{Cloud, DataPlane};

use crate::{
    Settings,
    report::Report,
    tools::{pgbench, requests_per_second, run, socket_folder, transactions_per_second},
};

const SCALE: &str = "10";
const ROWS: u32 = 1_000_000;

/// What the data plane does for the same read: take on the caller's role and claims, read, commit.
const SAME_TRANSACTION: &str = "\
\\set aid random(1, 1000000)
begin;
select set_config('role', 'anon', true), set_config('request.jwt.claims', '{\"role\":\"anon\"}', true);
select coalesce(json_agg(r), '[]') from (select * from public.pgbench_accounts where aid = :aid) r;
commit;
";

pub(crate) async fn measure(settings: &Settings, report: &mut Report) {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Reader").await;
    let admin = DataPlane::of(&cloud, &project.id).await;
    let socket = socket_folder(&cloud, &project.id);
    run(&mut pgbench(&socket, &["-i", "-q", "-s", SCALE]));
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let (script, transaction) = (folder.path().join("read.lua"), folder.path().join("read.sql"));
    fs::write(&script, lua()).expect("the folder is ours");
    fs::write(&transaction, SAME_TRANSACTION).expect("the folder is ours");
    grant(&socket);

    let direct = project.direct_url.expect("a local project has its own address");
    let headers = [format!("Authorization: Bearer {}", admin.anon_key().await)];
    let seconds = settings.seconds.to_string();
    let clients = ["-n", "-M", "prepared", "-c", "16", "-j", "2", "-T", &seconds];
    requests_per_second(&direct, &headers, Some(&script), 1);
    let (mut rest, mut same, mut bare) = (0.0_f64, 0.0_f64, 0.0_f64);
    for _ in 0..2 {
        bare = bare.max(transactions_per_second(pgbench(&socket, &[&clients[..], &["-S"]].concat())));
        let file = transaction.to_string_lossy();
        same = same.max(transactions_per_second(pgbench(&socket, &[&clients[..], &["-f", &file]].concat())));
        rest = rest.max(requests_per_second(&direct, &headers, Some(&script), settings.seconds));
    }
    for (what, other, limit) in [
        ("REST read by key, of pgbench with the same transaction", same, 60.0),
        ("REST read by key, of pgbench -S", bare, 20.0),
    ] {
        let share = rest / other * 100.0;
        report.add(
            what,
            format!("{share:.0} % ({rest:.0} of {other:.0} per second)"),
            format!("≥ {limit:.0} %"),
            Some(share >= limit),
        );
    }
    cloud.finish().await;
}

/// The tables are pgbench's; anonymous callers may read them.
fn grant(socket: &std::path::Path) {
    let psql = tests::postgres::program("psql").expect("Postgres is installed");
    let mut command = std::process::Command::new(psql);
    command.arg("-h").arg(socket).args([
        "-U",
        "hearth_superuser",
        "-d",
        "insforge",
        "-c",
        "grant select on pgbench_accounts to anon",
    ]);
    command.env("PGPORT", crate::tools::port(socket));
    run(&mut command);
}

fn lua() -> String {
    format!(
        "request = function() return wrk.format('GET', '/api/database/records/pgbench_accounts?aid=eq.' .. math.random(1, {ROWS})) end\n"
    )
}
