//! Reading a request's body and sending a response, with all the credit that takes.

use forebay_core::pipe::{ResetCode, Signal, flag, put_data, put_window};

use super::call::Call;
use crate::bytes::pattern;
use crate::mood::Mood;
use crate::plan::{Kind, below, chance, nap};

/// How a body is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// Body bytes in one frame at most.
    pub(super) bytes_max: usize,
    /// The longest pause between two, in milliseconds.
    pub(super) pause_ms: u64,
}

/// Where a body ends that does not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    No,
    /// RESET.
    Reset,
    /// The connection ends inside of a frame.
    InFrame,
    /// END before all that was announced.
    Short,
}

impl Call {
    /// Reads the body, and checks that it is the one that was sent. False if it did not come.
    pub(super) async fn read(&self, id: u64) -> bool {
        let book = &self.pipe.process.book;
        let sent = pattern(id, usize::try_from(self.number("x-length").unwrap_or(0)).unwrap());
        let (mut body, lazy) = (Vec::new(), below(3));
        loop {
            let piece = self.come.take();
            body.extend_from_slice(&piece);
            book.same(format!("request {id}"), &body, &sent);
            if !piece.is_empty() {
                self.grant(piece.len(), lazy).await;
                continue;
            }
            if self.is_over() {
                return false;
            }
            if self.ended.get() {
                if body.len() == sent.len() {
                    book.read_whole_in_frames(id);
                } else {
                    book.violate(4, format!("request {id} has {} bytes of {}", body.len(), sent.len()));
                }
                return true;
            }
            self.pipe.bell.heard().await;
        }
    }

    /// Grants credit for what was read: at once, late, or little by little.
    pub(super) async fn grant(&self, bytes: usize, lazy: u64) {
        let credit = {
            let streams = &mut self.pipe.state.borrow_mut().streams;
            streams.on_used(self.id, u32::try_from(bytes).unwrap());
            streams.poll_grant(self.id)
        };
        let Some(mut left) = credit else { return };
        if lazy == 1 {
            nap(below(2) * 100).await;
        }
        let most = if lazy == 2 { 1 + left / 4 } else { left };
        while left > 0 && self.pipe.is_open(self.id) {
            let some = left.min(most);
            self.pipe.say(|_, out| put_window(self.id, some, out).unwrap());
            left -= some;
            if left > 0 {
                nap(5).await;
            }
        }
    }

    /// Says something before the response.
    pub(super) fn inform(&self, status: u16) {
        let link: &[(&[u8], &[u8])] = if status == 103 { &[(b"Link", b"</a>")] } else { &[] };
        if self.pipe.may(self.id, Signal::Inform) {
            self.pipe.say(|encoder, out| encoder.inform(self.id, status, link.iter().copied(), out).unwrap());
        }
    }

    /// Answers. False if that was not possible, or not what should be done.
    pub(super) async fn respond(&self, id: u64, mood: Mood) -> bool {
        let book = &self.pipe.process.book;
        let length = match below(10) {
            0 => 0,
            1..=5 => below(500) as usize,
            6..=8 => below(20_000) as usize,
            _ => below(100_000) as usize,
        };
        let length = if book.calm.get() { length.min(1000) } else { length };
        let mut body = if self.method == "HEAD" { Vec::new() } else { pattern(!id, length) };
        let cut = match mood {
            Mood::DiesInHead => {
                self.pipe.reset(self.id, ResetCode::ALL[below(6) as usize]);
                return false;
            }
            Mood::DiesInBody => [Cut::Reset, Cut::InFrame, Cut::Short][below(3) as usize],
            _ => Cut::No,
        };
        // What is said too much is dropped.
        let announced = cut == Cut::Short || mood == Mood::Babbles || chance(600);
        if mood == Mood::Babbles {
            body.extend_from_slice(b"HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 0\r\n\r\n");
        }
        if cut != Cut::No && self.method != "HEAD" {
            body.truncate(below(length as u64) as usize);
        }
        let stops = mood == Mood::Early && book.plan.kind != Kind::Benign && chance(400);
        let closes = if mood == Mood::Closes { flag::CLOSE } else { 0 };
        if mood == Mood::ClosesSilently {
            self.pipe.close_soon(false);
        }
        let head = Head { id, length, announced, flags: closes };
        let sent = self.send_all(&head, &body, self.manner(mood), cut, stops).await;
        sent && !stops
    }

