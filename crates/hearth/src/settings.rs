//! Every setting of every role: flags, each with an environment variable; nothing else reads the environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use ids::PartnerId;
use model::{
    instances::InstanceType,
    limits::{self, Plan},
    partners::PartnerKind,
    regions::Region,
    usage::Period,
};

/// The cloud that hosts backends: control plane, worker, gateway and local provider in one binary.
#[derive(Debug, Parser)]
#[command(name = "hearth", version, about, propagate_version = true)]
pub(crate) struct Cli {
    /// What to log: a `tracing` filter such as `info` or `info,workflows=debug`.
    #[arg(long, global = true, env = "HEARTH_LOG", default_value = "warn,hearth=info")]
    pub(crate) log: String,
    /// Log JSON lines instead of text.
    #[arg(long, global = true, env = "HEARTH_LOG_JSON")]
    pub(crate) log_json: bool,
    /// The role to run.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The roles and the operator's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole cloud on this machine.
    Up(Box<UpSettings>),
    /// Run only the gateway: projects of this home are served and woken; neither control plane nor control database is needed.
    Gateway(Box<UpSettings>),
    /// Run only the control plane's API; `hearth worker` does what it is asked for, and the control database is started if it does not run.
    ControlPlane(Box<UpSettings>),
    /// Run only the worker: durable operations, schedules, and the supervision of this home's projects.
    Worker(Box<UpSettings>),
    /// Look at durable operations and try stuck ones again.
    Operations(OperationsSettings),
    /// Make and manage partners.
    Partner(PartnerSettings),
    /// Make usage reports again from the log.
    Usage(UsageSettings),
    /// Read, compare and merge the schemas of any databases; no cloud is needed.
    Schema(SchemaSettings),
    /// Look at the branches of a running cloud.
    Branch(BranchSettings),
}

/// The folder that holds everything.
#[derive(Clone, Debug, Args)]
pub(crate) struct HomeSettings {
    /// Folder for all state [default: ~/.hearth].
    #[arg(long, global = true, env = "HEARTH_HOME")]
    pub(crate) home: Option<PathBuf>,
}

/// Settings of `hearth up` and of the roles it is made of.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpSettings {
    #[command(flatten)]
    pub(crate) home: HomeSettings,
    /// Domain under which projects get their hosts.
    #[arg(long, env = "HEARTH_BASE_DOMAIN", default_value = "localhost")]
    pub(crate) base_domain: String,
    /// Address of the control plane's API.
    #[arg(long, env = "HEARTH_API_ADDR", default_value = "127.0.0.1:7100")]
    pub(crate) api_addr: SocketAddr,
    /// Address of the gateway for plain HTTP.
    #[arg(long, env = "HEARTH_GATEWAY_HTTP_ADDR", default_value = "127.0.0.1:7180")]
    pub(crate) gateway_http_addr: SocketAddr,
    /// Address of the gateway for HTTPS.
    #[arg(long, env = "HEARTH_GATEWAY_HTTPS_ADDR", default_value = "127.0.0.1:7143")]
    pub(crate) gateway_https_addr: SocketAddr,
    /// Address of the gateway for Postgres, behind TLS: where `psql` and other clients reach projects' databases.
    #[arg(long, env = "HEARTH_POSTGRES_LISTEN", default_value = "127.0.0.1:7132")]
    pub(crate) postgres_listen: SocketAddr,
    /// Serve no Postgres: databases are reached through projects' APIs only.
    #[arg(long, env = "HEARTH_NO_POSTGRES")]
    pub(crate) no_postgres: bool,
    /// Address on which the gateway takes routes.
    #[arg(long, env = "HEARTH_GATEWAY_ADMIN_ADDR", default_value = "127.0.0.1:7181")]
    pub(crate) gateway_admin_addr: SocketAddr,
    /// Certificate chain (PEM) for HTTPS instead of the local certificate authority's.
    #[arg(long, env = "HEARTH_TLS_CERT", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM) of that certificate.
    #[arg(long, env = "HEARTH_TLS_KEY", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Idle time after which a project sleeps, in seconds; 0 means never.
    #[arg(long, env = "HEARTH_SLEEP_AFTER_SECONDS", default_value_t = 900)]
    pub(crate) sleep_after_seconds: u64,
    /// How long a merge can be undone, in minutes, whole or not; 0 keeps nothing for that.
    #[arg(long, env = "HEARTH_MERGE_UNDO_MINUTES", default_value = "30", value_parser = minutes)]
    pub(crate) merge_undo_minutes: f64,
    /// Days after which a project of the free plan that nobody uses is paused, whole or not; 0 means never.
    #[arg(long, env = "HEARTH_PAUSE_IDLE_DAYS", default_value = "7", value_parser = days)]
    pub(crate) pause_idle_days: f64,
    /// Folder with price lists (TOML, as docs/PRICES.md says), each in place of the built-in one of the plan that it names.
    #[arg(long, env = "HEARTH_PLANS_DIR")]
    pub(crate) plans_dir: Option<PathBuf>,
    /// File (TOML) with clients at sign-in providers that projects may use: a table per provider, such as `[google]`, with `client_id` and
    /// `client_secret`. Keep it readable only by the operator; it is read at start and copied nowhere.
    #[arg(long, env = "HEARTH_SHARED_CLIENTS_FILE")]
    pub(crate) shared_clients_file: Option<PathBuf>,
    /// Base URL of the control plane's API as browsers reach it; sign-in providers send them there [default: that of --api-addr].
    #[arg(long, env = "HEARTH_PUBLIC_API_URL")]
    pub(crate) public_api_url: Option<String>,
    /// Networks that receivers of events may be in although they are private, such as `10.1.0.0/16`. Without them every receiver is on the
    /// public internet and speaks HTTPS.
    #[arg(long, env = "HEARTH_OUTBOUND_ALLOW", value_delimiter = ',')]
    pub(crate) outbound_allow: Vec<ipnet::IpNet>,
    /// Do not make a reflink pool for projects, even where clones would be instant with one.
    #[arg(long, env = "HEARTH_NO_POOL")]
    pub(crate) no_pool: bool,
    /// The data-plane binary [default: hearth-data-plane beside this one].
    #[arg(long, env = "HEARTH_DATA_PLANE_BINARY")]
    pub(crate) data_plane_binary: Option<PathBuf>,
    /// Folders with further Postgres distributions, each holding `bin/postgres`.
    #[arg(long = "postgres-distribution", env = "HEARTH_POSTGRES_DISTRIBUTIONS", value_delimiter = ':')]
    pub(crate) postgres_distributions: Vec<PathBuf>,
    /// First port of the thousands that data planes listen on.
    #[arg(long, env = "HEARTH_FIRST_PROJECT_PORT", default_value_t = 20000)]
    pub(crate) first_project_port: u16,
}

