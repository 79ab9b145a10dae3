//! A worker that speaks frames: what goes over the pipe, and what becomes of it when something is not as it should be.

use forebay_core::id::{Generation, WorkerId};
use forebay_core::pipe::{
    Decoder, Event, HeadEncoder, Hello, ResetCode, Role, StreamId, VERSION, flag, put_closing, put_data, put_hello,
    put_raw, put_reset, put_window,
};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::harness::{DEADLINE, Front};
use super::{GET, OK};

/// Body bytes a worker of these tests accepts before it grants more.
const WINDOW: u32 = 4096;

/// What the front sent, by value.
#[derive(Debug, PartialEq, Eq)]
enum Got {
    Request { id: StreamId, line: String, flags: u16 },
    Data(StreamId, Vec<u8>),
    End(StreamId),
    Reset(StreamId, ResetCode),
    Window(StreamId, u32),
}

struct FrameWorker {
    stream: UnixStream,
    decoder: Decoder<&'static [u8]>,
    input: &'static [u8],
    encoder: HeadEncoder,
}

impl FrameWorker {
    /// Dials in and waits until it is welcome.
    fn dial(front: &Front) -> Self {
        let mut stream = UnixStream::connect(front.folder().join("forebay.pipe")).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let endpoint = front.folder().join(format!("{}.sock", front.port()));
        stream.write_all(&hello(&endpoint)).unwrap();
        let mut worker =
            Self { stream, decoder: Decoder::new(Role::Front, 65536), input: b"", encoder: HeadEncoder::default() };
        worker.until_welcome();
        worker
    }

    fn until_welcome(&mut self) {
        loop {
            match self.decoder.next(&mut self.input).unwrap() {
                Some(Event::Welcome(welcome)) => return assert_eq!((welcome.version, welcome.shards >= 1), (1, true)),
                Some(event) => panic!("{event:?}"),
                None => assert!(self.more()),
            }
        }
    }

    fn more(&mut self) -> bool {
        let bytes = vec![0; 65536].leak();
        let count = self.stream.read(bytes).unwrap();
        self.input = &bytes[..count];
        !self.input.is_empty()
    }

    /// The next frame but PING; none at the end of the connection.
    fn next(&mut self) -> Option<Got> {
        loop {
            match self.decode() {
                Some(Some(got)) => return Some(got),
                Some(None) => {}
                None if self.more() => {}
                None => return None,
            }
        }
    }

    /// A frame that is here; of those that do not matter none.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the front says nothing else")]
    fn decode(&mut self) -> Option<Option<Got>> {
        Some(Some(match self.decoder.next(&mut self.input).unwrap()? {
            Event::Request { stream: id, head, .. } => {
                let line = String::from_utf8([head.method, b" ", head.target].concat()).unwrap();
                Got::Request { id, line, flags: head.flags }
            }
            Event::Data { stream, piece, .. } => Got::Data(stream, piece.to_vec()),
            Event::End { stream, .. } => Got::End(stream),
            Event::Reset { stream, code } => Got::Reset(stream, code),
            Event::Window { stream, credit } => Got::Window(stream, credit),
            Event::Ping(_) => return Some(None),
            event => panic!("{event:?}"),
        }))
    }

