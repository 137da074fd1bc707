//! How to open a node.

use std::{
    ffi::OsString,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use model::sealing::MasterKey;

use crate::{mounts::home_number, pool::PoolChoice, postgres::Distribution};

/// Ports that data planes listen on, unless configured.
pub const DEFAULT_PORTS: RangeInclusive<u16> = 20_000..=29_999;

/// Users that projects may run as when the operator is root, unless configured.
pub const DEFAULT_UIDS: RangeInclusive<u32> = 200_000..=2_000_199_999;

const UIDS_PER_HOME: u32 = 100_000;

/// The part of `space` that one home uses: 100,000 users at a place of its own, since a user must not be shared between homes on one
/// machine. A space with no more than that is used whole.
pub(crate) fn home_uids(space: &RangeInclusive<u32>, home: &Path) -> RangeInclusive<u32> {
    let slices = (space.end() - space.start()) / UIDS_PER_HOME;
    if slices < 2 {
        return space.clone();
    }
    let first = space.start() + home_number(home) % slices * UIDS_PER_HOME;
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
    /// Users that projects run as when the operator is root; each home uses a part of its own of a large space.
    pub uids: RangeInclusive<u32>,
    /// `PATH` of data planes, which start helpers of their own.
    pub program_path: String,
    /// What data planes have in their environment besides.
    pub environment: Vec<(String, OsString)>,
}

impl LocalConfig {
    /// A configuration with defaults.
    #[must_use]
    pub fn new(
        home: PathBuf,
        data_plane_binary: PathBuf,
        distributions: Vec<Distribution>,
        master_key: MasterKey,
    ) -> Self {
        Self {
            home,
            data_plane_binary,
            distributions,
            pool: PoolChoice::default(),
            pool_bytes: None,
            master_key,
            ports: DEFAULT_PORTS,
            uids: DEFAULT_UIDS,
            program_path: DEFAULT_PATH.to_owned(),
            environment: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_use_parts_of_their_own_within_the_space() {
        let (one, other) = (home_uids(&DEFAULT_UIDS, Path::new("/a")), home_uids(&DEFAULT_UIDS, Path::new("/b")));
        assert!(one != other && one.start().abs_diff(*other.start()) >= UIDS_PER_HOME);
        assert!(DEFAULT_UIDS.contains(one.start()) && DEFAULT_UIDS.contains(one.end()));
        assert_eq!(home_uids(&(70_000..=70_500), Path::new("/a")), 70_000..=70_500);
    }
}
