//! Where everything of the local provider lies: under the home folder, and under the place where projects' own users reach their data.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ids::ProjectId;

/// The folders of one node.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// `$HEARTH_HOME`; only the operator reads it.
    pub(crate) home: PathBuf,
    /// Projects, templates and binaries, at a path that every project's user can traverse.
    pub(crate) data: PathBuf,
}

impl Layout {
    pub(crate) fn projects(&self) -> PathBuf {
        self.data.join("projects")
    }

    pub(crate) fn templates(&self) -> PathBuf {
        self.data.join("templates")
    }

    pub(crate) fn binaries(&self) -> PathBuf {
        self.data.join("binaries")
    }

    pub(crate) fn ports(&self) -> PathBuf {
        self.home.join("ports")
    }

    pub(crate) fn uids(&self) -> PathBuf {
        self.home.join("uids")
    }

    pub(crate) fn awake(&self) -> PathBuf {
        self.home.join("awake")
    }

    pub(crate) fn project(&self, id: ProjectId) -> ProjectFolder {
        ProjectFolder { root: self.projects().join(id.to_string()) }
    }

    /// Every project of which a folder exists.
    pub(crate) fn project_ids(&self) -> io::Result<Vec<ProjectId>> {
        ids_in(&self.projects())
    }
}

/// The entries of a folder that are project ids.
pub(crate) fn ids_in(folder: &Path) -> io::Result<Vec<ProjectId>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder)? {
        ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<ProjectId>().ok()));
    }
    Ok(ids)
}

/// A cluster's data directory and the objects that belong to it: cloned, kept and swapped as one.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    pub(crate) root: PathBuf,
}

impl Contents {
    /// The names of the parts.
    pub(crate) const PARTS: [&'static str; 2] = ["pgdata", "storage"];

    pub(crate) fn pgdata(&self) -> PathBuf {
        self.root.join("pgdata")
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.root.join("storage")
    }
}

/// One project's folder.
#[derive(Clone, Debug)]
pub(crate) struct ProjectFolder {
    pub(crate) root: PathBuf,
}

impl ProjectFolder {
    pub(crate) fn live(&self) -> Contents {
        Contents { root: self.root.clone() }
    }

    /// A first copy that is not complete yet.
    pub(crate) fn incoming(&self) -> Contents {
        Contents { root: self.root.join("incoming") }
    }

    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    pub(crate) fn snapshot(&self, name: &str) -> Contents {
        Contents { root: self.snapshots().join(name) }
    }

    pub(crate) fn reset(&self) -> PathBuf {
        self.root.join("reset")
    }

    pub(crate) fn prepared(&self) -> Contents {
        Contents { root: self.reset().join("prepared") }
    }

    pub(crate) fn old(&self) -> Contents {
        Contents { root: self.reset().join("old") }
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Which processes run; written by the operator, closed to the project's user.
    pub(crate) fn processes(&self) -> PathBuf {
        self.root.join("processes")
    }

    pub(crate) fn postgres_process(&self) -> PathBuf {
        self.processes().join("postgres.json")
    }

    pub(crate) fn data_plane_process(&self) -> PathBuf {
        self.processes().join("data-plane.json")
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.root.join("project.json")
    }

    pub(crate) fn environment(&self) -> PathBuf {
        self.root.join("environment.sealed")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }
}
