//! Memory and CPU limits per project by cgroup, version 2 or 1; where neither can be written, said once and done without.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ids::ProjectId;
use model::instances::InstanceSize;

use crate::owner::operator_is_root;

const ROOT: &str = "/sys/fs/cgroup";
const PERIOD_MICROSECONDS: u64 = 100_000;

/// The groups of one node.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// One hierarchy.
    Two {
        parent: PathBuf,
    },
    /// A hierarchy for each resource.
    One {
        memory: PathBuf,
        cpu: PathBuf,
    },
    Absent,
}

impl Limits {
    /// Finds out what this machine offers. `node` tells homes apart.
    pub(crate) fn find(node: &str) -> Self {
        let root = Path::new(ROOT);
        let kind = if !operator_is_root() {
            Err(io::Error::other("only root can set them"))
        } else if root.join("cgroup.controllers").exists() {
            version_two(root, node)
        } else {
            version_one(root, node)
        };
        let kind = kind.unwrap_or_else(|cause| {
            tracing::info!(reason = %cause, "memory and CPU limits of projects are not enforced here");
            Kind::Absent
        });
        Self { kind }
    }

    /// Takes a process of the project in, with its memory limited. The CPU stays free until [`Self::settle`], so that starting is quick.
    pub(crate) fn admit(&self, id: ProjectId, size: InstanceSize, pid: i32) -> io::Result<()> {
        for (group, file, value) in self.memory(id, size) {
            fs::create_dir_all(&group)?;
            fs::write(group.join(file), value)?;
        }
        for group in self.groups(id) {
            fs::create_dir_all(&group)?;
            fs::write(group.join("cgroup.procs"), pid.to_string())?;
        }
        Ok(())
    }

    /// Limits the CPU.
    pub(crate) fn settle(&self, id: ProjectId, size: InstanceSize) -> io::Result<()> {
        let quota = u64::from(size.cpu_millicpus) * PERIOD_MICROSECONDS / 1000;
        self.set_cpu(id, Some(quota))
    }

    /// Lifts the CPU limit while something starts.
    pub(crate) fn relax(&self, id: ProjectId) -> io::Result<()> {
        self.set_cpu(id, None)
    }

    /// Removes the project's groups, which hold no process any more.
    pub(crate) fn remove(&self, id: ProjectId) -> io::Result<()> {
        self.groups(id).iter().try_for_each(|group| crate::failure::absent_is_fine(fs::remove_dir(group)))
    }

    /// Removes the node's own groups if they are empty.
    pub(crate) fn close(&self) {
        let parents: Vec<&PathBuf> = match &self.kind {
            Kind::Two { parent } => vec![parent],
            Kind::One { memory, cpu } => vec![memory, cpu],
            Kind::Absent => vec![],
        };
        for parent in parents {
            // Rightly fails while projects or other homes are left in it.
            drop(fs::remove_dir(parent));
            drop(parent.parent().map(fs::remove_dir));
        }
    }

    fn groups(&self, id: ProjectId) -> Vec<PathBuf> {
        match &self.kind {
            Kind::Two { parent } => vec![parent.join(id.to_string())],
            Kind::One { memory, cpu } => vec![memory.join(id.to_string()), cpu.join(id.to_string())],
            Kind::Absent => vec![],
        }
    }

    fn memory(&self, id: ProjectId, size: InstanceSize) -> Vec<(PathBuf, &'static str, String)> {
        let bytes = size.memory_bytes.to_string();
        match &self.kind {
            Kind::Two { parent } => vec![(parent.join(id.to_string()), "memory.max", bytes)],
            Kind::One { memory, .. } => vec![(memory.join(id.to_string()), "memory.limit_in_bytes", bytes)],
            Kind::Absent => vec![],
        }
    }

    fn set_cpu(&self, id: ProjectId, quota: Option<u64>) -> io::Result<()> {
        let (file, value) = match &self.kind {
            Kind::Two { parent } => {
                let quota = quota.map_or_else(|| "max".to_owned(), |it| it.to_string());
                (parent.join(id.to_string()).join("cpu.max"), format!("{quota} {PERIOD_MICROSECONDS}"))
            }
            Kind::One { cpu, .. } => {
                let quota = quota.map_or_else(|| "-1".to_owned(), |it| it.to_string());
                (cpu.join(id.to_string()).join("cpu.cfs_quota_us"), quota)
            }
            Kind::Absent => return Ok(()),
        };
        crate::failure::absent_is_fine(fs::write(file, value))
    }
}

fn version_two(root: &Path, node: &str) -> io::Result<Kind> {
    let hearth = root.join("hearth");
    let parent = hearth.join(node);
    fs::create_dir_all(&parent)?;
    for group in [root, &hearth, &parent] {
        fs::write(group.join("cgroup.subtree_control"), "+memory +cpu")?;
    }
    Ok(Kind::Two { parent })
}

fn version_one(root: &Path, node: &str) -> io::Result<Kind> {
    let place = |controller: &str| -> io::Result<PathBuf> {
        let hierarchy = root.join(controller);
        if !hierarchy.join("cgroup.procs").exists() {
            return Err(io::Error::other(format!("no cgroup hierarchy for {controller}")));
        }
        let parent = hierarchy.join("hearth").join(node);
        fs::create_dir_all(&parent)?;
        Ok(parent)
    };
    Ok(Kind::One { memory: place("memory")?, cpu: place("cpu")? })
}
