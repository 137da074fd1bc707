//! How to open a node.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use model::sealing::MasterKey;

use crate::{mounts::home_number, pool::PoolChoice, postgres::Distribution};

/// Ports that data planes listen on, unless configured.
pub const DEFAULT_PORTS: RangeInclusive<u16> = 20_000..=29_999;

const FIRST_UID: u32 = 200_000;
const UIDS_PER_HOME: u32 = 100_000;
const UID_RANGES: u32 = 20_000;

/// Users that projects of a home run as when the operator is root, unless configured: 100,000 from 200,000 on, at a place of the home's
/// own, since a user must not be shared between homes.
#[must_use]
pub fn default_uids(home: &Path) -> RangeInclusive<u32> {
    let first = FIRST_UID + home_number(home) % UID_RANGES * UIDS_PER_HOME;
    first..=first + UIDS_PER_HOME - 1
}

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How to open a node.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// `$HEARTH_HOME`.
    pub home: PathBuf,
    /// The `hearth-data-plane` program.
    pub data_plane_binary: PathBuf,
    /// Postgres installations; new projects get the first.
    pub distributions: Vec<Distribution>,
    /// Whether to make a reflink pool.
    pub pool: PoolChoice,
    /// Size of a new pool; absent means half of the free space, at most 200 GiB.
    pub pool_bytes: Option<u64>,
    /// Seals what is kept of data planes' environments.
    pub master_key: MasterKey,
    /// Ports that data planes listen on.
    pub ports: RangeInclusive<u16>,
    /// Users that projects run as when the operator is root; absent means [`default_uids`].
    pub uids: Option<RangeInclusive<u32>>,
    /// `PATH` of data planes, which start helpers of their own.
    pub program_path: String,
}

impl LocalConfig {
    /// A configuration with defaults.
    #[must_use]
    pub fn new(home: PathBuf, data_plane_binary: PathBuf, distributions: Vec<Distribution>, master_key: MasterKey) -> Self {
        Self {
            home,
            data_plane_binary,
            distributions,
            pool: PoolChoice::default(),
            pool_bytes: None,
            master_key,
            ports: DEFAULT_PORTS,
            uids: None,
            program_path: DEFAULT_PATH.to_owned(),
        }
    }
}
