//! The file that one stream writes to, until it is long enough.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use forebay_transports::files;

use super::About;
use super::folder::{Folder, file_name};
use crate::config::LineEnds;

/// Bytes by which one line may make a file longer than it should be before it is cut in two. 64 KiB.
const OVERLONG_BYTES: u64 = 64 * 1024;

struct Open {
    file: File,
    path: PathBuf,
    size: u64,
}

/// A stream's place in its folder.
#[derive(Default)]
pub(super) struct Output {
    open: Option<Open>,
    /// The time in the name of the last file, in milliseconds since 1970.
    begun: u64,
    /// Whether the last byte ended no line.
    in_line: bool,
    /// Whether the last byte was a CR.
    after_cr: bool,
}

impl Output {
    /// The file that is being written.
    pub(super) fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.path.as_path())
    }

    /// Writes bytes as they came, beginning files as needed. Tells the folder how much there is and what is new.
    ///
    /// # Errors
    /// When a file cannot be made or written; the bytes that are left are lost.
    pub(super) fn write(&mut self, bytes: &[u8], about: &About, folder: &mut Folder) -> io::Result<()> {
        let bytes = self.line_ends(bytes, about.config.line_ends);
        let size_max = about.config.file_bytes_max.min(about.config.total_bytes_max);
        let mut rest = &*bytes;
        while !rest.is_empty() {
            let open = self.file(size_max, about, folder)?;
            let part = lines_until(rest, size_max.saturating_sub(open.size));
            let written = open.file.write_all(part);
            open.size += part.len() as u64;
            folder.on_written(part.len() as u64);
            if written.is_err() {
                self.open = None;
            }
            written?;
            self.in_line = part.last() != Some(&b'\n');
            rest = &rest[part.len()..];
        }
        Ok(())
    }

    /// The file to go on with.
    fn file(&mut self, size_max: u64, about: &About, folder: &mut Folder) -> io::Result<&mut Open> {
        let is_full = |open: &Open| open.size > size_max && !self.in_line || open.size > size_max + OVERLONG_BYTES;
        let usable = self.open.take().filter(|open| !is_full(open) && files::is_there(&open.file));
        let open = match usable {
            Some(open) => open,
            None => {
                let (open, begun) = begin(about, folder, self.begun + 1)?;
                self.begun = begun;
                folder.on_begun();
                open
            }
        };
        Ok(self.open.insert(open))
    }

    fn line_ends<'a>(&mut self, bytes: &'a [u8], ends: LineEnds) -> Cow<'a, [u8]> {
        if ends == LineEnds::Lf {
            return Cow::Borrowed(bytes);
        }
        let mut converted = Vec::with_capacity(bytes.len() + bytes.len() / 16);
        for &byte in bytes {
            if byte == b'\n' && !self.after_cr {
                converted.push(b'\r');
            }
            self.after_cr = byte == b'\r';
            converted.push(byte);
        }
        Cow::Owned(converted)
    }
}

/// As many whole lines as it takes to fill `room` and a little more; all of it if there are not that many.
fn lines_until(bytes: &[u8], room: u64) -> &[u8] {
    let from = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
    let end = bytes[from..].iter().position(|&byte| byte == b'\n');
    &bytes[..end.map_or(bytes.len(), |end| from + end + 1)]
}

/// Makes a new file. Its name has the time, `earliest` at least: no two are alike, and those of a stream follow each other
/// also where several are begun in a millisecond and the first of them are deleted already.
fn begin(about: &About, folder: &Folder, earliest: u64) -> io::Result<(Open, u64)> {
    std::fs::create_dir_all(folder.path())?;
    let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut now = u64::try_from(age.as_millis()).unwrap_or(u64::MAX).max(earliest);
    loop {
        let path = folder.path().join(file_name(about.pid, about.kind, now));
        match OpenOptions::new().append(true).create_new(true).open(&path) {
            Ok(file) => return Ok((Open { file, path, size: 0 }, now)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => now += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_end_behind_the_line_that_fills_them() {
        assert_eq!(lines_until(b"ab\ncd\nef", 0), b"ab\n");
        assert_eq!(lines_until(b"ab\ncd\nef", 2), b"ab\n");
        assert_eq!(lines_until(b"ab\ncd\nef", 3), b"ab\ncd\n", "full, and not yet beyond it");
        assert_eq!(lines_until(b"ab\ncd\nef", 6), b"ab\ncd\nef");
        assert_eq!(lines_until(b"ab", 99), b"ab");
        assert_eq!(lines_until(b"\n", 0), b"\n");
    }

    #[test]
    fn lines_end_in_one_way_however_they_are_split() {
        let text = b"a\nb\r\n\nc\r";
        for at in 0..text.len() {
            let mut output = Output::default();
            let mut all = output.line_ends(&text[..at], LineEnds::Crlf).into_owned();
            all.extend_from_slice(&output.line_ends(&text[at..], LineEnds::Crlf));
            assert_eq!(all, b"a\r\nb\r\n\r\nc\r", "split at {at}");
            assert_eq!(&*output.line_ends(text, LineEnds::Lf), text);
        }
    }
}