    fn request(&mut self) -> StreamId {
        match self.next() {
            Some(Got::Request { id, .. }) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Frames, in one write.
    fn send(&mut self, write: impl FnOnce(&mut HeadEncoder, &mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut self.encoder, &mut out);
        self.stream.write_all(&out).unwrap();
    }

    fn respond(&mut self, id: StreamId, flags: u16, fields: &[(&str, &str)], body: &str) {
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.send(|encoder, out| {
            encoder.response(id, flags | flag::NO_DATE, 200, b"", fields, body.len() as u32, out).unwrap();
            out.extend_from_slice(body.as_bytes());
        });
    }

    fn ok(&mut self, id: StreamId) {
        self.respond(id, flag::END, &[("Date", "then")], "ok");
    }
}

fn hello(endpoint: &Path) -> Vec<u8> {
    let mut out = Vec::new();
    let hello = Hello {
        version: VERSION,
        worker: WorkerId(u16::MAX),
        features: 0,
        generation: Generation(0),
        pid: 1,
        window: WINDOW,
        data_bytes_max: 65536,
        node_version: b"v20.0.0",
        endpoint: endpoint.to_str().unwrap(),
    };
    put_hello(&hello, &mut out).unwrap();
    out
}

fn front() -> Front {
    Front::start_with("[server]\ntransport = \"pipe\"\n[shards]\ncount = 1\n")
}

#[test]
fn requests_and_responses_are_frames() {
    let front = front();
    let mut worker = FrameWorker::dial(&front);
    let mut client = front.connect();
    client.send(GET);
    let Some(Got::Request { id, line, flags }) = worker.next() else { panic!() };
    assert_eq!((line.as_str(), flags), ("GET /", flag::END));
    worker.ok(id);
    client.expect(OK);
    // The connection stays, the slot is used again.
    client.send("POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\na=b&");
    let Some(Got::Request { id: next, .. }) = worker.next() else { panic!() };
    assert_eq!((next.slot(), next.usage()), (id.slot(), id.usage() + 1));
    assert_eq!(worker.next(), Some(Got::Data(next, b"a=b&".to_vec())));
    worker.ok(next);
    client.expect(OK);
}

#[test]
fn a_body_of_unknown_length_is_chunked_and_has_trailers() {
    let front = front();
    let mut worker = FrameWorker::dial(&front);
    let mut client = front.connect();
    client.send(GET);
    let id = worker.request();
    worker.respond(id, 0, &[], "");
    client.expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..2 {
        worker.send(|_, out| {
            put_data(id, 3, out).unwrap();
            out.extend_from_slice(b"abc");
        });
        client.expect("3\r\nabc\r\n");
    }
    worker.send(|encoder, out| encoder.end(id, false, [(&b"X-Sum"[..], &b"1"[..])], out).unwrap());
    client.expect("0\r\nX-Sum: 1\r\n\r\n");
    client.send(GET);
    let id = worker.request();
    worker.ok(id);
    client.expect(OK);
}

#[test]
fn a_request_body_waits_for_credit() {
    let front = front();
    let mut worker = FrameWorker::dial(&front);
    let mut client = front.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n");
    client.send(&"x".repeat(10000));
    let id = worker.request();
    let mut come = 0;
    while come < 10000 {
        match worker.next() {
            Some(Got::Data(_, bytes)) => come += bytes.len(),
            other => panic!("{other:?}"),
        }
        if come % WINDOW as usize == 0 {
            // All that was allowed has come: a second request overtakes what waits.
            let mut other = front.connect();
            other.send(GET);
            let second = worker.request();
            worker.ok(second);
            other.expect(OK);
            worker.send(|_, out| put_window(id, WINDOW, out).unwrap());
        }
    }
    assert_eq!(worker.next(), Some(Got::End(id)));
    worker.ok(id);
    client.expect(OK);
}

#[test]
fn a_client_that_leaves_is_told_to_the_worker() {
    let front = front();
    let mut worker = FrameWorker::dial(&front);
    let mut client = front.connect();
    client.send(GET);
    let id = worker.request();
    drop(client);
    assert_eq!(worker.next(), Some(Got::Reset(id, ResetCode::Cancelled)));
}

#[test]
fn a_refused_request_goes_to_whoever_comes_next() {
    let front = front();
    let mut worker = FrameWorker::dial(&front);
    let mut client = front.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    let id = worker.request();
    worker.send(|_, out| {
        put_closing(out).unwrap();
        put_reset(id, ResetCode::Refused, out).unwrap();
    });
    let mut other = FrameWorker::dial(&front);
    let id = other.request();
    assert_eq!(other.next(), Some(Got::Data(id, b"hi".to_vec())));
    other.ok(id);
    client.expect(OK);
}

#[test]
fn an_idempotent_request_survives_its_worker_and_another_does_not() {
    let front = front();
    let mut worker = FrameWorker::dial(&front);
    let (mut get, mut post) = (front.connect(), front.connect());
    get.send(GET);
    worker.request();
    post.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    worker.request();
    drop(worker);
    assert!(post.until("\r\n\r\n").starts_with("HTTP/1.1 502 "));
    let mut worker = FrameWorker::dial(&front);
    let id = worker.request();
    worker.ok(id);
    get.expect(OK);
}

#[test]
fn a_malformed_frame_ends_the_connection_and_fails_its_exchanges_alone() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    let id = worker.request();
    // DATA before any RESPONSE.
    worker.send(|_, out| {
        put_data(id, 1, out).unwrap();
        out.push(b'x');
    });
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 502 "));
    assert_eq!(worker.next(), None);
    let mut worker = FrameWorker::dial(&front);
    let mut client = front.connect();
    client.send(GET);
    let id = worker.request();
    worker.ok(id);
    client.expect(OK);
}

#[test]
fn a_response_that_is_cut_short_never_looks_whole() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send(GET);
    let id = worker.request();
    worker.respond(id, 0, &[("Content-Length", "5")], "ab");
    client.expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
    worker.send(|_, out| put_reset(id, ResetCode::Internal, out).unwrap());
    client.expect_end();
}