    fn manner(&self, mood: Mood) -> Manner {
        let bytes_max = match below(4) {
            0 => 1 + below(40) as usize,
            1 => 1 + below(2000) as usize,
            _ => 64 * 1024,
        };
        match mood {
            _ if self.pipe.process.book.calm.get() => Manner { bytes_max: 64 * 1024, pause_ms: 0 },
            Mood::Slow => Manner { bytes_max: 4000, pause_ms: 300 },
            _ => Manner { bytes_max, pause_ms: if chance(200) && bytes_max > 1000 { 20 } else { 0 } },
        }
    }

    /// Sends a response's head and body. True if it is complete.
    async fn send_all(&self, head: &Head, body: &[u8], manner: Manner, cut: Cut, stops: bool) -> bool {
        let inline = match self.room() {
            room if body.len() <= room && chance(500) => body.len(),
            room => (below(3) as usize * body.len() / 4).min(room).min(manner.bytes_max),
        };
        // What ends with its head says how long it is.
        let ends = inline == body.len() && cut == Cut::No && chance(700);
        if !self.send_head(head, &body[..inline], ends, stops) {
            return false;
        }
        if ends {
            return true;
        }
        if !self.send(&body[inline..], manner).await {
            return false;
        }
        match cut {
            Cut::Reset => {
                nap(below(2) * 50).await;
                self.pipe.reset(self.id, ResetCode::ALL[below(6) as usize]);
                return false;
            }
            Cut::InFrame => {
                if self.room() >= 100 {
                    self.pipe.say(|_, out| put_data(self.id, 100, out).unwrap());
                }
                self.pipe.break_off().await;
                return false;
            }
            Cut::No | Cut::Short => {}
        }
        if !self.pipe.may(self.id, Signal::End { stop: stops }) {
            return false;
        }
        let trailers: &[(&[u8], &[u8])] = match below(4) {
            0 => &[(b"X-Trailer", b"1"), (b"Content-Length", b"7"), (b"X-Other", b" 2 ")],
            1 => &[(b"Server-Timing", b"a")],
            _ => &[],
        };
        self.pipe.say(|encoder, out| encoder.end(self.id, stops, trailers.iter().copied(), out).unwrap());
        cut == Cut::No
    }

    /// Body bytes that fit one frame now.
    fn room(&self) -> usize {
        let mut state = self.pipe.state.borrow_mut();
        let most = state.welcome.map_or(0, |welcome| welcome.data_bytes_max);
        state.streams.credit(self.id).min(most) as usize
    }

    fn send_head(&self, head: &Head, body: &[u8], ends: bool, stops: bool) -> bool {
        let stop = ends && stops;
        let count = u32::try_from(body.len()).unwrap();
        if !self.pipe.may(self.id, Signal::Response { body: count, ends, stop }) {
            return false;
        }
        let (id, length) = (head.id.to_string(), head.length.to_string());
        let mut fields =
            vec![("X-Id", id.as_str()), ("X-Length", length.as_str()), ("Connection", "X-Hop"), ("X-Hop", "1")];
        if head.announced {
            fields.push(("content-length", length.as_str()));
        } else if chance(200) {
            fields.push(("Transfer-Encoding", "chunked"));
        }
        let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let flags = head.flags | if ends { flag::END } else { 0 } | if stop { flag::STOP } else { 0 };
        self.pipe.say(|encoder, out| {
            encoder.response(self.id, flags, 200, b"", fields, count, out).unwrap();
            out.extend_from_slice(body);
        });
        true
    }

    /// Sends body bytes, or raw ones, as the credit allows. False if they cannot be sent.
    pub(super) async fn send(&self, bytes: &[u8], manner: Manner) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.is_over() {
                return false;
            }
            let some = self.room().min(rest.len()).min(manner.bytes_max);
            if some == 0 {
                self.pipe.bell.heard().await;
                continue;
            }
            let count = u32::try_from(some).unwrap();
            if !self.pipe.may(self.id, Signal::Data(count)) {
                return false;
            }
            self.pipe.say(|_, out| {
                put_data(self.id, count, out).unwrap();
                out.extend_from_slice(&rest[..some]);
            });
            rest = &rest[some..];
            if manner.pause_ms > 0 {
                nap(manner.pause_ms).await;
            } else if manner.bytes_max < 1000 {
                self.pipe.flushed().await;
            }
        }
        true
    }
}

/// A response's head.
struct Head {
    id: u64,
    /// Bytes of its body.
    length: usize,
    /// Whether it says how many.
    announced: bool,
    flags: u16,
}
