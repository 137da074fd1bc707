//! Snapshots and resets. Each stage is written down before it begins and can be walked through again from any point of it.

use std::fs;

use ids::ProjectId;
use providers::{Error, Result};

use crate::{
    clone::copy_still,
    copy,
    failure::{Doing as _, blocking, remove_folder},
    layout::{Contents, ProjectFolder},
    node::Node,
    owner::private_folder,
    record::{Record, ResetStage},
};

impl Node {
    pub(crate) async fn ensure_snapshot(&self, id: ProjectId, name: &str) -> Result<()> {
        refuse_odd_name(name)?;
        let (_lock, folder, record) = self.lock_existing(id).await?;
        let snapshot = folder.snapshot(name);
        if snapshot.root.exists() {
            return Ok(());
        }
        self.pool.admit()?;
        let unfinished = Contents { root: folder.snapshots().join(format!(".{name}")) };
        let doing = || format!("keeping snapshot {name} of project {id}");
        discard(unfinished.root.clone()).await?;
        private_folder(&folder.snapshots(), None).doing(doing)?;
        self.copy_live(id, &folder, &record, &unfinished, record.owner).await?;
        publish(unfinished, snapshot).await
    }

    pub(crate) async fn prepare_reset(&self, id: ProjectId, name: &str) -> Result<()> {
        refuse_odd_name(name)?;
        let (_lock, folder, mut record) = self.lock_existing(id).await?;
        self.settle_reset(&folder, &mut record).await?;
        if record.reset == Some(ResetStage::Swapped) {
            return Ok(());
        }
        let snapshot = folder.snapshot(name);
        if !snapshot.root.exists() {
            return Err(Error::Missing(format!("snapshot {name} of project {id}")));
        }
        self.pool.admit()?;
        record.reset = None;
        record.save(&folder)?;
        discard(folder.reset()).await?;
        private_folder(&folder.reset(), None).doing(|| format!("preparing a reset of project {id}"))?;
        let unfinished = Contents { root: folder.reset().join("unfinished") };
        let (target, owner) = (unfinished.clone(), record.owner);
        blocking(move || copy_still(&snapshot, &target, owner)).await?;
        publish(unfinished, folder.prepared()).await?;
        record.reset = Some(ResetStage::Prepared);
        record.save(&folder)
    }

    pub(crate) async fn swap_reset(&self, id: ProjectId) -> Result<()> {
        let (_lock, folder, mut record) = self.lock_existing(id).await?;
        self.settle_reset(&folder, &mut record).await?;
        match record.reset {
            Some(ResetStage::Swapped) => Ok(()),
            Some(ResetStage::Prepared) => {
                self.mark_asleep(id)?;
                self.stop_processes(&folder).await?;
                record.reset = Some(ResetStage::Swapping);
                record.save(&folder)?;
                self.settle_reset(&folder, &mut record).await
            }
            _ => Err(Error::Missing(format!("a prepared reset of project {id}"))),
        }
    }

    pub(crate) async fn cancel_reset(&self, id: ProjectId) -> Result<()> {
        let Some(_lock) = self.lock(id).await? else { return Ok(()) };
        let folder = self.layout.project(id);
        let Some(mut record) = Record::load(&folder)? else { return Ok(()) };
        self.settle_reset(&folder, &mut record).await?;
        if record.reset == Some(ResetStage::Swapped) {
            self.mark_asleep(id)?;
            self.stop_processes(&folder).await?;
            record.reset = Some(ResetStage::Cancelling);
            record.save(&folder)?;
        }
        self.settle_reset(&folder, &mut record).await?;
        self.forget_reset(&folder, &mut record).await
    }

    pub(crate) async fn finish_reset(&self, id: ProjectId) -> Result<()> {
        let Some(_lock) = self.lock(id).await? else { return Ok(()) };
        let folder = self.layout.project(id);
        let Some(mut record) = Record::load(&folder)? else { return Ok(()) };
        self.settle_reset(&folder, &mut record).await?;
        if record.reset == Some(ResetStage::Swapped) {
            return self.forget_reset(&folder, &mut record).await;
        }
        Ok(())
    }

