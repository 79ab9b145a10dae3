//! What breaks the protocol, a kind for each of its errors.

use std::rc::Rc;
use std::time::Duration;

use forebay_core::pipe::{
    Error, HeadEncoder, Header, Kind, Signal, StreamId, flag, put_data, put_ping, put_raw, put_window,
};
use forebay_transports::Engine;
use forebay_transports::sim::Sim;

use super::Pipe;
use super::call::Call;
use crate::plan::{Kind as World, below, chance, sleep};

/// Faults of which each world has some.
const FAULTS: [Error; 13] = [
    Error::UnknownType,
    Error::WrongDirection,
    Error::WrongStream,
    Error::BadLength,
    Error::BadFlags,
    Error::BadName,
    Error::BadValue,
    Error::BadStatus,
    Error::TooManyFields,
    Error::BadCredit,
    Error::CreditExceeded,
    Error::BadStream,
    Error::BadState,
];

impl Call {
    /// Says something that the front cannot accept, on this stream or about it.
    pub(super) async fn garble(&self, id: u64) {
        if chance(300) {
            return self.garble_alone(id);
        }
        let fault = FAULTS[below(FAULTS.len() as u64) as usize];
        // What is of a stream that is closed would be another fault.
        if !self.pipe.is_open(self.id) || self.pipe.state.borrow().garbled {
            return;
        }
        if fault == Error::CreditExceeded && !self.spend_all(id).await {
            return;
        }
        self.pipe.state.borrow_mut().garbled = true;
        self.pipe.say(|encoder, out| write(fault, self.id, encoder, out));
        let process = &self.pipe.process;
        process.book.expect_report(process.worker, process.generation, fault.name());
        process.book.count(format!("said {}", fault.name()));
        Sim::spawn(Rc::clone(&self.pipe).must_end(fault.name()));
        let _ended = self.pipe.flushed().await;
        while !self.pipe.has_ended() {
            self.pipe.bell.heard().await;
        }
    }

    /// A response that is not HTTP. It is this exchange's fault alone.
    fn garble_alone(&self, id: u64) {
        let id = id.to_string();
        let lengths: [&[&str]; 3] = [&["5", "5"], &["x"], &["5", "6"]];
        let mut fields = vec![("X-Id", id.as_str())];
        fields.extend(lengths[below(3) as usize].iter().map(|value| ("Content-Length", *value)));
        if self.pipe.may(self.id, Signal::Response { body: 0, ends: false, stop: false }) {
            let fields = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            self.pipe.say(|encoder, out| encoder.response(self.id, 0, 200, b"", fields, 0, out).unwrap());
        }
        // Not a response either.
        let text = b"HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 0\r\n\r\n";
        let count = u32::try_from(text.len()).unwrap();
        if self.pipe.may(self.id, Signal::Data(count)) {
            self.pipe.say(|_, out| {
                put_data(self.id, count, out).unwrap();
                out.extend_from_slice(text);
            });
        }
    }

    /// Sends what the credit allows, and one byte more than that.
    async fn spend_all(&self, id: u64) -> bool {
        if self.method == "HEAD" || self.flags & flag::UPGRADE != 0 {
            return false;
        }
        // Its body ends where the credit does.
        let announced = 1_000_000_000;
        let text = id.to_string();
        if !self.pipe.may(self.id, Signal::Response { body: 0, ends: false, stop: false }) {
            return false;
        }
        let length = announced.to_string();
        let fields = [("X-Id", text.as_str()), ("X-Length", &length), ("Content-Length", &length)];
        let fields = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.pipe.say(|encoder, out| encoder.response(self.id, 0, 200, b"", fields, 0, out).unwrap());
        let credit = self.pipe.state.borrow_mut().streams.credit(self.id);
        let fits = credit < 60_000 && self.pipe.process.book.plan.kind != World::Benign;
        if fits {
            let body = crate::bytes::pattern(!id, credit as usize + 1);
            self.pipe.say(|_, out| {
                put_data(self.id, credit + 1, out).unwrap();
                out.extend_from_slice(&body);
            });
        }
        fits
    }
}

