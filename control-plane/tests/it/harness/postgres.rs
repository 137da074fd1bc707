//! One throw-away Postgres for the whole run, and a database per test, cloned from a migrated template.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use model::sealing::MasterKey;
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::OnceCell;

/// Starts a cluster in `$1` and stops and removes it when standard input ends, which it does however the test process ends.
const SCRIPT: &str = r#"
set -eu
folder=$1 bin=$2
run() { if [ "$(id -u)" = 0 ]; then setpriv --reuid="$(id -u nobody)" --regid="$(id -g nobody)" --clear-groups env HOME=/ "$@"; else "$@"; fi; }
if [ "$(id -u)" = 0 ]; then chown nobody "$folder"; fi
run "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --no-sync >/dev/null
run "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/log" --wait --silent start \
    -o "-c listen_addresses='' -c unix_socket_directories='$folder' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400" >/dev/null </dev/null
echo ready
cat >/dev/null || true
run "$bin/pg_ctl" --pgdata="$folder/data" --mode=immediate --silent stop || true
rm -rf "$folder"
"#;

struct Cluster {
    folder: PathBuf,
    /// Its standard input is what keeps the cluster.
    _keeper: Child,
}

static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

fn bin() -> PathBuf {
    if let Some(bin) = env::var_os("POSTGRES_BIN") {
        return bin.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").expect("Postgres is installed, or POSTGRES_BIN names it");
    versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).max().expect("some version is installed")
}

impl Cluster {
    fn start() -> Self {
        let folder = env::temp_dir().join(format!("hearth-control-plane-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let mut keeper = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(&folder)
            .arg(bin())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let mut line = String::new();
        let out = keeper.stdout.take().expect("standard output is piped");
        BufReader::new(out).read_line(&mut line).expect("the keeper says something");
        assert_eq!(line.trim(), "ready", "Postgres did not start; see above");
        Self { folder, _keeper: keeper }
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(&self.folder).username("postgres").database(database)
    }
}

async fn execute(options: &PgConnectOptions, sql: &str) {
    let mut conn = PgConnection::connect_with(options).await.expect("the cluster takes connections");
    sqlx::raw_sql(sql).execute(&mut conn).await.expect(sql);
    conn.close().await.expect("it closes");
}

/// The cluster with its template: migrated, and with a signing key, which takes long to make.
async fn cluster(master: &MasterKey) -> &'static Cluster {
    CLUSTER
        .get_or_init(|| async {
            let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("the cluster starts");
            execute(&cluster.options("postgres"), "create database template_hearth").await;
            let pool =
                PgPool::connect_with(cluster.options("template_hearth")).await.expect("the template takes connections");
            store::migrate(&pool).await.expect("the migrations run");
            super::app::make_signing_key(&pool, master).await;
            pool.close().await;
            cluster
        })
        .await
}

/// A database of one's own.
pub(super) async fn database(master: &MasterKey) -> PgPool {
    let cluster = cluster(master).await;
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    execute(
        &cluster.options("postgres"),
        &format!("create database {name} template template_hearth strategy file_copy"),
    )
    .await;
    let options = PgPoolOptions::new().max_connections(12);
    options.connect_with(cluster.options(&name)).await.expect("the database takes connections")
}
