//! A folder of log files: what lies in it, what has to go, and its page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use forebay_transports::machine;

use super::Kind;
use super::index;
use crate::config::AppLogConfig;

/// Between two looks at a folder that is too full of files which are being written.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The machine's name, as it is part of a file's.
static COMPUTER: LazyLock<String> = LazyLock::new(|| {
    let name = std::env::var("COMPUTERNAME").ok().filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(machine::host_name);
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    name.chars().map(plain).collect()
});

/// What a file is called.
pub(super) fn file_name(pid: u32, kind: Kind, ms: u64) -> String {
    format!("{}-{pid}-{}-{ms}.txt", *COMPUTER, kind.name())
}

/// A file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) computer: String,
    pub(super) pid: String,
    pub(super) is_stderr: bool,
    /// When it was begun, in milliseconds since 1970.
    pub(super) created: u64,
    size: u64,
    modified: SystemTime,
}

impl Entry {
    /// What a name says, if it is one of ours, of whichever process and machine.
    fn of(name: &str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let mut parts = name.strip_suffix(".txt")?.rsplitn(4, '-');
        let created = parts.next().filter(|text| digits(text))?.parse().ok()?;
        let is_stderr = match parts.next()? {
            "stdout" => false,
            "stderr" => true,
            _ => return None,
        };
        let pid = parts.next().filter(|text| digits(text))?.to_owned();
        let computer = parts.next().filter(|text| !text.is_empty())?.to_owned();
        Some(Self { name: name.to_owned(), computer, pid, is_stderr, created, size: 0, modified: UNIX_EPOCH })
    }
}

