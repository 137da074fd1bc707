//! Numbers that belong to one holder each, ports and uids: a file named by the number holds the holder's name, made atomically.

use std::{collections::BTreeMap, fs, io, io::Write as _, ops::RangeInclusive, path::PathBuf};

/// A folder of numbers in use.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    folder: PathBuf,
    range: RangeInclusive<u32>,
    /// Where the search begins, so that two homes on one machine seldom want the same number.
    offset: u32,
}

impl Register {
    pub(crate) fn open(folder: PathBuf, range: RangeInclusive<u32>, offset: u32) -> io::Result<Self> {
        crate::owner::private_folder(&folder, None)?;
        let count = (range.end() - range.start()).saturating_add(1);
        Ok(Self { folder, range, offset: offset % count })
    }

    /// The number of `holder`: the one it has, else the next that is free and `usable`. `None` when all are taken.
    pub(crate) fn hold(&self, holder: &str, usable: impl Fn(u32) -> bool) -> io::Result<Option<u32>> {
        let taken = self.taken()?;
        if let Some((number, _)) = taken.iter().find(|(_, name)| *name == holder) {
            return Ok(Some(*number));
        }
        let middle = self.range.start() + self.offset;
        let candidates = (middle..=*self.range.end()).chain(*self.range.start()..middle);
        for number in candidates.filter(|number| !taken.contains_key(number) && usable(*number)) {
            if self.claim(number, holder)? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// Frees every number of `holder`.
    pub(crate) fn release(&self, holder: &str) -> io::Result<()> {
        for (number, _) in self.taken()?.into_iter().filter(|(_, name)| name == holder) {
            crate::failure::remove_file(&self.folder.join(number.to_string()))?;
        }
        Ok(())
    }

    /// Numbers in use and by whom.
    pub(crate) fn taken(&self) -> io::Result<BTreeMap<u32, String>> {
        let mut taken = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            match fs::read_to_string(entry.path()) {
                Ok(holder) => drop(taken.insert(number, holder)),
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(cause),
            }
        }
        Ok(taken)
    }

    /// Linking a finished file makes name and content appear together, so that a crash leaves no nameless claim.
    fn claim(&self, number: u32, holder: &str) -> io::Result<bool> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(holder.as_bytes())?;
        match fs::hard_link(file.path(), self.folder.join(number.to_string())) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_held_once_kept_by_their_holder_and_freed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let register = Register::open(folder.path().join("ports"), 7..=9, 4).expect("opens");
        assert_eq!(register.hold("a", |number| number != 8).expect("reads"), Some(9));
        assert_eq!(register.hold("a", |_| true).expect("reads"), Some(9));
        assert_eq!(register.hold("b", |_| true).expect("reads"), Some(8));
        assert_eq!(register.hold("c", |_| true).expect("reads"), Some(7));
        assert_eq!(register.hold("d", |_| true).expect("reads"), None);
        register.release("b").expect("frees");
        register.release("b").expect("frees nothing");
        assert_eq!(register.hold("d", |_| true).expect("reads"), Some(8));
    }

    #[test]
    fn many_threads_never_share_a_number() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let register = Register::open(folder.path().join("uids"), 1..=64, 0).expect("opens");
        let mut numbers: Vec<u32> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..32)
                .map(|it| {
                    let register = &register;
                    scope.spawn(move || register.hold(&format!("p{it}"), |_| true))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic").expect("reads").expect("room")).collect()
        });
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 32);
    }
}