impl UpSettings {
    /// How long a merge can be undone.
    pub(crate) fn merge_undo(&self) -> Duration {
        Duration::from_secs_f64(self.merge_undo_minutes * 60.0)
    }

    /// Where the gateway serves Postgres, if it does.
    pub(crate) fn postgres_address(&self) -> Option<SocketAddr> {
        (!self.no_postgres).then_some(self.postgres_listen)
    }

    /// For how long nobody must have used a project of the free plan before it is paused; absent pauses none.
    pub(crate) fn pause_idle_after(&self) -> Option<Duration> {
        (self.pause_idle_days > 0.0).then(|| Duration::from_secs_f64(self.pause_idle_days * 86_400.0))
    }
}

/// A number of minutes up to a year.
fn minutes(text: &str) -> Result<f64, String> {
    up_to(525_600.0, text)
}

/// A number of days up to a year.
fn days(text: &str) -> Result<f64, String> {
    up_to(365.0, text)
}

fn up_to(most: f64, text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=most).contains(&number) { Ok(number) } else { Err(format!("not from 0 to {most}")) }
}

/// Settings of `hearth operations`.
#[derive(Debug, Args)]
pub(crate) struct OperationsSettings {
    #[command(flatten)]
    pub(crate) home: HomeSettings,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: OperationsCommand,
}

/// Settings of `hearth partner`.
#[derive(Debug, Args)]
pub(crate) struct PartnerSettings {
    #[command(flatten)]
    pub(crate) home: HomeSettings,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: PartnerCommand,
}

/// What an operator does with partners.
#[derive(Debug, Subcommand)]
pub(crate) enum PartnerCommand {
    /// Make a partner and print its id and its secret, once.
    Create {
        /// Display name.
        #[arg(long)]
        name: String,
        /// Whose customers its users are: co-branded or white-label.
        #[arg(long)]
        kind: PartnerKind,
        /// Plan of the projects that are its own [default: pro].
        #[arg(long)]
        plan: Option<Plan>,
        /// Active projects it may have at most.
        #[arg(long)]
        project_limit: Option<u32>,
        /// Regions it may use, separated by commas; all if left out.
        #[arg(long, value_delimiter = ',')]
        regions: Vec<Region>,
        /// Instance types it may use, separated by commas; all if left out.
        #[arg(long, value_delimiter = ',')]
        instance_types: Vec<InstanceType>,
    },
    /// All partners.
    List,
    /// Make a new secret. The present one works beside it for a while.
    RotateSecret {
        /// Partner id.
        id: PartnerId,
        /// For how many hours.
        #[arg(long, default_value_t = limits::PARTNER_SECRET_GRACE_HOURS)]
        grace_hours: i64,
    },
    /// Refuse a partner from now on. Its projects go on.
    Disable {
        /// Partner id.
        id: PartnerId,
    },
    /// Let a disabled partner in again.
    Enable {
        /// Partner id.
        id: PartnerId,
    },
}

/// Settings of `hearth usage`.
#[derive(Debug, Args)]
pub(crate) struct UsageSettings {
    #[command(flatten)]
    pub(crate) home: HomeSettings,
    /// Answer in JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: UsageCommand,
}

