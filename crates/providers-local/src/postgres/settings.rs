//! `postgresql.conf` of a project's cluster and of the control database. Every start writes it anew, so a new release or size takes effect.

use std::{fmt::Write as _, path::Path};

use model::instances::InstanceSize;

use super::{DATABASE, DEVELOPER_ROLE, OWNER_ROLE, SUPERUSER, TENANT_USER};

const MIB: u64 = 1024 * 1024;

/// Connections that developers leave to others: the data plane's pools, listener, migrations and backups (27), clones and the provider itself
/// (6), those who have not signed in yet (4), and what Postgres keeps for superusers (3).
pub const RESERVED_CONNECTIONS: u32 = 40;

/// Named settings in order, and who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: Vec<(&'static str, String)>,
    access: Access,
}

/// Who may connect over the socket. Its folder is closed to all but the project's own user and the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everybody who reaches it.
    Socket,
    /// The project's own processes, and developers by password as one role to one database.
    Project,
}

impl Settings {
    /// The file. The socket folder is the only way in.
    #[must_use]
    pub fn render(&self, sockets: &Path) -> String {
        let mut text = String::from("# Written by Hearth at every start; changes here are lost.\n");
        let sockets = sockets.display().to_string();
        let own = [
            ("unix_socket_directories", sockets.as_str()),
            ("unix_socket_permissions", "0700"),
            ("listen_addresses", ""),
        ];
        for (name, value) in own.into_iter().chain(self.values.iter().map(|(name, value)| (*name, value.as_str()))) {
            writeln!(text, "{name} = '{}'", value.replace('\'', "''")).expect("writing to a string");
        }
        text
    }

    /// `pg_hba.conf`: the first line that fits decides.
    #[must_use]
    pub fn render_access(&self) -> String {
        match self.access {
            Access::Socket => "local all all trust\n".to_owned(),
            Access::Project => format!(
                "# Written by Hearth at every start; changes here are lost.\n\
                 local {DATABASE} {DEVELOPER_ROLE} scram-sha-256\n\
                 local all {SUPERUSER},{OWNER_ROLE},{TENANT_USER} trust\n\
                 local all all reject\n"
            ),
        }
    }

    /// The value of one setting.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }
}

fn common() -> Vec<(&'static str, String)> {
    let fixed = [
        ("huge_pages", "off"),
        ("jit", "off"),
        ("wal_level", "replica"),
        // After a kill and on the first start of a clone the default would sync every file one by one: seconds instead of a tenth.
        ("recovery_init_sync_method", "syncfs"),
        ("log_destination", "stderr"),
        ("logging_collector", "off"),
        ("log_line_prefix", "%m [%p] "),
        ("log_timezone", "UTC"),
        ("timezone", "UTC"),
        ("password_encryption", "scram-sha-256"),
        ("lc_messages", "C"),
    ];
    fixed.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// A project's cluster: quiet when idle (5.9 MB and no CPU), growing with the instance.
#[must_use]
pub fn project_settings(size: InstanceSize) -> Settings {
    let memory_mib = size.memory_bytes / MIB;
    let small = memory_mib <= 1024;
    let workers = (size.cpu_millicpus / 1000).clamp(1, 16);
    let mut settings = common();
    settings.extend([
        ("shared_buffers", format!("{}MB", if small { 16 } else { memory_mib / 4 })),
        ("max_connections", if small { 60 } else { (memory_mib / 32).clamp(80, 500) }.to_string()),
        ("work_mem", format!("{}kB", (memory_mib * 1024 / 256).clamp(2048, 65_536))),
        ("maintenance_work_mem", format!("{}MB", (memory_mib / 16).clamp(16, 2048))),
        ("effective_cache_size", format!("{}MB", memory_mib / 2)),
        ("max_worker_processes", (workers + 1).to_string()),
        ("max_parallel_workers", if small { 0 } else { workers }.to_string()),
        ("max_logical_replication_workers", "0".to_owned()),
        ("max_wal_senders", "2".to_owned()),
        // Live clones hold their write-ahead log by a temporary slot each.
        ("max_replication_slots", "10".to_owned()),
        ("min_wal_size", "16MB".to_owned()),
        // By itself Postgres takes no more than a segment, which is small here: writers would wait for the disk with pages locked.
        ("wal_buffers", if small { "-1" } else { "16MB" }.to_owned()),
        ("max_wal_size", format!("{}MB", if small { 64 } else { (memory_mib / 4).clamp(256, 8192) })),
        ("checkpoint_timeout", "1h".to_owned()),
        ("autovacuum_max_workers", if small { 1 } else { 3 }.to_string()),
        ("autovacuum_naptime", "10min".to_owned()),
        ("bgwriter_delay", "10s".to_owned()),
        ("bgwriter_lru_maxpages", if small { 0 } else { 100 }.to_string()),
        ("wal_writer_delay", "10s".to_owned()),
    ]);
    Settings { values: settings, access: Access::Project }
}

/// A cluster that need not outlive a crash of the machine.
#[must_use]
pub fn throw_away_settings(size: InstanceSize) -> Settings {
    let mut settings = project_settings(size);
    settings.values.extend(careless());
    settings
}

fn careless() -> Vec<(&'static str, String)> {
    ["fsync", "synchronous_commit", "full_page_writes"].map(|name| (name, "off".to_owned())).into()
}

/// The control database: always on, many connections, everything durable.
#[must_use]
pub fn control_settings(max_connections: u32) -> Settings {
    let mut settings = common();
    settings.extend([
        ("shared_buffers", "128MB".to_owned()),
        ("max_connections", max_connections.to_string()),
        ("fsync", "on".to_owned()),
        ("synchronous_commit", "on".to_owned()),
        ("full_page_writes", "on".to_owned()),
        ("max_wal_size", "1GB".to_owned()),
        ("checkpoint_timeout", "5min".to_owned()),
    ]);
    Settings { values: settings, access: Access::Socket }
}

/// A server whose databases nobody will miss: nothing durable, and room for the locks of thousands of tables in one transaction.
#[must_use]
pub fn scratch_settings() -> Settings {
    let mut settings = common();
    settings.extend([
        ("shared_buffers", "64MB".to_owned()),
        ("max_connections", "40".to_owned()),
        ("max_locks_per_transaction", "2048".to_owned()),
        ("autovacuum", "off".to_owned()),
        ("max_wal_size", "1GB".to_owned()),
    ]);
    settings.extend(careless());
    Settings { values: settings, access: Access::Socket }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::instances::InstanceType;

    #[test]
    fn settings_grow_with_the_instance_and_are_quoted() {
        let nano = project_settings(InstanceType::Nano.size());
        assert_eq!(nano.get("shared_buffers"), Some("16MB"));
        assert_eq!(nano.get("max_connections"), Some("60"));
        let large = project_settings(InstanceType::Large.size());
        assert_eq!(large.get("shared_buffers"), Some("2048MB"));
        assert!(nano.render_access().ends_with("local all all reject\n"));
        let text = nano.render(Path::new("/it's"));
        assert!(
            text.contains("unix_socket_directories = '/it''s'\n") && text.contains("listen_addresses = ''\n"),
            "{text}"
        );
    }
}
