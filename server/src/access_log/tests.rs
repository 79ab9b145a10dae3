//! Tests of the access log.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use forebay_core::id::ShardId;

use super::*;
use crate::config::AccessLogFormat;

fn record() -> Record {
    Record {
        at: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        took: Duration::from_micros(1234),
        peer: "::ffff:10.1.2.3".parse().unwrap(),
        method: Inline::new(b"GET"),
        target: Inline::new(b"/a?b=c"),
        is_http10: false,
        status: 200,
        bytes: 42,
        worker: Some(WorkerId(3)),
        reason: "",
        id: RequestId::first(0x0123_4567_89ab_cdef, ShardId(1)),
        user_agent: Inline::new(b"curl/8"),
        referer: Inline::default(),
    }
}

fn line(format: AccessLogFormat, record: &Record) -> String {
    let mut out = Vec::new();
    Formatter::new(format).line(record, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn text_is_the_combined_form_and_then_some() {
    assert_eq!(
        line(AccessLogFormat::Text, &record()),
        "10.1.2.3 - - [21/Sep/2026:14:13:20 +0000] \"GET /a?b=c HTTP/1.1\" 200 42 \"-\" \"curl/8\" \
         0123456789abcdef0001000000000000 w3 1.234\n"
    );
    let refused = Record {
        method: Inline::default(),
        worker: None,
        reason: "queue_full",
        status: 503,
        took: Duration::from_secs(5),
        is_http10: true,
        ..record()
    };
    assert_eq!(
        line(AccessLogFormat::Text, &refused),
        "10.1.2.3 - - [21/Sep/2026:14:13:20 +0000] \"-\" 503 42 \"-\" \"curl/8\" \
         0123456789abcdef0001000000000000 queue_full 5000.000\n"
    );
}

#[test]
fn json_is_one_object() {
    assert_eq!(
        line(AccessLogFormat::Json, &record()),
        "{\"time\":\"2026-09-21T14:13:20Z\",\"peer\":\"10.1.2.3\",\"method\":\"GET\",\"target\":\"/a?b=c\",\
         \"protocol\":\"HTTP/1.1\",\"status\":200,\"bytes\":42,\"duration_ms\":1.234,\"worker\":3,\
         \"request_id\":\"0123456789abcdef0001000000000000\",\"user_agent\":\"curl/8\"}\n"
    );
}

#[test]
fn nothing_from_a_client_can_forge_a_line() {
    let evil = Record {
        target: Inline::new(b"/\" 200\n1.1.1.1 \\ \x1b[31m \xff"),
        user_agent: Inline::new(b"a\r\nb"),
        ..record()
    };
    let text = line(AccessLogFormat::Text, &evil);
    assert!(text.contains(r#""GET /\" 200\x0a1.1.1.1 \\ \x1b[31m \xff HTTP/1.1""#), "{text}");
    assert!(text.contains(r#""a\x0d\x0ab""#) && text.lines().count() == 1);
    let json = line(AccessLogFormat::Json, &evil);
    assert_eq!(json.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&value["user_agent"], &value["status"]), (&"a\r\nb".into(), &200.into()));
}

#[test]
fn long_targets_are_cut_and_say_so() {
    let long = Record { target: Inline::new(&[b'a'; 300]), ..record() };
    assert!(line(AccessLogFormat::Text, &long).contains(&format!("GET {}... HTTP/1.1", "a".repeat(200))));
    assert!(line(AccessLogFormat::Json, &long).contains("\"target_cut\":true"));
    // A record lives in the queue by value: 8192 of them are what the log costs.
    assert!(size_of::<Record>() <= 640, "{}", size_of::<Record>());
}

fn start(path: &Path) -> (AccessLogHandle, AccessLog) {
    AccessLog::start(&AccessLogConfig { format: AccessLogFormat::Text, path: Some(path.to_owned()) }).unwrap()
}

fn wait_for_lines(path: &Path, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while fs::read_to_string(path).unwrap_or_default().lines().count() != count {
        assert!(Instant::now() < deadline, "{count} lines never came to {}", path.display());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn lines_come_without_being_asked_for_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access");
    let (handle, log) = start(&path);
    assert!(handle.push(record()));
    wait_for_lines(&path, 1);
    for _ in 0..100 {
        assert!(handle.push(record()));
    }
    drop(log);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 101);
}

#[test]
fn a_moved_file_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("access"), folder.path().join("access.1"));
    let (handle, log) = start(&path);
    assert!(handle.push(record()));
    wait_for_lines(&path, 1);
    fs::rename(&path, &moved).unwrap();
    assert!(handle.push(record()));
    wait_for_lines(&path, 1);
    handle.reopen();
    assert!(handle.push(record()));
    drop(log);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(fs::read_to_string(&moved).unwrap().lines().count(), 1);
}

#[test]
fn a_full_queue_refuses_at_once() {
    let shared = Shared { queue: ArrayQueue::new(2), reopen: AtomicBool::new(false), stop: AtomicBool::new(false) };
    let handle = AccessLogHandle(Arc::new(shared));
    assert_eq!([(); 3].map(|()| handle.push(record())), [true, true, false]);
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error() {
    let config = AccessLogConfig { format: AccessLogFormat::Json, path: Some("/nonexistent/access".into()) };
    assert_eq!(AccessLog::start(&config).unwrap_err().kind(), io::ErrorKind::NotFound);
}