    /// Walks an interrupted swap or cancellation to its end. The caller holds the lock.
    pub(crate) async fn settle_reset(&self, folder: &ProjectFolder, record: &mut Record) -> Result<()> {
        let (from, aside, done) = match record.reset {
            Some(ResetStage::Swapping) => (folder.prepared(), folder.old(), Some(ResetStage::Swapped)),
            Some(ResetStage::Cancelling) => (folder.old(), Contents { root: folder.reset().join("refused") }, None),
            Some(ResetStage::Prepared | ResetStage::Swapped) | None => return Ok(()),
        };
        self.stop_processes(folder).await?;
        let (live, reset) = (folder.live(), folder.root.clone());
        blocking(move || {
            exchange(&from, &live, &aside)
                .and_then(|()| copy::sync(&reset))
                .doing(|| format!("swapping in {}", reset.display()))
        })
        .await?;
        record.reset = done;
        record.save(folder)
    }

    async fn forget_reset(&self, folder: &ProjectFolder, record: &mut Record) -> Result<()> {
        if record.reset.is_some() {
            record.reset = None;
            record.save(folder)?;
        }
        discard(folder.reset()).await
    }
}

/// Puts `from` in place of `live` and `live` aside. Which renames are done shows in what exists, so it can be repeated from anywhere.
fn exchange(from: &Contents, live: &Contents, aside: &Contents) -> std::io::Result<()> {
    private_folder(&aside.root, None)?;
    for part in Contents::PARTS {
        let (from, live, aside) = (from.root.join(part), live.root.join(part), aside.root.join(part));
        if !from.exists() {
            continue;
        }
        if live.exists() {
            fs::rename(&live, &aside)?;
        }
        fs::rename(&from, &live)?;
    }
    Ok(())
}

/// Makes a finished copy durable and gives it its name.
async fn publish(unfinished: Contents, finished: Contents) -> Result<()> {
    blocking(move || {
        let parent = finished.root.parent().map(ToOwned::to_owned).unwrap_or_default();
        copy::sync(&unfinished.root)
            .and_then(|()| fs::rename(&unfinished.root, &finished.root))
            .and_then(|()| fs::File::open(parent)?.sync_all())
            .doing(|| format!("completing {}", finished.root.display()))
    })
    .await
}

async fn discard(folder: std::path::PathBuf) -> Result<()> {
    blocking(move || remove_folder(&folder).doing(|| format!("removing {}", folder.display()))).await
}

fn refuse_odd_name(name: &str) -> Result<()> {
    let plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, '-' | '_');
    if !name.is_empty() && name.len() <= 63 && name.chars().all(plain) {
        return Ok(());
    }
    Err(Error::Refused("a snapshot's name is 1 to 63 characters a-z, 0-9, - or _".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(contents: &Contents, text: &str) {
        for part in Contents::PARTS {
            fs::create_dir_all(contents.root.join(part)).expect("makes folders");
            fs::write(contents.root.join(part).join("file"), text).expect("writes");
        }
    }

    fn read(contents: &Contents) -> Vec<String> {
        Contents::PARTS
            .map(|part| fs::read_to_string(contents.root.join(part).join("file")).unwrap_or_default())
            .to_vec()
    }

    /// Stops an exchange after each of its renames and repeats it.
    #[test]
    fn an_exchange_interrupted_anywhere_completes() {
        for renames_done in 0..=4 {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let at = |name: &str| Contents { root: folder.path().join(name) };
            let (from, live, aside) = (at("from"), at("live"), at("aside"));
            write(&from, "new");
            write(&live, "old");
            fs::create_dir_all(&aside.root).expect("makes folders");
            let steps = Contents::PARTS.into_iter().flat_map(|part| [(&live, &aside, part), (&from, &live, part)]);
            for (source, target, part) in steps.take(renames_done) {
                fs::rename(source.root.join(part), target.root.join(part)).expect("renames");
            }
            for _ in 0..2 {
                exchange(&from, &live, &aside).expect("exchanges");
                assert_eq!(
                    (read(&live), read(&aside)),
                    (vec!["new".into(); 2], vec!["old".into(); 2]),
                    "after {renames_done}"
                );
            }
        }
    }

    #[test]
    fn snapshot_names_are_plain() {
        assert!(refuse_odd_name("t0").is_ok());
        for name in ["", ".", "..", "a/b", "A", ".hidden"] {
            assert!(refuse_odd_name(name).is_err(), "{name}");
        }
    }
}
