//! The HTTP/1.1 codec: any split gives the same, what is accepted is written canonically, nothing panics.

use crate::strict;
use forebay_core::http1::*;

const HEAD_BYTES_MAX: usize = 4096;
const FIELDS_MAX: usize = 80;

/// A request's head, whole and in pieces; what is admitted must read the same to the strict reader.
pub fn request_head(data: &[u8]) {
    let Some((skipped, len)) = scan(data) else { return };
    let bytes = &data[skipped..][..len];
    let Ok(head) = RequestHead::parse(bytes, FIELDS_MAX) else { return };
    let Ok(facts) = judge_request(&head) else { return };
    let plain = encode(&head, &facts, None);
    check_encoded(&head, &facts, &plain);
    let names = ["REQUEST_METHOD", "URL", "QUERY_STRING", "SERVER_NAME", "HTTP_COOKIE", "HTTPS"];
    let variables: Vec<_> = names.into_iter().filter_map(Variable::of).collect();
    for trusted in [false, true] {
        let forwarding = Forwarding {
            peer: b"2001:db8::1",
            scheme: "http",
            trusted,
            request_id: [b'0'; 32],
            add: Added { x_forwarded: true, real_ip: true, forwarded: true, request_id: true },
            variables: Variables { list: &variables, peer_port: 1, local: None },
        };
        let text = encode(&head, &facts, Some(&forwarding));
        check_encoded(&head, &facts, &text);
        let message = strict::request_head(&text).expect("canonical");
        if !trusted {
            assert_eq!(message.all("x-forwarded-for"), ["2001:db8::1"]);
            assert_eq!(message.all("x-real-ip").len() + message.all("forwarded").len(), 2);
            assert!(message.all("x-forwarded-host").len() <= 1 && message.all("x-forwarded-proto") == ["http"]);
        }
        assert!(!message.all("x-request-id").is_empty());
    }
    // Writing what was written changes nothing.
    let again = RequestHead::parse(&plain, FIELDS_MAX + 4).expect("parses again");
    let facts_again = judge_request(&again).expect("is admitted again");
    assert_eq!((facts.body, facts.upgrade), (facts_again.body, facts_again.upgrade));
    assert_eq!(encode(&again, &facts_again, None), plain);
}

fn encode(head: &RequestHead<'_>, facts: &RequestFacts, forwarding: Option<&Forwarding<'_>>) -> Vec<u8> {
    let mut out = Vec::new();
    encode_request(head, facts, forwarding, &mut out).expect("a vector is never full");
    out
}

fn check_encoded(head: &RequestHead<'_>, facts: &RequestFacts, text: &[u8]) {
    let message = match strict::request_head(text) {
        Ok(message) => message,
        Err(what) => panic!("not canonical: {what} in {}", text.escape_ascii()),
    };
    assert_eq!(message.len, text.len());
    assert_eq!(message.start[0].as_bytes(), head.method);
    let framing = match (message.all("content-length").first(), message.all("transfer-encoding").first()) {
        (None, None) => Framing::None,
        (Some(length), None) => Framing::Length(length.parse().expect("checked by the strict reader")),
        (_, Some(_)) => Framing::Chunked,
    };
    assert_eq!(framing, facts.body);
    for name in ["cookie", "authorization"] {
        let sent = head.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes())).count();
        assert_eq!(message.all(name).len(), sent, "{name}");
    }
}

/// Scans whole, byte by byte and in two halves; all must agree. Returns where the head is.
fn scan(data: &[u8]) -> Option<(usize, usize)> {
    let mut whole = HeadScanner::default();
    let verdict = whole.scan(data, HEAD_BYTES_MAX);
    let halves = [data.len() / 2, data.len()];
    let bytewise: Vec<usize> = (0..=data.len()).collect();
    for ends in [&halves[..], &bytewise] {
        let mut scanner = HeadScanner::default();
        let mut last = Ok(Scan::Incomplete);
        for &end in ends {
            last = scanner.scan(&data[..end], HEAD_BYTES_MAX);
            if last != Ok(Scan::Incomplete) {
                break;
            }
        }
        assert_eq!(last, verdict);
        assert_eq!(scanner.skipped(), whole.skipped());
    }
    match verdict {
        Ok(Scan::Complete { head_len }) => Some((whole.skipped(), head_len)),
        Ok(Scan::Incomplete) | Err(_) => None,
    }
}

