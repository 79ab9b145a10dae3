//! The table is complete, agrees with itself, and reads as the snapshot says.

use std::collections::{BTreeMap, BTreeSet};

use super::explain::win32_text;
use super::*;

#[test]
fn every_cause_has_a_row_with_everything_in_it() {
    let mut names = BTreeSet::new();
    for (at, row) in TABLE.iter().enumerate() {
        assert_eq!(row.cause as usize, at);
        assert_eq!(Cause::from_number(at as u8), Some(row.cause));
        assert!(names.insert(row.name), "{} is there twice", row.name);
        for text in [row.sentence, row.likely, row.remedy] {
            assert!(text.ends_with(['.', '?']) && !text.contains("  ") && text.is_ascii(), "{}: {text:?}", row.name);
        }
        assert!(row.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", row.name);
        assert!(row.win32.is_none_or(|number| !win32_text(number).is_empty()), "{}: no text for its number", row.name);
        match row.shown {
            Shown::Answered => assert!(row.native.status >= 300 && row.iisnode.status >= 300, "{}", row.name),
            Shown::Logged => assert_eq!(row.native.text, "", "{}", row.name),
            Shown::Cut | Shown::Never => assert!(row.native.sub > 0 && row.iisnode.sub > 0, "{}", row.name),
        }
        // The two numbers of a failure are about the same thing.
        assert!(row.native.sub == 0 || row.native.sub == row.iisnode.sub, "{}", row.name);
    }
    assert_eq!(Cause::from_number(Cause::COUNT as u8), None);
}

#[test]
fn every_sub_status_of_iisnode_can_be_reached_or_says_why_not() {
    let mut reachable: BTreeMap<(u16, u16), bool> = BTreeMap::new();
    for row in &TABLE {
        *reachable.entry((row.iisnode.status, row.iisnode.sub)).or_default() |= row.shown != Shown::Never;
    }
    let all =
        (1000..=1018).map(|sub| (500, sub)).chain((1000..=1003).map(|sub| (503, sub))).chain([(404, 0), (301, 0)]);
    let missing: Vec<_> = all.clone().filter(|code| !reachable.contains_key(code)).collect();
    assert_eq!(missing, []);
    let unreachable: Vec<_> = all.filter(|code| !reachable[code]).collect();
    assert_eq!(unreachable, [(500, 1003)]);
}

#[test]
fn codes_are_read_when_compiled() {
    assert_eq!((Code::of("500.1002").status, Code::of("500.1002").sub), (500, 1002));
    assert_eq!((Code::of("431").status, Code::of("431").sub, Code::of("").status), (431, 0, 0));
}

#[test]
fn the_log_has_a_sub_status_where_there_is_one_and_else_a_name() {
    let word = |cause: Cause, statuses| cause.row().word(statuses);
    assert_eq!(word(Cause::QueueFull, Statuses::Gateway), "queue_full");
    assert_eq!(word(Cause::QueueFull, Statuses::Iisnode), "503.1002");
    assert_eq!(word(Cause::EndedBefore, Statuses::Gateway), "502.1002");
    assert_eq!(word(Cause::EndedBefore, Statuses::Iisnode), "500.1002");
    assert_eq!(word(Cause::ScriptMissing, Statuses::Iisnode), "script_missing");
    assert_eq!(word(Cause::ClientLeftSending, Statuses::Gateway), "client_left_sending");
    assert_eq!(word(Cause::ClientLeft, Statuses::Iisnode), "client_left");
}

#[test]
fn causes_are_found_by_all_their_names() {
    let names = |asked: &str| find(asked).iter().map(|row| row.name).collect::<Vec<_>>();
    assert_eq!(names("500.1002"), ["folder_unreadable", "exited", "ended_before_request"]);
    assert_eq!(names("502.1002"), ["ended_before_request"]);
    assert_eq!(names("queue_full"), ["queue_full"]);
    assert_eq!(names("503.1000"), ["connections"]);
    assert_eq!(names("1003"), ["worker_busy", "socket_setup"]);
    assert_eq!(names("413"), ["rejected"]);
    assert!(names("502").contains(&"not_http") && names("504").contains(&"silent"));
    assert!(names("").is_empty() && names("0").is_empty() && names("999").is_empty() && names("teapot").is_empty());
}

#[test]
fn what_is_explained_reads_well() {
    let all: String = TABLE.iter().map(|row| explain(row.name).unwrap() + "\n").collect();
    assert!(all.lines().all(|line| line.len() <= 100));
    insta::assert_snapshot!("explain", format!("{}\n{all}", explain_all()));
}
