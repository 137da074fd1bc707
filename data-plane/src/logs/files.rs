//! Reading log files from their ends.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::{entries::Entry, writer};

/// Most that is read of one file, from its end.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
const FIRST_BYTES: u64 = 256 * 1024;

/// The newest entries of a file, and of the one before it, that `wanted` takes: at most `most`, oldest first.
pub(super) fn newest(
    path: &Path,
    most: usize,
    read: impl Fn(&str) -> Vec<Entry>,
    wanted: impl Fn(&Entry) -> bool,
) -> io::Result<Vec<Entry>> {
    let mut found = newest_of(path, most, &read, &wanted)?;
    if found.len() < most {
        let mut older = newest_of(&writer::old(path), most - found.len(), &read, &wanted)?;
        older.append(&mut found);
        found = older;
    }
    Ok(found)
}

fn newest_of(
    path: &Path,
    most: usize,
    read: impl Fn(&str) -> Vec<Entry>,
    wanted: impl Fn(&Entry) -> bool,
) -> io::Result<Vec<Entry>> {
    let mut bytes = FIRST_BYTES;
    loop {
        let (text, whole) = match end_of(path, bytes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read?,
        };
        let mut found = read(&text);
        found.retain(&wanted);
        if found.len() >= most || whole || bytes >= MOST_BYTES {
            return Ok(found.split_off(found.len().saturating_sub(most)));
        }
        bytes *= 4;
    }
}

/// The last `bytes` of a file from the beginning of a line, and whether that is all of it.
fn end_of(path: &Path, bytes: u64) -> io::Result<(String, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut content = Vec::new();
    file.take(bytes).read_to_end(&mut content)?;
    let text = String::from_utf8_lossy(&content);
    if start == 0 {
        return Ok((text.into_owned(), true));
    }
    let text = text.split_once('\n').map_or("", |(_, rest)| rest);
    Ok((text.to_owned(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_read_from_their_ends_and_on_into_the_older_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("f.jsonl");
        let lines = |range: std::ops::Range<u32>| {
            let line = |number| {
                format!(
                    "{{\"id\":\"{number}\",\"timestamp\":\"2026-01-01T00:00:00.000Z\",\"message\":\"{}\"}}\n",
                    "x".repeat(100)
                )
            };
            range.map(line).collect::<String>()
        };
        std::fs::write(writer::old(&path), lines(0..10)).expect("written");
        std::fs::write(&path, lines(10..9000)).expect("written");
        let read = |text: &str| text.lines().filter_map(Entry::from_json_line).collect::<Vec<_>>();
        let ids = |most, wanted: &dyn Fn(&Entry) -> bool| {
            let found = newest(&path, most, read, wanted).expect("read");
            found.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(2, &|_| true), ["8998", "8999"]);
        assert_eq!(ids(3, &|entry| ["7", "11", "8000"].contains(&entry.id.as_str())), ["7", "11", "8000"]);
        assert_eq!(ids(10_000, &|_| true).len(), 9000);
    }
}
