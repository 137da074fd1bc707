//! The four sources clients know, and which file each reads.

use std::path::{Path, PathBuf};

use super::{entries::Entry, files, postgres};

/// A source.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: &'static str,
    /// Name of its file of JSON lines.
    pub(super) token: &'static str,
    /// A file that is read where the first is not there.
    instead: Option<Instead>,
}

#[derive(Clone, Copy, Debug)]
enum Instead {
    /// Postgres' own text.
    PostgresText,
    /// The process's own file, of which only requests to the data API belong here: it serves them itself.
    DataApiRequests,
}

/// All sources.
pub(super) const SOURCES: &[Source] = &[
    Source { name: "insforge.logs", token: super::writer::FILE, instead: None },
    Source { name: "postgres.logs", token: "postgres.logs.jsonl", instead: Some(Instead::PostgresText) },
    Source { name: "postgREST.logs", token: "postgrest.logs.jsonl", instead: Some(Instead::DataApiRequests) },
    Source { name: "function.logs", token: "function.logs.jsonl", instead: None },
];

const POSTGRES_TEXT: &str = "postgres.log";

/// The source of this name.
pub(super) fn find(name: &str) -> Option<&'static Source> {
    SOURCES.iter().find(|source| source.name.eq_ignore_ascii_case(name) || source.token == name)
}

impl Source {
    /// The file it reads in `folder`; `None` when nothing was ever written.
    pub(super) fn file(&self, folder: &Path) -> Option<PathBuf> {
        let instead = self.instead.map(|instead| match instead {
            Instead::PostgresText => POSTGRES_TEXT,
            Instead::DataApiRequests => super::writer::FILE,
        });
        let names = std::iter::once(self.token).chain(instead);
        names.map(|name| folder.join(name)).find(|path| path.is_file())
    }

    /// The newest entries that `wanted` takes, at most `most`, oldest first. Reads files; run it where blocking is allowed.
    pub(super) fn newest(
        &self,
        folder: &Path,
        most: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> std::io::Result<Vec<Entry>> {
        let Some(path) = self.file(folder) else { return Ok(Vec::new()) };
        let own = path.ends_with(self.token);
        let read = |text: &str| match self.instead {
            Some(Instead::PostgresText) if !own => postgres::entries(text),
            _ => text.lines().filter_map(Entry::from_json_line).collect(),
        };
        let belongs = |entry: &Entry| match self.instead {
            Some(Instead::DataApiRequests) if !own => entry.is_data_api_request(),
            _ => true,
        };
        files::newest(&path, most, read, |entry| belongs(entry) && wanted(entry))
    }
}
