//! The pipe protocol: any split of the input gives the same, what is decoded can be written again, two ends agree.

use crate::model::World;
use crate::strict;
use forebay_core::http1::{HeadScanner, RequestFacts, RequestHead, ResponseHead, judge_request};
use forebay_core::pipe::{
    Client, DATA_BYTES_LIMIT_DEFAULT, Decoder, End, Error, Event, HeadEncoder, Input, Opening, Reply, Role,
    WINDOW_BYTES_MIN, encode_trailers, put_hello, put_welcome,
};

/// The greetings, from the test vectors.
const WELCOME: &[u8] = b"\x14\0\0\x02\0\0\0\0FBAY\x01\0\0\x04\0\0\0\0\0\0\x04\0\0\0\x01\0";
const HELLO: &[u8] = b"\x20\0\0\x01\0\0\0\0FBAY\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\x04\0\0\0\x01\0\x02\0v1";

/// What one side sends; the first byte selects the side and whether its greeting is part of the input.
pub fn decode(data: &[u8]) {
    let Some((choice, input)) = data.split_first() else { return };
    let from = if choice & 1 == 0 { Role::Front } else { Role::Worker };
    let greets = choice & 2 == 0;
    let whole = run(from, greets, input, usize::MAX);
    for piece in [1, 2, 7, 29] {
        assert_eq!(run(from, greets, input, piece), whole);
    }
    if whole.error.is_none() && !greets && !whole.is_cut {
        let again = run(from, greets, &whole.again, usize::MAX);
        assert_eq!((&again.events, again.error), (&whole.events, None));
        assert_eq!(again.again, whole.again);
    }
}

/// What a decoder made of an input.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Heads and bodies in words; body pieces of one frame put together.
    events: Vec<String>,
    /// The other events.
    others: Vec<String>,
    error: Option<Error>,
    /// Heads and bodies, written again.
    again: Vec<u8>,
    body: Vec<u8>,
    /// Whether the input ends inside of a frame.
    is_cut: bool,
}

fn run(from: Role, greets: bool, input: &[u8], piece: usize) -> Outcome {
    let mut decoder = Decoder::new(from, DATA_BYTES_LIMIT_DEFAULT);
    let mut greeting = if from == Role::Front { WELCOME } else { HELLO };
    if !greets {
        assert!(matches!(decoder.next(&mut greeting), Ok(Some(_))));
    }
    let mut outcome = Outcome::default();
    for mut part in input.chunks(piece) {
        loop {
            match decoder.next(&mut part) {
                Ok(Some(event)) => outcome.take(&event),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next(&mut part), Err(error));
                    outcome.error = Some(error);
                    outcome.flush();
                    return outcome;
                }
            }
        }
        assert!(part.is_empty());
    }
    outcome.flush();
    outcome.is_cut = !decoder.is_between_frames();
    outcome
}

impl Outcome {
    fn flush(&mut self) {
        if !self.body.is_empty() {
            self.events.push(format!("body {}", self.body.escape_ascii()));
            self.again.append(&mut self.body);
        }
    }

