//! Bytes on disk. A version of an object is a file named by the hash of its key and its etag, so no key is ever a path, a new version never
//! overwrites an old one, and what a crash leaves over is harmless.

use std::{
    io,
    path::{Path, PathBuf},
};

use md5::Digest as _;
use sha2::Sha256;
use tokio::{
    fs::{self, File},
    io::AsyncWriteExt as _,
};
use uuid::Uuid;

const DRAFTS: &str = ".uploads";

/// A version that is being written.
pub(super) struct Draft {
    path: PathBuf,
    file: File,
    hash: md5::Md5,
    pub(super) size: u64,
    /// The first bytes.
    pub(super) head: Vec<u8>,
    kept: bool,
}

/// A complete version, not yet in place.
pub(super) struct Written {
    draft: Draft,
    pub(super) etag: String,
}

impl Draft {
    pub(super) async fn create(storage: &Path) -> io::Result<Self> {
        let folder = storage.join(DRAFTS);
        fs::create_dir_all(&folder).await?;
        let path = folder.join(Uuid::new_v4().simple().to_string());
        let file = File::options().create_new(true).write(true).open(&path).await?;
        Ok(Self { path, file, hash: md5::Md5::new(), size: 0, head: Vec::new(), kept: false })
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        let wanted = 4096_usize.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..wanted]);
        self.file.write_all(bytes).await
    }

    /// On return the bytes survive a crash.
    pub(super) async fn finish(mut self) -> io::Result<Written> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let etag = hex::encode(std::mem::replace(&mut self.hash, md5::Md5::new()).finalize());
        Ok(Written { draft: self, etag })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            // A draft that cannot be removed is only lost space.
            let _left = std::fs::remove_file(&self.path);
        }
    }
}

impl Written {
    pub(super) fn size(&self) -> u64 {
        self.draft.size
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.draft.head
    }

    /// Puts it where readers look; it is visible once its row is committed.
    pub(super) async fn place(mut self, storage: &Path, bucket: &str, key: &str) -> io::Result<()> {
        let target = path(storage, bucket, key, &self.etag);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).await?;
        }
        fs::rename(&self.draft.path, &target).await?;
        self.draft.kept = true;
        Ok(())
    }
}

/// Where a version lies.
pub(super) fn path(storage: &Path, bucket: &str, key: &str, etag: &str) -> PathBuf {
    storage.join(bucket).join(format!("{}.{etag}", name(key)))
}

/// Removes all versions of an object but the one with this etag.
pub(super) async fn remove_others(storage: &Path, bucket: &str, key: &str, etag: Option<&str>) -> io::Result<()> {
    let prefix = format!("{}.", name(key));
    let mut entries = match fs::read_dir(storage.join(bucket)).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    while let Some(entry) = entries.next_entry().await? {
        let file_name = entry.file_name();
        let Some(version) = file_name.to_str().and_then(|text| text.strip_prefix(&prefix)) else { continue };
        if Some(version) != etag {
            accept_absence(fs::remove_file(entry.path()).await)?;
        }
    }
    Ok(())
}

/// Removes one version.
pub(super) async fn remove(storage: &Path, bucket: &str, key: &str, etag: &str) -> io::Result<()> {
    accept_absence(fs::remove_file(path(storage, bucket, key, etag)).await)
}

/// A bucket's bytes, out of the way of a new bucket of the same name.
pub(super) struct SetAside {
    from: PathBuf,
    to: PathBuf,
}

/// Moves a bucket's bytes out of the way; `None` when there are none.
pub(super) async fn set_aside(storage: &Path, bucket: &str) -> io::Result<Option<SetAside>> {
    let folder = storage.join(DRAFTS);
    fs::create_dir_all(&folder).await?;
    let aside = SetAside { from: storage.join(bucket), to: folder.join(Uuid::new_v4().simple().to_string()) };
    match fs::rename(&aside.from, &aside.to).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(Some(aside)),
    }
}

impl SetAside {
    /// Removes them.
    pub(super) async fn remove(self) -> io::Result<()> {
        accept_absence(fs::remove_dir_all(&self.to).await)
    }

    /// Moves them back.
    pub(super) async fn put_back(self) -> io::Result<()> {
        fs::rename(&self.to, &self.from).await
    }
}

fn accept_absence(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn name(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}