impl Pipe {
    /// The front closes a connection on which something was said that it cannot accept.
    async fn must_end(self: Rc<Self>, what: &'static str) {
        if !self.flushed().await {
            return;
        }
        let book = &self.process.book;
        let slow = book.plan.travel() * 3 + Duration::from_secs(5);
        let until = Sim::now() + slow;
        while Sim::now() < until && !self.has_ended() {
            sleep(Duration::from_millis(50)).await;
        }
        // Who does not read does not notice.
        let reads = !self.process.deaf.get() && Sim::now() >= self.stuck_until.get() + slow;
        if !self.has_ended() && reads {
            book.violate(4, format!("the front goes on after {what}"));
        }
    }
}

/// Writes a frame that has the fault, on the stream of a request that was not answered.
fn write(fault: Error, id: StreamId, encoder: &mut HeadEncoder, out: &mut Vec<u8>) {
    let raw = |out: &mut Vec<u8>, number: u8, len: u32, stream: StreamId| {
        out.extend_from_slice(&Header { number, len, stream }.bytes());
    };
    let ok = |encoder: &mut HeadEncoder, out: &mut Vec<u8>, flags, status, field: (&[u8], &[u8])| {
        encoder.response(id, flags, status, b"", [field], 0, out).unwrap();
    };
    match fault {
        Error::UnknownType => raw(out, 0x18 + below(0x60) as u8, below(2) as u32, id),
        Error::WrongDirection => put_ping(1, out).unwrap(),
        Error::WrongStream if chance(500) => raw(out, Kind::Data as u8, 1, StreamId::CONNECTION),
        Error::WrongStream => raw(out, Kind::Pong as u8, 12, id),
        Error::BadLength => match below(4) {
            0 => raw(out, Kind::Reset as u8, 2, id),
            1 => raw(out, Kind::Data as u8, 0, id),
            2 => raw(out, Kind::Response as u8, 262_081, id),
            _ => {
                // The parts of a head do not add up.
                ok(encoder, out, 0, 200, (b"a", b"b"));
                let at = out.len() - 2;
                out[at..].fill(0);
                let from = out.len() - 26 + 8;
                out[from..from + 4].copy_from_slice(&1000_u32.to_le_bytes());
            }
        },
        Error::BadFlags if chance(500) => ok(encoder, out, flag::STOP, 200, (b"a", b"b")),
        Error::BadFlags => ok(encoder, out, 1 << 12, 200, (b"a", b"b")),
        Error::BadName => ok(encoder, out, 0, 200, (b"a b", b"c")),
        Error::BadValue => ok(encoder, out, 0, 200, (b"a", b"b\r\nX-Id: 0")),
        Error::BadStatus => ok(encoder, out, 0, [0, 101, 199, 1000][below(4) as usize], (b"a", b"b")),
        Error::TooManyFields => {
            raw(out, Kind::End as u8, 4, id);
            out.extend_from_slice(&[0, 0, 0xff, 0xff]);
        }
        Error::BadCredit if chance(500) => put_window(id, 0, out).unwrap(),
        Error::BadCredit => put_window(id, (1 << 30) + 1, out).unwrap(),
        Error::BadStream => match below(3) {
            0 => raw(out, Kind::Raw as u8, 0, StreamId::new(60_000, 0)),
            1 => raw(out, Kind::Raw as u8, 0, StreamId::new(id.slot(), id.usage() + 1)),
            _ => raw(out, Kind::Raw as u8, 0, StreamId(0xffff_0001)),
        },
        Error::BadState if chance(300) => {
            put_data(id, 1, out).unwrap();
            out.push(b'x');
        }
        Error::BadState if chance(500) => encoder.end(id, false, std::iter::empty(), out).unwrap(),
        Error::BadState => {
            put_raw(id, out).unwrap();
            put_raw(id, out).unwrap();
        }
        // It was written before.
        _ => {}
    }
}