#[test]
fn what_came_before_a_cut_reaches_the_client() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send(GET);
    let id = worker.request();
    worker.send(|encoder, out| {
        let length = [(&b"Content-Length"[..], &b"5"[..])];
        encoder.response(id, flag::NO_DATE, 200, b"", length, 2, out).unwrap();
        out.extend_from_slice(b"ab");
        put_reset(id, ResetCode::Internal, out).unwrap();
    });
    client.expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
    client.expect_end();
}

#[test]
fn what_ends_with_its_connection_is_reset_when_it_is_cut() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("GET / HTTP/1.0\r\n\r\n");
    let id = worker.request();
    worker.respond(id, 0, &[], "ab");
    client.expect("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab");
    worker.send(|_, out| put_reset(id, ResetCode::Internal, out).unwrap());
    client.expect_reset();
}

#[test]
fn an_upgrade_goes_over_to_raw_bytes() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    let Some(Got::Request { id, flags, .. }) = worker.next() else { panic!() };
    assert_eq!(flags, flag::UPGRADE);
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello";
    worker.send(|_, out| {
        put_raw(id, out).unwrap();
        put_data(id, answer.len() as u32, out).unwrap();
        out.extend_from_slice(answer.as_bytes());
    });
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    client.expect("hello");
    client.send("ping");
    assert_eq!(worker.next(), Some(Got::Data(id, b"ping".to_vec())));
    client.end();
    assert_eq!(worker.next(), Some(Got::End(id)));
    worker.send(|encoder, out| encoder.end(id, false, [], out).unwrap());
    client.expect_end();
}

#[test]
fn a_refused_upgrade_is_a_response() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    let id = worker.request();
    worker.ok(id);
    client.expect("HTTP/1.1 200 OK\r\nDate: then\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    assert_eq!(worker.next(), Some(Got::End(id)));
    client.expect_end();
}

#[test]
fn the_worker_decides_about_an_expectation() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    let id = worker.request();
    worker.send(|encoder, out| encoder.inform(id, 100, [], out).unwrap());
    client.expect("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hi");
    assert_eq!(worker.next(), Some(Got::Data(id, b"hi".to_vec())));
    assert_eq!(worker.next(), Some(Got::End(id)));
    worker.ok(id);
    client.expect(OK);
}