    fn take<I: Input + core::fmt::Debug>(&mut self, event: &Event<'_, I>) {
        if let Event::Data { piece, begins: 0, .. } = event {
            assert!(!piece.is_empty());
            self.body.extend_from_slice(piece);
            return;
        }
        self.flush();
        let mut heads = HeadEncoder::default();
        let again = &mut self.again;
        match event {
            Event::Data { stream, begins, piece, .. } => {
                self.events.push(format!("data {stream} {begins}"));
                forebay_core::pipe::put_data(*stream, *begins, again).expect("no bound");
                self.body.extend_from_slice(piece);
            }
            Event::Request { stream, head, body } => {
                let fields: Vec<_> = head.fields.iter().collect();
                let (method, target) = (head.method.escape_ascii(), head.target.escape_ascii());
                self.events.push(format!("request {stream} {} {method} {target} {fields:?} {body}", head.flags));
                let (address, port) = (head.client_address, head.client_port);
                let client = Client { address, port, local_port: head.local_port, https: false };
                let opening = Opening { stream: *stream, body: *body, ends: false, client };
                heads
                    .plain_request(head.flags, head.method, head.target, fields, &opening, again)
                    .expect("was a frame");
            }
            Event::Response { stream, head, body } => {
                let fields: Vec<_> = head.fields.iter().collect();
                let (flags, status, reason) = (head.flags, head.status, head.reason);
                self.events.push(format!("response {stream} {flags} {status} {reason:?} {fields:?} {body}"));
                heads.response(*stream, flags, status, reason, fields, *body, again).expect("was a frame");
                check_reply(head, *body);
            }
            Event::Inform { stream, head } => {
                let fields: Vec<_> = head.fields.iter().collect();
                self.events.push(format!("inform {stream} {} {fields:?}", head.status));
                heads.inform(*stream, head.status, fields, again).expect("was a frame");
                check_reply(head, 0);
            }
            Event::End { stream, end } => {
                let fields: Vec<_> = end.trailers.iter().collect();
                self.events.push(format!("end {stream} {} {fields:?}", end.stop));
                check_trailers(end);
                heads.end(*stream, end.stop, fields, again).expect("was a frame");
            }
            Event::Hello(hello) => {
                self.others.push(format!("{event:?}"));
                let mut bytes = Vec::new();
                put_hello(hello, &mut bytes).expect("no bound");
                assert_eq!(only(Role::Worker, &bytes, |event| *event == Event::Hello(*hello)), Some(true));
            }
            Event::Welcome(welcome) => {
                self.others.push(format!("{event:?}"));
                let mut bytes = Vec::new();
                put_welcome(welcome, &mut bytes).expect("no bound");
                assert_eq!(only(Role::Front, &bytes, |event| *event == Event::Welcome(*welcome)), Some(true));
            }
            // These have no choice in their bytes: what can be read of them is compared, not written again.
            Event::Ping(_)
            | Event::Pong(_)
            | Event::Stats(_)
            | Event::Drain
            | Event::Closing
            | Event::Demote(_)
            | Event::Stack(_)
            | Event::Reset { .. }
            | Event::Window { .. }
            | Event::Raw(_) => self.others.push(format!("{event:?}")),
        }
    }
}

/// Looks at the one event of a connection's first bytes.
fn only<T>(from: Role, mut bytes: &[u8], look: impl FnOnce(&Event<'_, &[u8]>) -> T) -> Option<T> {
    let mut decoder = Decoder::new(from, DATA_BYTES_LIMIT_DEFAULT);
    let seen = decoder.next(&mut bytes).expect("was just written").map(|event| look(&event));
    assert!(bytes.is_empty() && decoder.is_between_frames());
    seen
}

fn facts(request: &[u8]) -> RequestFacts {
    HeadScanner::default().scan(request, 1024).expect("a good request");
    judge_request(&RequestHead::parse(request, 8).expect("a good request")).expect("a good request")
}

/// Whatever a worker says, a client reads valid HTTP.
fn check_reply(head: &forebay_core::pipe::Response<'_>, body: u32) {
    for request in
        [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"]
    {
        let mut digits = [0; 20];
        let Ok(reply) = Reply::plan(head, body, &facts(request), true, &mut digits) else { continue };
        let mut out = Vec::new();
        reply.encode(b"Thu, 01 Jan 1970 00:00:00 GMT", b"", &mut out).expect("no bound");
        if out.is_empty() {
            assert!(!reply.delivery().sends_head);
            continue;
        }
        let message = match strict::head(&out) {
            Ok(message) => message,
            Err(what) => panic!("not canonical: {what} in {}", out.escape_ascii()),
        };
        assert_eq!((message.len, &message.start[1]), (out.len(), &head.status.to_string()));
        let (lengths, codings) = (message.all("content-length"), message.all("transfer-encoding"));
        assert!(lengths.len() + codings.len() <= 1);
        assert_eq!(reply.is_chunked() && !codings.is_empty(), reply.is_chunked());
        assert!(ResponseHead::parse(&out, 4000).is_ok());
    }
}

fn check_trailers(end: &End<'_>) {
    let mut out = b"HTTP/1.1 200 OK\r\n".to_vec();
    let mut section = Vec::new();
    encode_trailers(&end.trailers, &mut section).expect("no bound");
    out.extend_from_slice(section.strip_prefix(b"0\r\n").expect("begins with the last chunk"));
    assert!(strict::head(&out).is_ok(), "{}", out.escape_ascii());
}

/// Two ends back to back; the first byte selects bounds, the rest is the script of what happens.
pub fn state(data: &[u8]) {
    let Some((choice, script)) = data.split_first() else { return };
    let windows = [WINDOW_BYTES_MIN, 3000, 64 * 1024];
    let window = |bits: u8| windows[usize::from(bits % 3)];
    let mut world = World::new(1 + u16::from(choice & 7), window(choice >> 3), window(choice >> 5));
    for step in script.chunks_exact(3) {
        world.step([step[0], step[1], step[2]]);
    }
    world.settle();
}
