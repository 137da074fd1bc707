//! The embedded files, in order.

/// One migration.
pub(super) struct File {
    /// File name without its ending.
    pub(super) name: &'static str,
    /// Its text.
    pub(super) sql: &'static str,
}

impl File {
    /// The number its name begins with.
    pub(super) fn serial(&self) -> i32 {
        self.name.split('_').next().and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }

    /// Whether it needs a superuser.
    pub(super) fn as_superuser(&self) -> bool {
        self.sql.starts_with("-- as: superuser")
    }
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(File {
            name: $name,
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/data-plane/", $name, ".sql")),
        },)*]
    };
}

/// All migrations.
pub(super) const FILES: &[File] = files![
    "0001_roles",
    "0002_system",
    "0003_auth",
    "0004_storage",
    "0005_functions_and_schedules",
    "0006_email",
    "0007_realtime",
    "0008_payments",
    "0009_deployments_and_compute",
    "0010_memory",
    "0011_grants",
    "0012_schema_events",
    "0013_payments_legacy",
    "0014_migration_recording",
    "0015_oauth_flows",
    "0020_statistics",
    "0030_merge_journal",
    "0031_active_users",
    "0040_audit_requests",
];