#[test]
fn what_a_client_does_not_read_is_not_granted() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send(GET);
    let id = worker.request();
    let window = 256 * 1024;
    worker.respond(id, 0, &[("Content-Length", "1000000000")], "");
    let piece = vec![b'x'; 65536];
    let mut left = window;
    let mut sent: usize = 0;
    // The kernel's buffers take some; then nothing is granted any more, and other exchanges go on.
    while left >= piece.len() {
        worker.send(|_, out| {
            put_data(id, piece.len() as u32, out).unwrap();
            out.extend_from_slice(&piece);
        });
        sent += piece.len();
        left -= piece.len();
        while left < piece.len() && sent < 64 << 20 {
            let mut other = front.connect();
            other.send(GET);
            let mut granted = false;
            let second = loop {
                match worker.next() {
                    Some(Got::Window(_, credit)) => {
                        left += credit as usize;
                        granted = true;
                    }
                    Some(Got::Request { id, .. }) => break id,
                    other => panic!("{other:?}"),
                }
            };
            worker.ok(second);
            other.expect(OK);
            if !granted {
                break;
            }
        }
    }
    assert!(sent < 64 << 20, "the front takes what nobody reads");
    client.until("xxx");
}

#[test]
fn a_response_that_is_not_http_is_a_502_whatever_follows_it() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send(GET);
    let id = worker.request();
    let text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno";
    let fields = [(&b"Content-Length"[..], &b"x"[..])];
    worker.send(|encoder, out| {
        encoder.response(id, 0, 200, b"", fields, 0, out).unwrap();
        put_data(id, text.len() as u32, out).unwrap();
        out.extend_from_slice(text.as_bytes());
    });
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 502 "));
    assert_eq!(worker.next(), Some(Got::Reset(id, ResetCode::Protocol)));
}

#[test]
fn a_raw_answer_that_is_cut_short_never_looks_whole() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    let id = worker.request();
    let answer = "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    worker.send(|_, out| {
        put_raw(id, out).unwrap();
        put_data(id, answer.len() as u32, out).unwrap();
        out.extend_from_slice(answer.as_bytes());
    });
    client.until("5\r\nhel");
    worker.send(|encoder, out| encoder.end(id, false, [], out).unwrap());
    client.expect_end();
}

#[test]
fn a_body_that_is_here_as_a_whole_waits_for_credit_too() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    let body = "x".repeat(3 * WINDOW as usize);
    client.send(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let id = worker.request();
    for _ in 0..2 {
        // All that the first one is allowed to have is in the front by now.
        let mut have = 0;
        while have < WINDOW as usize {
            match worker.next() {
                Some(Got::Data(_, bytes)) => have += bytes.len(),
                other => panic!("{other:?}"),
            }
        }
        worker.send(|_, out| put_window(id, WINDOW, out).unwrap());
    }
    while worker.next() != Some(Got::End(id)) {}
    worker.send(|_, out| put_reset(id, ResetCode::Refused, out).unwrap());
    // To be sent again it need not be waited for.
    let id = worker.request();
    let mut have = 0;
    loop {
        match worker.next() {
            Some(Got::Data(_, bytes)) => {
                have += bytes.len();
                worker.send(|_, out| put_window(id, bytes.len() as u32, out).unwrap());
            }
            Some(Got::End(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(have, body.len());
    worker.ok(id);
    client.expect(OK);
}

#[test]
fn a_raw_answer_that_ends_in_its_head_is_a_502_at_once() {
    let front = front();
    let (mut worker, mut client) = (FrameWorker::dial(&front), front.connect());
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    let id = worker.request();
    worker.send(|_, out| {
        put_raw(id, out).unwrap();
        put_data(id, 12, out).unwrap();
        out.extend_from_slice(b"HTTP/1.1 101");
        put_reset(id, ResetCode::Internal, out).unwrap();
    });
    assert!(client.until("\r\n\r\n").starts_with("HTTP/1.1 502 "));
}
