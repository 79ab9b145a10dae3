//! Laws 1 and 2: no split of the input changes anything, decoding what was encoded gives it back, garbage is one error.

use super::*;
use proptest::prelude::*;

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(prop_oneof![1..4_usize, 1..40_usize, 1..5000_usize], 1..8)
}

fn token() -> impl Strategy<Value = Vec<u8>> {
    proptest::string::bytes_regex("[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}").unwrap()
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = (0..NAMES.len(), any::<bool>())
        .prop_map(|(at, lower)| if lower { NAMES[at].to_ascii_lowercase() } else { NAMES[at].to_vec() });
    prop_oneof![known, token()]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
    prop_oneof![40 => proptest::collection::vec(byte, 0..60), 1 => (0..3000_usize).prop_map(|len| vec![b'v'; len])]
}

type Field = (Vec<u8>, Vec<u8>);

fn fields() -> impl Strategy<Value = Vec<Field>> {
    proptest::collection::vec((name(), value()), 0..30)
}

fn stream() -> impl Strategy<Value = StreamId> {
    (1..=u16::MAX, 0..StreamId::USES).prop_map(|(slot, usage)| StreamId::new(slot, usage))
}

fn borrowed(fields: &[Field]) -> impl Iterator<Item = (&[u8], &[u8])> {
    fields.iter().map(|(name, value)| (&name[..], &value[..]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn requests_come_back_from_any_pieces(
        stream in stream(), method in prop_oneof![Just(b"GET".to_vec()), token()], fields in fields(),
        target in proptest::string::bytes_regex("/[!-~]{0,300}").unwrap(),
        body in proptest::collection::vec(any::<u8>(), 0..3000), ends in any::<bool>(), ports in any::<[u16; 2]>(),
        sizes in sizes(),
    ) {
        let client = Client { address: b"2001:db8::1", port: ports[0], local_port: ports[1], https: ends };
        let opening = Opening { stream, body: body.len() as u32, ends, client };
        let mut bytes = Vec::new();
        HeadEncoder::default()
            .plain_request(flag::EXPECT, &method, &target, borrowed(&fields), &opening, &mut bytes)
            .unwrap();
        let mut input = &bytes.clone()[..];
        bytes.extend(&body);
        let mut decoder = Decoder::new(Role::Front, DATA_BYTES_LIMIT_DEFAULT);
        decoder.next(&mut vectors::greeting(Role::Front)).unwrap();
        let Some(Event::Request { stream: got, head, body: len }) = decoder.next(&mut input).unwrap() else {
            panic!("no request");
        };
        prop_assert_eq!((got, len as usize, head.method, head.target), (stream, body.len(), &method[..], &target[..]));
        prop_assert_eq!((head.client_port, head.local_port, head.client_address), (ports[0], ports[1], client.address));
        prop_assert!(head.fields.iter().eq(borrowed(&fields)));
        let whole = decode(Role::Front, false, &bytes, &[]);
        prop_assert_eq!(&decode(Role::Front, false, &bytes, &sizes), &whole);
        prop_assert_eq!((&whole.again, whole.error), (&bytes, None));
    }

    #[test]
    fn responses_come_back_from_any_pieces(
        stream in stream(), status in 200..=999_u16, reason in value(), fields in fields(), stop in any::<bool>(),
        body in proptest::collection::vec(any::<u8>(), 0..3000), trailers in fields(), sizes in sizes(),
    ) {
        let mut heads = HeadEncoder::default();
        let mut bytes = Vec::new();
        let flags = if stop { flag::END | flag::STOP } else { flag::NO_DATE };
        heads.inform(stream, 103, borrowed(&fields), &mut bytes).unwrap();
        heads.response(stream, flags, status, &reason, borrowed(&fields), body.len() as u32, &mut bytes).unwrap();
        bytes.extend(&body);
        heads.end(stream, stop, borrowed(&trailers), &mut bytes).unwrap();
        let whole = decode(Role::Worker, false, &bytes, &[]);
        prop_assert_eq!(&decode(Role::Worker, false, &bytes, &sizes), &whole);
        prop_assert_eq!((&whole.again, whole.error), (&bytes, None));
        prop_assert_eq!(whole.events.len(), 3 + usize::from(!body.is_empty()));
    }

    /// Vectors one after the other, with some bytes damaged or left out.
    #[test]
    fn damage_never_panics_and_reads_the_same_in_any_pieces(
        picks in proptest::collection::vec(any::<usize>(), 1..5),
        damages in proptest::collection::vec((any::<usize>(), any::<u8>(), any::<bool>()), 0..4),
        from in prop_oneof![Just(Role::Front), Just(Role::Worker)], bare in any::<bool>(), sizes in sizes(),
    ) {
        let vectors: Vec<_> = vectors::all().iter().filter(|it| it.from == Some(from)).collect();
        let mut bytes: Vec<u8> = picks.iter().flat_map(|at| vectors[at % vectors.len()].bytes.clone()).collect();
        for (at, byte, remove) in damages {
            let at = at % bytes.len();
            if remove { bytes.truncate(at.max(1)); } else { bytes[at] = byte; }
        }
        let whole = decode(from, bare, &bytes, &[]);
        prop_assert_eq!(decode(from, bare, &bytes, &sizes), whole);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), bare in any::<bool>()) {
        for from in [Role::Front, Role::Worker] {
            prop_assert_eq!(decode(from, bare, &bytes, &[1]), decode(from, bare, &bytes, &[]));
        }
    }
}

#[test]
fn bodies_are_parts_of_what_was_read() {
    use crate::buf::{ChunkSize, Pool};
    let pool = Pool::new(1 << 20);
    let mut chunk = pool.take(ChunkSize::Medium);
    chunk.put(vectors::greeting(Role::Front)).unwrap();
    put_data(StreamId::new(1, 0), 1000, &mut chunk).unwrap();
    chunk.put(&[7; 600]).unwrap();
    let mut input = chunk.freeze();
    let memory = input.as_ptr_range();
    let mut decoder = Decoder::new(Role::Front, DATA_BYTES_LIMIT_DEFAULT);
    decoder.next(&mut input).unwrap();
    let Some(Event::Data { begins: 1000, piece, ends: false, .. }) = decoder.next(&mut input).unwrap() else {
        panic!("no data");
    };
    assert!(piece.len() == 600 && memory.contains(&piece.as_ptr()));
    drop(piece);
    assert!(decoder.next(&mut input).unwrap().is_none() && !decoder.is_between_frames());
    assert_eq!(pool.stats().away, [0; 3], "an idle decoder holds no memory of the pool");
}

#[test]
fn heads_beyond_the_bounds_are_not_sent() {
    let mut heads = HeadEncoder::default();
    let mut out = Vec::new();
    let id = StreamId::new(1, 0);
    let long = vec![b'a'; NAME_BYTES_MAX + 1];
    let mut send = |fields: &[(&[u8], &[u8])], body| {
        heads.response(id, flag::END, 200, b"", fields.iter().copied(), body, &mut out)
    };
    assert_eq!(send(&[(&long, b"")], 0), Err(Unsendable::TooLarge));
    assert_eq!(send(&[(&b"a"[..], &b""[..]); FIELDS_MAX + 1], 0), Err(Unsendable::TooManyFields));
    assert_eq!(send(&[(b"a", &[b'v'; 262_144])], 0), Err(Unsendable::TooLarge));
    assert_eq!(send(&[(b"a", &[b'v'; 262_000])], 100), Err(Unsendable::TooLarge));
    assert_eq!(send(&[(b"a", &[b'v'; 262_000])], 0), Ok(()));
    assert_eq!(send(&[(&b"a"[..], &b""[..]); FIELDS_MAX], 65_536), Ok(()));
    let first = decode(Role::Worker, false, &out, &[100_000]);
    assert_eq!((first.events.len(), first.error), (2, None));
}
