//! `hearth schema`: any two schemas compared, any three merged, without a cloud; nothing is left behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tests::{Cloud, binaries, postgres, wait};

const BASE: &str = "create table notes (id int primary key, text varchar(20) check (text in ('a', 'b')));";
const RICHER: &str = "
create type mood as enum ('calm', 'angry');
create table notes (id int primary key, text varchar(20) check (text in ('a', 'b')), mood mood not null default 'calm');
create index notes_mood on notes (mood);
create view calm_notes with (security_invoker = true) as select id from notes where mood = 'calm';
alter table notes enable row level security;
create policy everyone on notes for select to anon using (true);
grant select on notes to anon, somebody_unheard_of;
";

/// A folder of files, in which the command runs and keeps its own temporary files.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::Builder::new().prefix("hs").tempdir().expect("the temporary folder is writable");
        // A scratch server runs as a user of its own and has to pass through.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        fs::set_permissions(folder.path(), open).expect("the folder is ours");
        fs::create_dir(folder.path().join("tmp")).expect("the folder is ours");
        let desk = Self(folder);
        for (name, text) in files {
            fs::write(desk.path(name), text).expect("the folder is ours");
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binaries::hearth());
        command.arg("schema").args(arguments).current_dir(self.0.path()).env("TMPDIR", self.0.path().join("tmp"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("hearth runs");
        self.assert_clean();
        output
    }

    #[track_caller]
    fn stdout(&self, arguments: &[&str], status: i32) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).expect("the output is UTF-8")
    }

    /// No server runs and no file of one is left.
    #[track_caller]
    fn assert_clean(&self) {
        let left: Vec<_> = fs::read_dir(self.path("tmp")).expect("the folder is there").flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        let name = self.0.path().to_str().expect("temporary folders have plain names");
        let processes = tests::leftovers::processes_naming(&[name]);
        assert!(processes.is_empty(), "{processes:?}");
    }
}

#[test]
fn a_plan_leads_where_it_should_and_equal_schemas_need_none() {
    let desk = Desk::new(&[("base.sql", BASE), ("richer.sql", RICHER)]);
    assert_eq!(desk.stdout(&["plan", "--from", "richer.sql", "--to", "richer.sql"], 0), "");

    let plan = desk.stdout(&["plan", "--from", "base.sql", "--to", "richer.sql"], 0);
    assert!(plan.starts_with("begin;") && plan.ends_with("commit;\n"), "{plan}");
    fs::write(desk.path("changed.sql"), format!("{BASE}\n{plan}")).expect("the folder is ours");
    let rest = desk.stdout(&["plan", "--from", "changed.sql", "--to", "richer.sql"], 0);
    assert_eq!(rest, "", "planning again after applying gives nothing");

    let steps: Value =
        serde_json::from_str(&desk.stdout(&["plan", "--json", "--from", "base.sql", "--to", "richer.sql"], 0))
            .expect("the output is JSON");
    assert!(steps["statements"].as_array().is_some_and(|steps| steps.len() > 4), "{steps:#}");
    let facts = desk.stdout(&["extract", "richer.sql"], 0);
    assert!(facts.lines().any(|line| line.starts_with("policy:public.notes.everyone ")), "{facts}");
}

#[test]
fn a_merge_prints_its_sql_or_ends_with_status_two_and_the_conflicts() {
    let desk = Desk::new(&[
        ("base.sql", BASE),
        ("renamed.sql", "alter table notes rename to remarks;"),
        ("wider.sql", "alter table notes add column wide text;"),
        ("longer.sql", "alter table notes alter column text type varchar(30);"),
        ("shorter.sql", "alter table notes alter column text type varchar(10);"),
    ]);
    let merge = |target, source| ["merge", "--on-base", "--base", "base.sql", "--target", target, "--source", source];
    let script = desk.stdout(&merge("renamed.sql", "wider.sql"), 0);
    assert!(script.contains("alter table public.remarks add column wide text"), "{script}");

    let conflicts = desk.stdout(&merge("longer.sql", "shorter.sql"), 2);
    assert!(conflicts.contains("public.notes") && conflicts.contains("varying(10)"), "{conflicts}");
    let mut arguments = merge("longer.sql", "shorter.sql").to_vec();
    arguments.push("--json");
    let report: Value = serde_json::from_str(&desk.stdout(&arguments, 2)).expect("the output is JSON");
    assert_eq!(report["summary"]["conflicts"], 1, "{report:#}");

    // Without a common origin names are all there is: the same three as schemas of their own.
    let whole = |name: &str| {
        let text = fs::read_to_string(desk.path(name)).expect("it was written");
        let file = format!("whole-{name}");
        fs::write(desk.path(&file), format!("{BASE}\n{text}")).expect("the folder is ours");
        file
    };
    let (target, source) = (whole("wider.sql"), whole("longer.sql"));
    let script = desk.stdout(&["merge", "--base", "base.sql", "--target", &target, "--source", &source], 0);
    assert!(script.contains("type character varying(30)"), "{script}");
}

