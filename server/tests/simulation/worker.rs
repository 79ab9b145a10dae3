//! A worker: answers with what belongs to the request's id, if it feels like it.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use forebay_core::buf::ChunkSize;
use forebay_core::id::{Generation, WorkerId};
use forebay_core::time::Timestamp;
use forebay_transports::sim::{Sim, Stream, Worker};
use forebay_transports::{Conn, Engine};

use crate::bytes::{Pieces, chunked, pattern, send};
use crate::laws::Book;
use crate::mood::Mood;
use crate::plan::{Kind, below, chance, nap, now, sleep};
use crate::wire::{Body, End, Head, Wire};

/// One process.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) book: Rc<Book>,
    pub(crate) worker: WorkerId,
    pub(crate) generation: Generation,
    pub(crate) listener: Rc<Worker>,
    /// Its loop is stuck: it accepts nobody.
    pub(crate) deaf: Rc<Cell<bool>>,
    /// It is dead.
    pub(crate) gone: Rc<Cell<bool>>,
    /// Its application has closed its server.
    pub(crate) closing: Rc<Cell<bool>>,
    /// It has asked for plain HTTP.
    pub(crate) demoted: Rc<Cell<bool>>,
    /// When it has said so, and since when the shards know.
    pub(crate) demoted_at: Rc<Cell<Option<(Timestamp, Timestamp)>>>,
}

impl Process {
    /// Accepts connections until it is gone.
    pub(crate) async fn live(self) {
        loop {
            while self.deaf.get() {
                sleep(Duration::from_millis(20)).await;
            }
            match self.listener.accept().await {
                Ok(conn) => Sim::spawn(self.clone().serve(conn)),
                Err(error) if error.kind() == ErrorKind::NotConnected => return,
                Err(_) => sleep(Duration::from_millis(1)).await,
            }
        }
    }

    async fn serve(self, conn: Stream) {
        let mut wire = Wire::new(conn);
        let mut is_new = true;
        loop {
            match wire.head().await {
                Ok(head) => {
                    if !self.answer(&mut wire, &head, is_new).await {
                        return;
                    }
                    is_new = false;
                }
                Err(End::Bad(what)) => return self.book.violate(4, format!("a worker was sent {what}")),
                Err(End::Closed | End::Broken) => return,
            }
        }
    }

    /// Deals with one request. True if the connection can bring another.
    async fn answer(&self, wire: &mut Wire, head: &Head, is_new: bool) -> bool {
        let Some(id) = head.number("x-id") else {
            self.book.violate(4, format!("a request without an id: {head:?}"));
            return false;
        };
        let is_first = self.book.arrived(id, &head.start[0], self.worker, self.generation);
        let mood = Mood::draw(&self.book, is_first && !is_new);
        self.book.count(format!("worker {mood:?}"));
        if head.field("upgrade").is_some() && mood == Mood::Good && chance(900) {
            return self.tunnel(wire, id).await;
        }
        if let Some(goes_on) = self.before_the_body(wire, head, id, mood).await {
            return goes_on;
        }
        let asked = head.says("expect", "100-continue");
        if asked && !send(&wire.conn, b"HTTP/1.1 100 Continue\r\n\r\n", Pieces::WHOLE).await {
            return false;
        }
        if !self.read(wire, head, id).await {
            return false;
        }
        match mood {
            Mood::Refuses => return false,
            Mood::Silent => {
                let _end = wire.fill().await;
                return false;
            }
            Mood::Babbles if self.is_whole() && head.start[0] != "HEAD" => return self.babble(wire, id).await,
            Mood::Slow => nap(3000).await,
            Mood::Informs if !self.inform(wire).await => return false,
            _ => nap(below(3) * 5).await,
        }
        self.respond(wire, head, id, mood).await
    }

    /// What some do who do not wait for the body; none for those who do.
    async fn before_the_body(&self, wire: &mut Wire, head: &Head, id: u64, mood: Mood) -> Option<bool> {
        match mood {
            Mood::Drops => Some(false),
            Mood::Garbles => {
                let garbage: [&[u8]; 3] =
                    [b"SSH-2.0-x\r\n\r\n", b"\0\0\0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"];
                send(&wire.conn, garbage[below(3) as usize], Pieces::WHOLE).await;
                Some(false)
            }
            Mood::Stuck => {
                self.stick(Duration::from_secs(30)).await;
                Some(false)
            }
            Mood::Early => {
                let well = self.respond(wire, head, id, mood).await;
                nap(below(2) * 100).await;
                let reads = self.book.plan.kind == Kind::Benign || chance(600);
                Some(well && reads && self.read(wire, head, id).await)
            }
            Mood::AnswersAndSticks => {
                self.respond(wire, head, id, mood).await;
                self.stick(Duration::from_secs(600)).await;
                Some(false)
            }
            _ => None,
        }
    }

