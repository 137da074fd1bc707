//! The rules: what each looks for is one query over the catalog and the statistics, in a file of its own.

use deadpool_postgres::ClientWrapper;
use tokio_postgres::{error::SqlState, types::Type};

/// A rule.
pub(super) struct Rule {
    /// Stable name; clients know it.
    pub(super) id: &'static str,
    /// `security`, `performance` or `health`.
    pub(super) category: &'static str,
    sql: &'static str,
}

/// What a rule found.
pub(super) struct Finding {
    pub(super) rule_id: &'static str,
    pub(super) category: &'static str,
    pub(super) severity: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) affected_object: Option<String>,
    pub(super) recommendation: Option<String>,
}

/// What rules are asked about.
pub(super) struct Scope {
    /// Schemas looked at.
    pub(super) schemas: Vec<String>,
    /// Schemas that the data API serves.
    pub(super) exposed: Vec<String>,
    /// How long a transaction may idle or a statement run.
    pub(super) long_seconds: f64,
}

macro_rules! rules {
    ($($id:literal $category:literal),* $(,)?) => {
        &[$(Rule { id: $id, category: $category, sql: include_str!(concat!("rules/", $id, ".sql")) },)*]
    };
}

/// All rules.
pub(super) const RULES: &[Rule] = rules![
    "rls-disabled" "security",
    "rls-permissive" "security",
    "rls-no-policy" "security",
    "dangerous-function" "security",
    "rls-select-only" "security",
    "missing-fk-index" "performance",
    "unused-index" "performance",
    "connection-usage" "performance",
    "idle-in-transaction" "performance",
    "low-cache-hit-ratio" "performance",
    "long-running-query" "performance",
    "rls-policy-perf" "performance",
    "missing-rls-index" "performance",
    "dead-tuples" "health",
    "stale-statistics" "health",
    "sequence-exhaustion" "health",
    "autovacuum-blocked" "health",
    "slow-query" "performance",
];

/// Schemas that no rule looks at.
const EXCLUDED: &[&str] = &[
    "ai",
    "compute",
    "deployments",
    "email",
    "functions",
    "memory",
    "payments",
    "schedules",
    "system",
    "auth",
    "realtime",
    "storage",
    "cron",
    "extensions",
    "graphql",
    "graphql_public",
    "information_schema",
    "net",
    "pgmq",
    "pgroonga",
    "pgsodium",
    "pgsodium_masks",
    "pgtle",
    "pgbouncer",
    "pg_catalog",
    "repack",
    "supabase_functions",
    "supabase_migrations",
    "tiger",
    "topology",
    "vault",
];

impl Scope {
    /// The scope of a scan that begins now.
    pub(super) async fn read(client: &ClientWrapper, long_seconds: f64) -> Result<Self, tokio_postgres::Error> {
        let excluded = EXCLUDED;
        let row = client
            .query_one(
                "select coalesce(array_agg(nspname::text) filter (where not nspname::text = any ($1) and nspname !~ '^(pg_|_timescaledb_)'), '{}'),
                    coalesce(array_agg(nspname::text) filter (where system.is_exposed_schema(nspname::text)), '{}')
                 from pg_catalog.pg_namespace",
                &[&excluded],
            )
            .await?;
        Ok(Self { schemas: row.get(0), exposed: row.get(1), long_seconds })
    }
}

impl Rule {
    /// What it finds now.
    pub(super) async fn find(
        &self,
        client: &ClientWrapper,
        scope: &Scope,
    ) -> Result<Vec<Finding>, tokio_postgres::Error> {
        let Some(sql) = self.statement(client).await? else { return Ok(Vec::new()) };
        let statement = client.prepare_typed(&sql, &[Type::TEXT_ARRAY, Type::TEXT_ARRAY, Type::FLOAT8]).await?;
        let rows = match client.query(&statement, &[&scope.schemas, &scope.exposed, &scope.long_seconds]).await {
            // The extension is there, but its library is not loaded: nothing was measured.
            Err(error) if error.code() == Some(&SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE) => Vec::new(),
            rows => rows?,
        };
        rows.iter()
            .map(|row| {
                Ok(Finding {
                    rule_id: self.id,
                    category: self.category,
                    severity: row.try_get(0)?,
                    title: row.try_get(1)?,
                    description: row.try_get(2)?,
                    affected_object: row.try_get(3)?,
                    recommendation: row.try_get(4)?,
                })
            })
            .collect()
    }

    /// Its query; `None` where what it asks is not installed.
    async fn statement(&self, client: &ClientWrapper) -> Result<Option<String>, tokio_postgres::Error> {
        if !self.sql.contains("{statistics}") {
            return Ok(Some(self.sql.to_owned()));
        }
        // The view that belongs to the extension, not one of the same name that somebody made.
        let found = client
            .query_opt(
                "select format('%I.%I', n.nspname, c.relname)
                 from pg_catalog.pg_extension e
                 join pg_catalog.pg_depend d on d.refclassid = 'pg_catalog.pg_extension'::regclass and d.refobjid = e.oid
                     and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype = 'e'
                 join pg_catalog.pg_class c on c.oid = d.objid and c.relname = 'pg_stat_statements'
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                 where e.extname = 'pg_stat_statements'",
                &[],
            )
            .await?;
        Ok(found.map(|row| self.sql.replace("{statistics}", row.get(0))))
    }
}