/// What an operator does with usage.
#[derive(Debug, Subcommand)]
pub(crate) enum UsageCommand {
    /// Make the days and totals of a month again from the log, and say how many were not what it says. New records wait meanwhile.
    Rebuild {
        /// The month, such as 2026-01.
        #[arg(long, value_parser = month)]
        month: Period,
    },
}

/// A calendar month.
fn month(text: &str) -> Result<Period, String> {
    Period::of_month(text).ok_or_else(|| "not a month such as 2026-01".to_owned())
}

/// What an operator does with operations.
#[derive(Debug, Subcommand)]
pub(crate) enum OperationsCommand {
    /// The newest operations, unfinished ones first.
    List {
        /// Only those in this state: queued, running, unwinding, stuck, succeeded, failed.
        #[arg(long)]
        state: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// One operation with its steps.
    Show {
        /// Operation id.
        id: ids::OperationId,
    },
    /// Try a stuck operation again now.
    Retry {
        /// Operation id.
        id: ids::OperationId,
    },
}

/// Settings of `hearth schema`. A schema is given as a DSN (`postgres://user@host/database`) or as a file of SQL that makes it.
#[derive(Debug, Args)]
pub(crate) struct SchemaSettings {
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Superuser DSN of a server on which files are loaded into throw-away databases; they run as that user [default: a server that is
    /// started for the purpose and removed at the end].
    #[arg(long, global = true, env = "HEARTH_SCRATCH", hide_env_values = true)]
    pub(crate) scratch: Option<String>,
    /// The role that runs files on a server started for the purpose, and so owns what they make.
    #[arg(long, global = true, default_value = "postgres")]
    pub(crate) owner: String,
    /// Run files as a superuser of a server started for the purpose, for what only superusers may make; they can then run programs on this
    /// machine, so only for files you trust.
    #[arg(long, global = true)]
    pub(crate) superuser: bool,
    /// A file that is run before every other, as a superuser: what the schemas take for granted.
    #[arg(long, global = true)]
    pub(crate) prelude: Option<PathBuf>,
    /// Folders with further Postgres distributions, each holding `bin/postgres`.
    #[arg(long = "postgres-distribution", global = true, env = "HEARTH_POSTGRES_DISTRIBUTIONS", value_delimiter = ':')]
    pub(crate) postgres_distributions: Vec<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

/// What can be done with schemas.
#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Print everything that a schema says, one fact a line.
    Extract {
        /// DSN or file.
        schema: String,
    },
    /// Print the SQL that turns one schema into another: nothing when they are equal. Status 2 when there is no such SQL.
    Plan {
        /// DSN or file of the schema that is to be changed.
        #[arg(long)]
        from: String,
        /// DSN or file of what it shall become.
        #[arg(long)]
        to: String,
    },
    /// Print the SQL that brings what the source changed since the base into the target. Status 2, and the conflicts, when that cannot be.
    Merge {
        /// DSN or file of what both began as.
        #[arg(long)]
        base: String,
        /// DSN or file of the schema that receives.
        #[arg(long)]
        target: String,
        /// DSN or file of the schema whose changes are merged.
        #[arg(long)]
        source: String,
        /// Target and source are files that are run on copies of the base, which tells renames from new things.
        #[arg(long)]
        on_base: bool,
        /// Target and source began as physical copies of the base: what has kept its number and lost its name was renamed.
        #[arg(long, conflicts_with = "on_base")]
        copies: bool,
        /// Id or class of a hazard that is approved; `all` approves every one. May be given several times.
        #[arg(long)]
        approve: Vec<String>,
        /// File with decisions on conflicts: `{"plan_hash": …, "choices": {"<conflict id>": "take_target"}}`, bound to the `plan_hash` of
        /// the same merge without them.
        #[arg(long)]
        resolutions: Option<PathBuf>,
    },
}

/// Settings of `hearth branch`.
#[derive(Debug, Args)]
pub(crate) struct BranchSettings {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: BranchCommand,
}

/// What can be done with branches.
#[derive(Debug, Subcommand)]
pub(crate) enum BranchCommand {
    /// Show what a merge of a branch would do. Status 2 when it would not go through.
    Diff(BranchDiffSettings),
}

/// Settings of `hearth branch diff`.
#[derive(Debug, Args)]
pub(crate) struct BranchDiffSettings {
    #[command(flatten)]
    pub(crate) home: HomeSettings,
    /// Id or name of the branch.
    pub(crate) branch: String,
    /// Show the update of the branch from its parent instead.
    #[arg(long)]
    pub(crate) update: bool,
    /// Print JSON.
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) json: bool,
    /// Print Markdown, for a pull request.
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Print no colours, also on a terminal.
    #[arg(long, env = "NO_COLOR", value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) no_color: bool,
    /// Base URL of the API [default: that of the cloud in the home folder].
    #[arg(long, env = "HEARTH_API_URL")]
    pub(crate) api_url: Option<String>,
    /// User API key [default: that of the first user of the cloud in the home folder].
    #[arg(long, env = "HEARTH_API_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}
