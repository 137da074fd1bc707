//! Where projects' data lies: the home itself when its file system can share blocks between files, else a sparse XFS image in it, so that
//! clones are instant on any disk. A full pool refuses projects before it hurts, and grows while mounted.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use providers::{Error, Result};

use crate::{
    copy::reflinks,
    failure::{Doing as _, full},
    mounts::{expose, loop_file, mounted, prepare_target, run, unlink, withdraw},
    owner::{folder, operator_is_root},
};

const GIB: u64 = 1024 * 1024 * 1024;
const MOST_BYTES: u64 = 200 * GIB;
/// `mkfs.xfs` refuses less than 300 MB.
const LEAST_BYTES: u64 = 320 * 1024 * 1024;
/// Below this no project is admitted, wherever its data lies.
const RESERVE_BYTES: u64 = 256 * 1024 * 1024;
const GROW_ABOVE_PERCENT: u64 = 80;

/// Whether to make a reflink pool where the home has no reflink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolChoice {
    /// When possible; otherwise copy plainly, which is slower.
    #[default]
    Auto,
    /// Never; an existing pool is still used.
    Never,
    /// Refuse to start without reflink.
    Required,
}

/// The place of projects' data.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Where it is reached.
    pub(crate) data: PathBuf,
    /// Whether clones share blocks.
    pub(crate) reflink: bool,
    image: Option<PathBuf>,
    home: PathBuf,
    /// Whether the operator was told that room runs low.
    told: AtomicBool,
}

impl Pool {
    /// Finds or makes the place. Callers hold the node's mount lock.
    pub(crate) fn open(home: &Path, choice: PoolChoice, bytes: Option<u64>) -> Result<Self> {
        let image = home.join("pool.xfs");
        if image.exists() {
            return Self::mount(home, image);
        }
        let plain = home.join("data");
        folder(&plain, 0o711, None).doing(|| format!("making {}", plain.display()))?;
        let reflink = reflinks(&plain).doing(|| format!("trying {}", plain.display()))?;
        let occupied = fs::read_dir(&plain).is_ok_and(|mut entries| entries.next().is_some());
        if !reflink && !occupied && choice != PoolChoice::Never {
            match make_image(home, &image, bytes).and_then(|()| Self::mount(home, image.clone())) {
                Ok(pool) => return Ok(pool),
                Err(error) if choice == PoolChoice::Required => return Err(error),
                Err(error) => {
                    crate::failure::remove_file(&image).doing(|| format!("removing {}", image.display()))?;
                    tracing::info!(
                        reason = crate::failure::chain(&error),
                        "no reflink pool here: clones are plain copies"
                    );
                }
            }
        }
        if !reflink && choice == PoolChoice::Required {
            return Err(Error::Refused(format!(
                "{} has no reflink and holds projects already, so no pool can be made",
                home.display()
            )));
        }
        Ok(Self {
            data: expose(home, "data")?,
            reflink,
            image: None,
            home: home.to_owned(),
            told: AtomicBool::new(false),
        })
    }

    fn mount(home: &Path, image: PathBuf) -> Result<Self> {
        if !operator_is_root() {
            return Err(Error::Refused(format!("{} can be mounted by root only", image.display())));
        }
        let target = prepare_target(home, "data")?;
        let ours = |mount: crate::mounts::Mount| loop_file(&mount.source).is_some_and(|file| file == image);
        if !mounted(&target)?.is_some_and(ours) {
            withdraw(&target)?;
            let target = prepare_target(home, "data")?;
            let options = "loop,noatime,nodev,nosuid,discard";
            run("mount", &["-t", "xfs", "-o", options, &image.to_string_lossy(), &target.to_string_lossy()])?;
            folder(&target, 0o711, None).doing(|| format!("opening {}", target.display()))?;
        }
        Ok(Self {
            data: target,
            reflink: true,
            image: Some(image),
            home: home.to_owned(),
            told: AtomicBool::new(false),
        })
    }