#[test]
fn errors_are_one_sentence_and_files_run_no_programs() {
    let desk = Desk::new(&[
        ("base.sql", BASE),
        ("wrong.sql", "select 1;\nselec 2;\n"),
        ("shell.sql", "\\! touch ran\n"),
        ("program.sql", "create table t (x text); copy t from program 'touch ran && echo x';"),
    ]);
    let refused = |arguments: &[&str], word: &str| {
        let output = desk.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("hearth: ") && stderr.contains(word), "'{word}' in: {stderr}");
    };
    refused(&["extract", "wrong.sql"], "wrong.sql, line 2");
    refused(&["extract", "shell.sql"], "restricted");
    refused(&["extract", "program.sql"], "program.sql, line 1");
    refused(&["extract", "nowhere.sql"], "nowhere.sql");
    refused(&["extract", "--scratch", "postgres://nobody:sesame@127.0.0.1:1/x", "base.sql"], "connect");
    refused(&["plan", "--from", "postgres://nobody:sesame@127.0.0.1:1/x", "--to", "base.sql"], "connect");
    refused(&["extract", "--postgres-distribution", "/nonexistent", "base.sql"], "/nonexistent");
    assert!(!desk.path("ran").exists(), "a file has run a program");
    let misused = desk.run(&["plan", "--from", "base.sql"]);
    assert_eq!(misused.status.code(), Some(1), "status 2 belongs to merges that do not go through");
}

#[tokio::test]
async fn an_interrupted_command_leaves_nothing() {
    let desk = Desk::new(&[("slow.sql", "select pg_sleep(60);")]);
    let mut child = desk
        .command(&["extract", "slow.sql"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("hearth runs");
    let tmp = desk.path("tmp");
    wait::until("the file runs", Duration::from_secs(60), || {
        let name = tmp.to_str().expect("temporary folders have plain names");
        let running = tests::leftovers::processes_naming(&[name]);
        std::future::ready((!running.is_empty() && socket(&tmp)).then_some(()))
    })
    .await;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process id fits"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("the child is ours");
    let status = child.wait().expect("a child can be waited for");
    assert_eq!(status.code(), Some(1));
    desk.assert_clean();
}

fn socket(folder: &Path) -> bool {
    let servers = fs::read_dir(folder).into_iter().flatten().flatten();
    servers.into_iter().any(|server| server.path().join("run/.s.PGSQL.5432").exists())
}

#[tokio::test]
async fn running_databases_are_read_and_a_named_server_keeps_nothing() {
    let cloud = Cloud::start().await;
    let desk = Desk::new(&[("base.sql", BASE)]);
    let control = format!("host={} user=hearth dbname=hearth", cloud.home().join("control/run").display());
    let facts = desk.stdout(&["extract", &control], 0);
    assert!(facts.contains("table:public.projects "), "{facts}");
    assert_eq!(desk.stdout(&["plan", "--from", &control, "--to", &control], 0), "");

    // What pg_dump writes of it loads again, and says the same.
    let pg_dump = postgres::program("pg_dump").expect("Postgres is installed");
    let dump = Command::new(pg_dump).args(["--schema-only", "--dbname", &control]).output().expect("pg_dump runs");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    fs::write(desk.path("dump.sql"), dump.stdout).expect("the folder is ours");
    let difference = desk.stdout(&["plan", "--scratch", &control, "--from", &control, "--to", "dump.sql"], 0);
    assert_eq!(difference, "");

    let names = Command::new(postgres::program("psql").expect("Postgres is installed"))
        .args([
            "-X",
            "-A",
            "-t",
            "-d",
            &control,
            "-c",
            "select count(*) from pg_database where datname like 'hearth_schema%'",
        ])
        .output()
        .expect("psql runs");
    assert_eq!(String::from_utf8_lossy(&names.stdout).trim(), "0", "no database is left");
    cloud.finish().await;
}