/// A response's head, to a request that the first byte selects.
pub fn response_head(data: &[u8]) {
    const REQUESTS: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ];
    let Some((choice, data)) = data.split_first() else { return };
    let request = RequestHead::parse(REQUESTS[usize::from(choice & 3)], 8).expect("a good request");
    let request = judge_request(&request).expect("a good request");
    let Some((skipped, len)) = scan(data) else { return };
    let Ok(head) = ResponseHead::parse(&data[skipped..][..len], FIELDS_MAX) else { return };
    let Ok(facts) = judge_response(&head, &request) else { return };
    let delivery = Delivery::plan(&request, &facts, true);
    let mut out = Vec::new();
    encode_response(&head, &facts, &delivery, Some(b"Thu, 01 Jan 1970 00:00:00 GMT"), b"", &mut out).expect("no bound");
    if !delivery.sends_head {
        assert!(out.is_empty() && facts.informational);
        return;
    }
    let message = match strict::head(&out) {
        Ok(message) => message,
        Err(what) => panic!("not canonical: {what} in {}", out.escape_ascii()),
    };
    assert_eq!((message.len, &message.start[0][..]), (out.len(), "HTTP/1.1"));
    assert_eq!(message.start[1], facts.status.to_string());
    let (lengths, codings) = (message.all("content-length"), message.all("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1);
    assert!(codings.is_empty() || request.version == Version::Http11);
    match facts.framing {
        Framing::Length(length) => assert_eq!(lengths, [length.to_string()]),
        Framing::Chunked => assert!(codings.len() == 1 || request.version == Version::Http10),
        Framing::UntilClose => assert!(!delivery.keep_alive && !facts.keep_alive),
        Framing::Tunnel => assert!(!delivery.keep_alive && lengths.is_empty() && codings.is_empty()),
        Framing::None => {}
    }
    if !facts.informational {
        assert_eq!(
            message.all("connection").contains(&"close"),
            !delivery.keep_alive && facts.framing != Framing::Tunnel
        );
    }
    let again = ResponseHead::parse(&out, FIELDS_MAX + 2).expect("parses again");
    assert_eq!((again.status, again.reason), (head.status, head.reason));
}

/// What a decoder made of an input.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    forwarded: Vec<u8>,
    trailer: Vec<u8>,
    data_bytes: u64,
    consumed: usize,
    error: Option<Reject>,
    done: bool,
}