/// All files of ours in a folder.
fn scan(path: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(path)? {
        let file = file?;
        let Some(mut entry) = file.file_name().to_str().and_then(Entry::of) else { continue };
        // It may just have been deleted by another process that looks after the same folder.
        let Ok(meta) = file.metadata() else { continue };
        if meta.is_file() {
            entry.size = meta.len();
            entry.modified = meta.modified().unwrap_or(UNIX_EPOCH);
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// One folder.
pub(super) struct Folder {
    path: PathBuf,
    /// Bytes of all files, as far as is known; none before the first look.
    total: u64,
    /// Whether its page is out of date, and since when.
    stale_since: Option<Instant>,
    /// Whether a file was begun since the last look.
    begun: bool,
    look_again: Instant,
    /// Whether it was said that the page is somebody else's.
    is_foreign_said: bool,
}

impl Folder {
    pub(super) fn new(path: &Path) -> Self {
        let path = path.to_path_buf();
        Self { path, total: 0, stale_since: None, begun: false, look_again: Instant::now(), is_foreign_said: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn on_begun(&mut self) {
        self.begun = true;
        self.on_changed();
    }

    /// A file that the page has a link to came or went.
    pub(super) fn on_changed(&mut self) {
        self.stale_since.get_or_insert_with(Instant::now);
    }

    pub(super) fn on_written(&mut self, bytes: u64) {
        self.total = self.total.saturating_add(bytes);
    }

    /// Since when its page is out of date.
    pub(super) fn stale_since(&self) -> Option<Instant> {
        self.stale_since
    }

    /// Deletes what is too much, the files that were written to longest ago first, and none for which `is_open`.
    pub(super) fn purge(&mut self, config: &AppLogConfig, is_open: impl Fn(&Path) -> bool) -> io::Result<()> {
        let is_full = self.total > config.total_bytes_max && Instant::now() >= self.look_again;
        if !self.begun && !is_full {
            return Ok(());
        }
        self.begun = false;
        self.look_again = Instant::now() + LOOK_AGAIN;
        let mut entries = scan(&self.path)?;
        entries.sort_by(|a, b| (a.modified, a.created, &a.name).cmp(&(b.modified, b.created, &b.name)));
        let mut count = entries.len() as u64;
        self.total = entries.iter().map(|entry| entry.size).sum();
        for entry in &entries {
            if self.total <= config.total_bytes_max && count <= u64::from(config.files_max) {
                break;
            }
            let path = self.path.join(&entry.name);
            // What cannot be deleted is left for the next time; the others need not stay for it.
            if !is_open(&path) && fs::remove_file(&path).is_ok() {
                count -= 1;
                self.total -= entry.size;
                self.on_changed();
            }
        }
        Ok(())
    }

    /// Writes the page anew if it is out of date, so that whoever looks sees the old one or the new one.
    pub(super) fn write_index(&mut self) -> io::Result<()> {
        if self.stale_since.take().is_none() {
            return Ok(());
        }
        let path = self.path.join(index::FILE);
        if !index::is_ours(&path) {
            if !std::mem::replace(&mut self.is_foreign_said, true) {
                let path = path.display();
                tracing::warn!(target: "forebay", "app_log: {path} is not ours, and is left as it is");
            }
            return Ok(());
        }
        let mut entries = scan(&self.path)?;
        entries.sort_by(|a, b| (b.created, &b.name).cmp(&(a.created, &a.name)));
        let has_errors = self.path.join(super::errors::FILE).exists();
        let html = index::render(&entries, has_errors, SystemTime::now());
        let new = self.path.join(format!(".{}.{}", index::FILE, std::process::id()));
        fs::write(&new, html).and_then(|()| fs::rename(&new, &path)).inspect_err(|_| {
            let _never_made = fs::remove_file(&new);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let ours = Entry::of("my-host-42-stderr-1700000000000.txt").unwrap();
        assert_eq!(
            (&*ours.computer, &*ours.pid, ours.is_stderr, ours.created),
            ("my-host", "42", true, 1_700_000_000_000)
        );
        assert_eq!(Entry::of(&file_name(7, Kind::Stdout, 9)).map(|entry| entry.created), Some(9));
        for foreign in [
            "index.html",
            "logging-errors.txt",
            "notes.txt",
            "h-42-stdout-17.log",
            "h-42-stdlog-17.txt",
            "h-x2-stdout-17.txt",
            "h-42-stdout-.txt",
            "-42-stdout-17.txt",
            "42-stdout-17.txt",
            "h-42-stdout-17.txt.bak",
        ] {
            assert_eq!(Entry::of(foreign), None, "{foreign}");
        }
    }

    fn config(total_bytes_max: u64, files_max: u32) -> AppLogConfig {
        let line_ends = crate::config::LineEnds::Lf;
        AppLogConfig { dir: PathBuf::new(), file_bytes_max: 0, total_bytes_max, files_max, line_ends }
    }

    /// A folder with five files of ours of 10 bytes each, the first one oldest, and one of somebody else.
    fn five() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for n in 1..=5 {
            let path = dir.path().join(format!("h-1-stdout-{n}.txt"));
            fs::write(&path, "ten bytes\n").unwrap();
            let time = UNIX_EPOCH + Duration::from_secs(n);
            fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        }
        fs::write(dir.path().join("precious.txt"), vec![b'x'; 5000]).unwrap();
        let mut folder = Folder::new(dir.path());
        folder.on_begun();
        (dir, folder)
    }

    fn left(dir: &tempfile::TempDir) -> Vec<u64> {
        let mut left: Vec<u64> = scan(dir.path()).unwrap().into_iter().map(|entry| entry.created).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn the_oldest_go_and_nothing_else() {
        for (total, files, open, expected) in [
            (1000, 20, 0, vec![1, 2, 3, 4, 5]),
            (1000, 2, 0, vec![4, 5]),
            (30, 20, 0, vec![3, 4, 5]),
            (30, 2, 1, vec![1, 5]),
            (0, 1, 3, vec![3]),
        ] {
            let (dir, mut folder) = five();
            folder.purge(&config(total, files), |path| path.ends_with(format!("h-1-stdout-{open}.txt"))).unwrap();
            assert_eq!(left(&dir), expected, "{total} bytes, {files} files, {open} is open");
            assert_eq!(fs::metadata(dir.path().join("precious.txt")).unwrap().len(), 5000);
        }
    }

    #[test]
    fn a_page_of_somebody_else_stays() {
        let (dir, mut folder) = five();
        let page = dir.path().join(index::FILE);
        folder.write_index().unwrap();
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.find("h-1-stdout-5.txt").unwrap() < text.find("h-1-stdout-4.txt").unwrap(), "the newest first");
        fs::write(&page, "<h1>My site</h1>").unwrap();
        folder.on_changed();
        folder.write_index().unwrap();
        assert_eq!(fs::read_to_string(&page).unwrap(), "<h1>My site</h1>");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 7, "nothing else is left behind");
    }
}
