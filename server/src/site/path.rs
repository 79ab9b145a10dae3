//! Paths of requests, decoded once and put into one form, so that what is looked up is what is opened.
//!
//! A path that could mean two things to two readers has no such form: a NUL, a backslash, a way out of the root, an
//! encoded slash, and whatever Windows' file names take for something else (a stream's colon, a dot or space at the end of
//! a name, a device). Names are compared byte by byte, on Windows without regard to case.

use forebay_transports::files::HAS_DEVICE_NAMES;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode};

/// Bytes of a path that is looked at; a longer one names no file.
pub const PATH_BYTES_MAX: usize = 4096;

/// What is encoded where a path is written into a URL (RFC 3986 section 3.3).
pub(super) const SEGMENTS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'^');

/// Why a path has no form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// It leads out of the root, or holds what no file's name can.
    Unsafe,
    /// It is not UTF-8, or too long: no file is called that.
    Unknown,
}

/// Puts the path of a target, without its query, into `out`: decoded, without a slash at either end, without empty
/// segments, `.` and `..`. Whether it ended with a slash.
///
/// # Errors
/// It has no form; what `out` holds then means nothing.
pub fn decode(path: &[u8], out: &mut String) -> Result<bool, Odd> {
    out.clear();
    if path.len() > PATH_BYTES_MAX {
        return Err(Odd::Unknown);
    }
    // An encoded slash would be a slash to us and part of a name to others.
    if path.windows(3).any(|part| part.eq_ignore_ascii_case(b"%2f") || part.eq_ignore_ascii_case(b"%5c")) {
        return Err(Odd::Unsafe);
    }
    if path.contains(&b'%') {
        let decoded = percent_decode(path).decode_utf8().map_err(|_| Odd::Unknown)?;
        clean(&decoded, out)
    } else {
        clean(std::str::from_utf8(path).map_err(|_| Odd::Unknown)?, out)
    }
}

/// The same for a path that is decoded already.
///
/// # Errors
/// It has no form; what `out` holds then means nothing.
pub fn clean(path: &str, out: &mut String) -> Result<bool, Odd> {
    out.clear();
    let mut is_folder = true;
    for segment in path.split('/') {
        is_folder = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." if out.is_empty() => return Err(Odd::Unsafe),
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            name if is_odd(name) => return Err(Odd::Unsafe),
            name => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(name);
            }
        }
    }
    Ok(is_folder)
}

/// Whether a name could be read as another one, or as none.
fn is_odd(name: &str) -> bool {
    name.bytes().any(|byte| byte < b' ' || matches!(byte, b'\\' | b':' | 0x7f))
        || name.ends_with(['.', ' '])
        || HAS_DEVICE_NAMES && is_device(name)
}

/// Whether Windows takes a name for a device, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let numbered = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    matches!(&*stem, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || numbered.is_some_and(|number| {
            let mut letters = number.chars();
            letters.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && letters.next().is_none()
        })
}

/// Names that are never served from files, wherever they are in a path; in lower case.
const NEVER: [&str; 9] = [
    "web.config",
    "iisnode.yml",
    "forebay.toml",
    "node_modules",
    "app_data",
    "app_code",
    "app_offline.htm",
    "app_browsers",
    "app_globalresources",
];

/// Whether a file or folder of this name is never served: it begins with a dot, is configuration, or is the
/// application's own. `bin` is where scripts are; a site may say that they are for everybody.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_manifest = name.starts_with("package") && name.ends_with(".json");
    name.starts_with('.') || name.ends_with(".config") || is_manifest || NEVER.contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Result<(String, bool), Odd> {
        let mut out = String::from("left over");
        decode(path.as_bytes(), &mut out).map(|is_folder| (out, is_folder))
    }

    #[test]
    fn ordinary_paths() {
        let table = [
            ("/", "", true),
            ("", "", true),
            ("/a/b.css", "a/b.css", false),
            ("/a//b/", "a/b", true),
            ("/a/./b/../c", "a/c", false),
            ("/a/..", "", true),
            ("/a%20b", "a b", false),
            ("/%61", "a", false),
            ("/%25%36%31", "%61", false),
            ("/caf%C3%A9", "café", false),
            ("/a+b", "a+b", false),
        ];
        for (path, expected, is_folder) in table {
            assert_eq!(of(path), Ok((expected.to_owned(), is_folder)), "{path}");
        }
    }

    #[test]
    fn what_has_no_form() {
        for path in [
            "/..",
            "/a/../..",
            "/../a",
            "/%2e%2e/a",
            "/.%2e/a",
            "/a/%2E%2E/%2e%2e/b",
            "/a%2fb",
            "/..%2f..%2fa",
            "/a%5cb",
            "/a%00b",
            "/a%0d%0ab",
            "/a.",
            "/a%20",
            "/a /b",
            "/a./b",
            "/.../a",
            "/a::$DATA",
            "/a:b",
            "/c:/a",
            "/a%3a%3a$INDEX_ALLOCATION/b",
        ] {
            assert_eq!(of(path), Err(Odd::Unsafe), "{path}");
        }
        assert_eq!(of("/%ff"), Err(Odd::Unknown));
        assert_eq!(of("/%c0%ae%c0%ae/a"), Err(Odd::Unknown));
        assert_eq!(of(&"/a".repeat(PATH_BYTES_MAX)), Err(Odd::Unknown));
    }

    #[test]
    fn a_way_back_is_not_decoded_twice() {
        assert_eq!(of("/%252e%252e/a"), Ok(("%2e%2e/a".into(), false)));
    }

    #[test]
    fn hidden_names() {
        for name in
            [".env", ".git", "web.config", "Web.Debug.CONFIG", "package.json", "package-lock.json", "node_modules"]
        {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["index.html", "packages", "config", "bin", "app.js", "manifest.json", "package.js"] {
            assert!(!is_hidden(name), "{name}");
        }
    }

    #[test]
    fn devices() {
        for name in ["con", "NUL.txt", "com1", "LPT9.log", "aux .x", "com¹"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["console", "com", "com10", "nullable", "lptx"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
