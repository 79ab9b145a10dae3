//! The shared vectors, and the tables of `PROTOCOL.md`.

use super::*;
use crate::http1::METHODS;
use std::sync::LazyLock;

/// One block of `vectors.txt`.
#[derive(Clone, Debug, Default)]
pub(super) struct Vector {
    pub(super) name: &'static str,
    pub(super) from: Option<Role>,
    bare: bool,
    form: Option<&'static str>,
    pub(super) bytes: Vec<u8>,
    events: Vec<String>,
    error: Option<&'static str>,
}

const DOCUMENT: &str = include_str!("../PROTOCOL.md");

/// All vectors.
pub(super) fn all() -> &'static [Vector] {
    static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(read);
    &VECTORS
}

fn read() -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for line in include_str!("../vectors.txt").lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            vectors.push(Vector { name, ..Vector::default() });
        }
        let Some(vector) = vectors.last_mut() else { continue };
        match line.split_once(": ") {
            Some(("from", "front")) => vector.from = Some(Role::Front),
            Some(("from", "worker")) => vector.from = Some(Role::Worker),
            Some(("hex", hex)) => vector.bytes.extend(unhex(hex)),
            Some(("event", event)) => vector.events.push(event.into()),
            Some(("error", error)) => vector.error = Some(error),
            Some(("form", form)) => vector.form = Some(form),
            Some((key, _)) => panic!("{key}"),
            None if line == "bare" => vector.bare = true,
            None if line.starts_with(' ') => vector.bytes.extend(unhex(line.trim())),
            None => assert!(line.is_empty() || line.starts_with('[') || line == "hex:", "{line}"),
        }
    }
    vectors
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap()).collect()
}

/// The bytes of a side's greeting.
pub(super) fn greeting(from: Role) -> &'static [u8] {
    let name = if from == Role::Front { "welcome" } else { "hello" };
    &all().iter().find(|vector| vector.name == name).unwrap().bytes
}

#[test]
fn vectors_hold_whole_and_in_any_two_pieces_and_byte_by_byte() {
    let vectors = all();
    assert!(vectors.len() > 100);
    for Vector { name, from, bare, form, bytes, events, error } in vectors {
        let (from, bare) = (from.unwrap(), *bare);
        let whole = decode(from, bare, bytes, &[]);
        assert_eq!((&whole.events, whole.error.map(Error::name)), (events, *error), "{name}");
        for at in 1..bytes.len() {
            assert_eq!(decode(from, bare, bytes, &[at, usize::MAX]), whole, "{name} cut at {at}");
        }
        assert_eq!(decode(from, bare, bytes, &[1]), whole, "{name}");
        if form.is_none() && error.is_none() {
            assert_eq!(&whole.again, bytes, "{name}");
        }
    }
}

#[test]
fn every_decoding_error_has_a_vector() {
    let vectors = all();
    for error in Error::ALL {
        // The state machine's own.
        let is_of_streams = error == Error::CreditExceeded;
        assert!(is_of_streams || vectors.iter().any(|it| it.error == Some(error.name())), "{error}");
        assert!(DOCUMENT.contains(&format!("`{}`", error.name())), "{error}");
    }
}

fn fenced(title: &str) -> Vec<&'static str> {
    let (_, rest) = DOCUMENT.split_once(&format!("```{title}\n")).unwrap();
    rest.split_once("```").unwrap().0.split_whitespace().collect()
}

#[test]
fn the_tables_are_those_of_the_document() {
    let names: Vec<_> = NAMES.iter().map(|name| std::str::from_utf8(name).unwrap()).collect();
    assert_eq!(fenced("names"), names);
    let methods: Vec<_> = METHOD_NUMBERS.iter().map(|name| std::str::from_utf8(name).unwrap()).collect();
    assert_eq!(fenced("methods"), methods);
    assert_eq!(METHODS, METHOD_NUMBERS);
    for kind in Kind::ALL {
        let row = format!("| 0x{:02x} | {} |", kind as u8, format!("{kind:?}").to_uppercase());
        assert!(DOCUMENT.contains(&row), "{row}");
        assert_eq!(Kind::of(kind as u8), Some(kind));
    }
    for bound in [HEAD_FRAME_BYTES_MAX, STACK_BYTES_MAX, DATA_BYTES_LIMIT_MAX, WINDOW_BYTES_MAX] {
        let digits = bound.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|it| std::str::from_utf8(it).unwrap()).collect();
        assert!(DOCUMENT.contains(&groups.join(",")), "{bound}");
    }
}

#[test]
fn the_worked_example_is_a_vector() {
    let hex: String = fenced("hex").concat();
    let bytes = unhex(&hex);
    let vectors = all();
    for name in ["request_body_inline", "response_small"] {
        let vector = vectors.iter().find(|it| it.name == name).unwrap();
        assert!(bytes.windows(vector.bytes.len()).any(|it| it == vector.bytes), "{name}");
    }
}