    /// Whether this is an image of ours.
    pub(crate) fn image(&self) -> Option<&Path> {
        self.image.as_deref()
    }

    /// Refuses another project when pool or disk is nearly full.
    pub(crate) fn admit(&self) -> Result<()> {
        for place in [&self.data, &self.home] {
            let space = Space::of(place)?;
            if space.free < RESERVE_BYTES.max(space.total / 50) {
                return Err(full());
            }
        }
        Ok(())
    }

    /// Grows the pool by half when it is more than 80 % full and the disk has the room; says so when it has not.
    pub(crate) fn grow_when_needed(&self) -> Result<bool> {
        let (space, disk) = (Space::of(&self.data)?, Space::of(&self.home)?);
        // A sparse pool may be nearly empty on a disk that is nearly full.
        let fullest = space.percent_used().max(disk.percent_used());
        let more = (space.total / 2).min(disk.free.saturating_sub(RESERVE_BYTES) / 2);
        let image = self.image.as_deref().filter(|_| more > RESERVE_BYTES && space.percent_used() > GROW_ABOVE_PERCENT);
        let Some(image) = image else {
            self.tell(fullest);
            return Ok(false);
        };
        let doing = || format!("growing {}", image.display());
        let bytes = fs::metadata(image).doing(doing)?.len() + more;
        File::options().write(true).open(image).and_then(|file| file.set_len(bytes)).doing(doing)?;
        let device = mounted(&self.data)?.ok_or_else(|| Error::transient(doing(), "it is not mounted"))?.source;
        run("losetup", &["--set-capacity", &device])?;
        run("xfs_growfs", &["-d", &self.data.to_string_lossy()])?;
        tracing::info!(bytes, pool = %image.display(), "the pool has grown");
        Ok(true)
    }

    /// Says once that room runs low, and again only after it did not.
    fn tell(&self, percent: u64) {
        let low = percent > GROW_ABOVE_PERCENT;
        if low && !self.told.swap(low, Ordering::Relaxed) {
            tracing::warn!(used_percent = percent, home = %self.home.display(), "room for projects runs low");
        }
        self.told.store(low, Ordering::Relaxed);
    }

    /// Unmounts it.
    pub(crate) fn close(&self) -> Result<()> {
        if operator_is_root() {
            withdraw(&self.data)?;
        }
        unlink(&self.data).doing(|| format!("removing {}", self.data.display()))
    }
}

fn make_image(home: &Path, image: &Path, bytes: Option<u64>) -> Result<()> {
    if !operator_is_root() {
        return Err(Error::Refused("only root can make a reflink pool".to_owned()));
    }
    let free = Space::of(home)?.free;
    let bytes = bytes.unwrap_or_else(|| (free / 2).min(MOST_BYTES)).max(LEAST_BYTES);
    let unfinished = image.with_extension("new");
    let doing = || format!("making {}", image.display());
    crate::failure::remove_file(&unfinished).doing(doing)?;
    let file = File::options().write(true).create_new(true).open(&unfinished).doing(doing)?;
    file.set_len(bytes).doing(doing)?;
    run("mkfs.xfs", &["-q", "-m", "reflink=1", &unfinished.to_string_lossy()])?;
    file.sync_all().doing(doing)?;
    fs::rename(&unfinished, image).doing(doing)
}

/// Room on a file system. What it keeps back for itself is in neither, so `total` may be less than its size.
#[derive(Clone, Copy, Debug)]
struct Space {
    total: u64,
    free: u64,
}

impl Space {
    fn of(place: &Path) -> Result<Self> {
        let stat = rustix::fs::statvfs(place)
            .map_err(std::io::Error::from)
            .doing(|| format!("measuring {}", place.display()))?;
        let (used, free) = ((stat.f_blocks - stat.f_bfree) * stat.f_frsize, stat.f_bavail * stat.f_frsize);
        Ok(Self { total: used + free, free })
    }

    fn percent_used(self) -> u64 {
        100 - (self.free * 100).checked_div(self.total).unwrap_or(0)
    }
}