    /// Says other things than a response. True if it will come.
    async fn inform(&self, wire: &Wire) -> bool {
        for _ in 0..=below(3) {
            let some: [&[u8]; 2] =
                [b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"];
            if !send(&wire.conn, some[below(2) as usize], Pieces::random()).await {
                return false;
            }
            nap(below(2) * 100).await;
        }
        self.book.plan.kind == Kind::Benign || chance(800)
    }

    /// Does nothing, until it has to be good.
    async fn stick(&self, wait: Duration) {
        let until = now() + wait;
        while now() < until && !self.book.calm.get() {
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Reads a request's body, and checks that it is the one that was sent. False if it did not come.
    async fn read(&self, wire: &mut Wire, head: &Head, id: u64) -> bool {
        let mut body = Vec::new();
        let result = wire.body(head.body(Body::Length(0)), &mut body).await;
        let length = usize::try_from(head.number("x-length").unwrap_or(0)).unwrap();
        self.book.same(format!("request {id}"), &body, &pattern(id, length));
        match result {
            Ok(()) if body.len() == length => self.book.read_whole(id),
            Ok(()) => self.book.violate(4, format!("request {id} has {} bytes of {length}", body.len())),
            Err(End::Bad(what)) => self.book.violate(4, format!("request {id} has {what}")),
            Err(End::Closed | End::Broken) => {}
        }
        result.is_ok()
    }

    /// Answers. True if the connection can bring another request.
    async fn respond(&self, wire: &Wire, head: &Head, id: u64, mood: Mood) -> bool {
        let length = match below(10) {
            0 => 0,
            1..=5 => below(500) as usize,
            6..=8 => below(20_000) as usize,
            _ => below(100_000) as usize,
        };
        let length = if self.book.calm.get() { length.min(1000) } else { length };
        let body = pattern(!id, length);
        let closes = mood == Mood::Closes;
        let bare = closes && chance(500);
        let mut out = format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nX-Length: {length}\r\n");
        if closes {
            out += "Connection: close\r\n";
        } else if chance(200) {
            out += &format!("Keep-Alive: timeout={}\r\n", 1 + below(3));
        }
        let is_chunked = !bare && chance(500);
        if is_chunked {
            out += "Transfer-Encoding: chunked\r\n\r\n";
        } else if bare {
            out += "X-Bare: 1\r\n\r\n";
        } else {
            out += &format!("Content-Length: {length}\r\n\r\n");
        }
        let head_len = out.len();
        let mut out = out.into_bytes();
        if head.start[0] != "HEAD" {
            out.extend_from_slice(&if is_chunked { chunked(&body) } else { body });
        }
        match mood {
            Mood::DiesInHead => out.truncate(below(head_len as u64) as usize),
            Mood::DiesInBody => out.truncate(head_len + below((out.len() - head_len) as u64) as usize),
            _ => {}
        }
        let pieces = match mood {
            Mood::Slow => Pieces { bytes_max: 2000, pause_ms: 300 },
            _ if self.book.calm.get() => Pieces::WHOLE,
            _ => Pieces::random(),
        };
        let sent = send(&wire.conn, &out, pieces).await;
        sent && !matches!(mood, Mood::Closes | Mood::ClosesSilently | Mood::DiesInHead | Mood::DiesInBody)
    }

    /// Whether what is written at once arrives at once.
    fn is_whole(&self) -> bool {
        self.book.plan.config.faults.partial == 0 && self.book.plan.config.buffer_bytes >= 4096
    }

    /// Answers, and says more, as an application does that counts characters instead of bytes. It arrives together
    /// with the response: who looks at all that is there is not deceived.
    async fn babble(&self, wire: &Wire, id: u64) -> bool {
        let head =
            |length| format!("HTTP/1.1 200 OK\r\nX-Id: {id}\r\nX-Length: {length}\r\nContent-Length: {length}\r\n\r\n");
        // As much as a first read takes, or anything.
        let exact = ChunkSize::Small.capacity() - head(300).len();
        let length = if chance(500) { exact } else { below(2000) as usize };
        let mut out = head(length).into_bytes();
        out.extend_from_slice(&pattern(!id, length));
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\nX-Id: 0\r\nContent-Length: 0\r\n\r\n");
        send(&wire.conn, &out, Pieces::WHOLE).await
    }

    /// Echoes until either side ends.
    async fn tunnel(&self, wire: &mut Wire, id: u64) -> bool {
        self.book.count("tunnels");
        let head =
            format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nX-Id: {id}\r\n\r\n");
        if !send(&wire.conn, head.as_bytes(), Pieces::random()).await {
            return false;
        }
        loop {
            let bytes = wire.take_all();
            if !bytes.is_empty() && !send(&wire.conn, &bytes, Pieces::WHOLE).await {
                return false;
            }
            if wire.fill().await.is_err() {
                wire.conn.finish();
                return false;
            }
            if !self.book.calm.get() && chance(20) {
                return false;
            }
        }
    }
}
