//! Named Postgres installations: Debian's packages, and folders the operator adds.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use providers::{Error, Result};

const OLDEST: u32 = 15;
const NEWEST: u32 = 18;
const DEBIAN: &str = "/usr/lib/postgresql";

/// One installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// `debian-15`, or the folder's name for one the operator added.
    pub name: String,
    /// Major version, 15 to 18.
    pub major: u32,
    /// The folder with `postgres` and `initdb`.
    pub bin: PathBuf,
    /// Extensions that `create extension` will find.
    pub extensions: BTreeSet<String>,
}

impl Distribution {
    /// Reads the installation with its programs in `bin`.
    ///
    /// # Errors
    /// Refused when it is no Postgres, not supported or incomplete.
    pub fn read(name: impl Into<String>, bin: &Path) -> Result<Self> {
        let name = name.into();
        let postgres = bin.join("postgres");
        let refused = |why: &str| Error::Refused(format!("{}: {why}", postgres.display()));
        let output = Command::new(&postgres)
            .arg("--version")
            .output()
            .map_err(|cause| refused(&format!("cannot be run ({cause})")))?;
        let major =
            major_version(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| refused("is not Postgres"))?;
        if !(OLDEST..=NEWEST).contains(&major) {
            return Err(refused(&format!("is version {major}; {OLDEST} to {NEWEST} are supported")));
        }
        if !bin.join("initdb").exists() {
            return Err(Error::Refused(format!(
                "{} has no initdb; on Debian: apt install postgresql-{major}",
                bin.display()
            )));
        }
        let extensions = extension_folder(bin, major).map(|folder| extensions_in(&folder)).unwrap_or_default();
        Ok(Self { name, major, bin: bin.to_owned(), extensions })
    }

    /// One of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// An error that names what to install, unless the extension is there.
    ///
    /// # Errors
    /// Refused when it is missing.
    pub fn require_extension(&self, extension: &str) -> Result<()> {
        if self.extensions.contains(extension) {
            return Ok(());
        }
        let major = self.major;
        let package = match extension {
            "vector" => format!("postgresql-{major}-pgvector"),
            "pg_cron" => format!("postgresql-{major}-cron"),
            "postgis" => format!("postgresql-{major}-postgis-3"),
            "http" => format!("postgresql-{major}-http"),
            _ => format!("postgresql-{major}"),
        };
        Err(Error::Refused(format!(
            "Postgres {} has no extension {extension}; on Debian: apt install {package}",
            self.name
        )))
    }
}

/// Debian's installations, newest first, and then those in `folders` (each with `bin/postgres`). The first is the default.
///
/// # Errors
/// Refused when a named folder is unusable or there is none at all.
pub fn find_distributions(folders: &[PathBuf]) -> Result<Vec<Distribution>> {
    let mut found: Vec<_> = (OLDEST..=NEWEST)
        .rev()
        .map(|major| (major, Path::new(DEBIAN).join(major.to_string()).join("bin")))
        .filter(|(_, bin)| bin.join("postgres").exists() && bin.join("initdb").exists())
        .map(|(major, bin)| Distribution::read(format!("debian-{major}"), &bin))
        .collect::<Result<_>>()?;
    for folder in folders {
        let name = folder.file_name().map_or_else(|| "custom".to_owned(), |name| name.to_string_lossy().into_owned());
        let added = Distribution::read(name, &folder.join("bin"))?;
        if found.iter().any(|other| other.name == added.name) {
            return Err(Error::Refused(format!("two Postgres distributions are named {}", added.name)));
        }
        found.push(added);
    }
    if found.is_empty() {
        let hint =
            "no Postgres was found; on Debian: apt install postgresql, elsewhere name a folder that holds bin/postgres";
        return Err(Error::Refused(hint.to_owned()));
    }
    Ok(found)
}

fn major_version(text: &str) -> Option<u32> {
    let version = text.strip_prefix("postgres (PostgreSQL) ")?;
    version.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
}

fn extension_folder(bin: &Path, major: u32) -> Option<PathBuf> {
    let told =
        Command::new(bin.join("pg_config")).arg("--sharedir").output().ok().filter(|output| output.status.success());
    let told = told.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let above = bin.parent()?;
    let guesses = [
        Some(PathBuf::from(format!("/usr/share/postgresql/{major}"))).filter(|_| bin.starts_with(DEBIAN)),
        told,
        Some(above.join("share/postgresql")),
        Some(above.join("share")),
    ];
    guesses.into_iter().flatten().map(|folder| folder.join("extension")).find(|folder| folder.is_dir())
}

fn extensions_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".control")?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_postgres_says() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("something else"), None);
    }

    #[test]
    fn the_installed_postgres_is_found_and_misses_name_their_package() {
        let found = find_distributions(&[]).expect("Postgres is installed");
        assert!(found[0].extensions.contains("plpgsql"), "{found:?}");
        let error = found[0].require_extension("no_such_extension").expect_err("it is missing");
        assert!(error.to_string().contains("apt install"), "{error}");
        let unusable = find_distributions(&[PathBuf::from("/nonexistent")]).expect_err("it is not there");
        assert!(unusable.to_string().contains("/nonexistent"), "{unusable}");
    }
}