fn run(mut decoder: BodyDecoder, input: &[u8], piece: usize) -> Outcome {
    let mut outcome =
        Outcome { forwarded: Vec::new(), trailer: Vec::new(), data_bytes: 0, consumed: 0, error: None, done: false };
    let mut end = 0;
    while outcome.consumed < input.len() && !decoder.is_done() {
        let at = outcome.consumed;
        if at == end {
            end = end.saturating_add(piece).min(input.len());
        }
        match decoder.decode(&input[at..end]) {
            Ok(run) => {
                assert!(run.consumed > 0 && run.consumed <= end - at && run.forward.end <= run.consumed);
                assert_eq!(run.done, decoder.is_done());
                assert!(run.trailer.end <= run.consumed);
                outcome.forwarded.extend_from_slice(&input[at..][run.forward]);
                outcome.trailer.extend_from_slice(&input[at..][run.trailer]);
                outcome.data_bytes += run.data_bytes;
                outcome.consumed += run.consumed;
            }
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
    }
    outcome.done = decoder.is_done();
    outcome
}

fn run_all_ways(framing: Framing, flavour: Flavour, side: Side, input: &[u8]) -> Outcome {
    let decoder = BodyDecoder::new(framing, flavour, side);
    let whole = run(decoder, input, usize::MAX);
    for piece in [1, 2, 7] {
        assert_eq!(run(decoder, input, piece), whole);
    }
    assert_eq!(decoder.check(input).err(), whole.error);
    whole
}

/// A chunked body; the first byte selects the side.
pub fn chunked(data: &[u8]) {
    let Some((choice, input)) = data.split_first() else { return };
    let side = if choice & 1 == 0 { Side::Request } else { Side::Response };
    let verbatim = run_all_ways(Framing::Chunked, Flavour::Verbatim, side, input);
    let plain = run_all_ways(Framing::Chunked, Flavour::DataOnly, side, input);
    assert_eq!((verbatim.consumed, verbatim.error, verbatim.done), (plain.consumed, plain.error, plain.done));
    assert_eq!(plain.data_bytes, plain.forwarded.len() as u64);
    assert_eq!(plain.data_bytes, verbatim.data_bytes);
    assert!(verbatim.trailer.is_empty());
    if verbatim.done {
        assert_eq!(strict::chunked(&verbatim.forwarded), Ok((plain.forwarded, verbatim.forwarded.len())));
        check_trailers(&plain.trailer, &verbatim.forwarded);
    }
}

/// The fields that were told apart are those behind the last chunk, and can be written anew.
fn check_trailers(lines: &[u8], body: &[u8]) {
    let before = body.strip_suffix(b"\r\n").and_then(|it| it.strip_suffix(lines)?.strip_suffix(b"\r\n"));
    let last_chunk = before.and_then(|it| it.rsplit(|byte| *byte == b'\n').next()).expect("there is a last chunk");
    assert!(!last_chunk.is_empty() && last_chunk.iter().all(|byte| *byte == b'0'));
    let mut trailers = Trailers::default();
    lines.chunks(3).for_each(|piece| trailers.take(piece).expect("the decoder has the same bound"));
    let mut head = b"GET / HTTP/1.1\r\n".to_vec();
    for (name, value) in trailers.iter() {
        head.extend([name, b": ", value, b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    match strict::head(&head) {
        Ok(message) => assert_eq!(message.fields.len(), lines.iter().filter(|byte| **byte == b'\n').count()),
        Err(what) => panic!("not canonical: {what} in {}", head.escape_ascii()),
    }
}

/// A body of any framing; the first two bytes select it.
pub fn body(data: &[u8]) {
    let [choice, length, input @ ..] = data else { return };
    let framing = match choice % 5 {
        0 => Framing::None,
        1 => Framing::Length(u64::from(*length)),
        2 => Framing::Chunked,
        3 => Framing::UntilClose,
        _ => Framing::Tunnel,
    };
    let outcome = run_all_ways(framing, Flavour::DataOnly, Side::Response, input);
    assert_eq!(outcome.data_bytes, outcome.forwarded.len() as u64);
    let expected = match framing {
        Framing::None => 0,
        Framing::Length(length) => usize::try_from(length).map_or(input.len(), |it| it.min(input.len())),
        Framing::UntilClose | Framing::Tunnel => input.len(),
        Framing::Chunked => return,
    };
    assert_eq!((outcome.consumed, &outcome.forwarded[..], outcome.error), (expected, &input[..expected], None));
}

/// A client's whole connection: the worker must read exactly the requests that were admitted, bodies included.
pub fn connection(data: &[u8]) {
    let (mut at, mut upstream, mut bodies) = (0, Vec::new(), Vec::new());
    loop {
        let rest = &data[at..];
        let Some((skipped, len)) = scan(rest) else { break };
        let Ok(head) = RequestHead::parse(&rest[skipped..][..len], FIELDS_MAX) else { break };
        let Ok(facts) = judge_request(&head) else { break };
        let input = &rest[skipped + len..];
        let outcome = run_all_ways(facts.body, Flavour::Verbatim, Side::Request, input);
        let is_whole = outcome.done || facts.body == Framing::None || facts.body == Framing::Length(0);
        if !is_whole {
            break;
        }
        upstream.extend(encode(&head, &facts, None));
        upstream.extend(outcome.forwarded);
        bodies.push(run_all_ways(facts.body, Flavour::DataOnly, Side::Request, input).forwarded);
        at += skipped + len + outcome.consumed;
        if !facts.keep_alive || facts.upgrade {
            break;
        }
    }
    let mut read = 0;
    for body in &bodies {
        match strict::request(&upstream[read..]) {
            Ok(message) => {
                assert_eq!(&message.body, body);
                read += message.len;
            }
            Err(what) => panic!("not canonical: {what} in {}", upstream[read..].escape_ascii()),
        }
    }
    assert_eq!(read, upstream.len());
}
