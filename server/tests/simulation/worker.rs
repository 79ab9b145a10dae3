//! A worker: answers with what belongs to the request's id, if it feels like it.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use forebay_core::buf::ChunkSize;
use forebay_core::id::{Generation, WorkerId};
use forebay_transports::sim::{Sim, Stream, Worker};
use forebay_transports::{Conn, Engine};

use crate::laws::Book;
use crate::plan::{Kind, below, chance, nap, now, sleep};
use crate::wire::{Body, End, Head, Pieces, Wire, chunked, pattern, send};

/// One process.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) book: Rc<Book>,
    pub(crate) worker: WorkerId,
    pub(crate) generation: Generation,
    pub(crate) listener: Rc<Worker>,
    /// Its loop is stuck: it accepts nobody.
    pub(crate) deaf: Rc<Cell<bool>>,
}

/// What a worker does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    /// Pauses before it answers and while it does.
    Slow,
    /// Says other things first.
    Informs,
    /// Answers before it reads the body, and goes on, or not.
    Early,
    /// Answers, says that it will close, and does.
    Closes,
    /// Answers and closes without a word.
    ClosesSilently,
    /// Ends in the middle of a head, of a body.
    DiesInHead,
    DiesInBody,
    /// Closes over what it has not read; or over a request that it has read as a whole.
    Drops,
    Refuses,
    /// Not HTTP.
    Garbles,
    /// Reads, and says nothing; or does not even read.
    Silent,
    Stuck,
    /// Answers, and reads no more of the body.
    AnswersAndSticks,
    /// Says more than it was asked.
    Babbles,
}

impl Mood {
    const BAD: [Self; 14] = [
        Self::Slow,
        Self::Informs,
        Self::Early,
        Self::Closes,
        Self::ClosesSilently,
        Self::DiesInHead,
        Self::DiesInBody,
        Self::Drops,
        Self::Refuses,
        Self::Garbles,
        Self::Silent,
        Self::Stuck,
        Self::AnswersAndSticks,
        Self::Babbles,
    ];

    /// No reason for anybody to complain.
    const BENIGN: [Self; 4] = [Self::Informs, Self::Early, Self::Closes, Self::Babbles];

    fn draw(book: &Book) -> Self {
        if book.calm.get() || !chance(book.plan.mischief) {
            return Self::Good;
        }
        let few = match book.plan.kind {
            Kind::Benign => &Self::BENIGN[..],
            _ => &Self::BAD[..],
        };
        few[below(few.len() as u64) as usize]
    }
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
        loop {
            match wire.head().await {
                Ok(head) => {
                    if !self.answer(&mut wire, &head).await {
                        return;
                    }
                }
                Err(End::Bad(what)) => return self.book.violate(4, format!("a worker was sent {what}")),
                Err(End::Closed | End::Broken) => return,
            }
        }
    }

    /// Deals with one request. True if the connection can bring another.
    async fn answer(&self, wire: &mut Wire, head: &Head) -> bool {
        let Some(id) = head.number("x-id") else {
            self.book.violate(4, format!("a request without an id: {head:?}"));
            return false;
        };
        self.book.arrived(id, self.worker, self.generation);
        let mood = Mood::draw(&self.book);
        self.book.count(format!("worker {mood:?}"));
        if head.field("upgrade").is_some() && mood == Mood::Good && chance(900) {
            return self.tunnel(wire, id).await;
        }
        match mood {
            Mood::Drops => return false,
            Mood::Garbles => {
                let garbage: &[u8] =
                    [&b"SSH-2.0-x\r\n\r\n"[..], b"\0\0\0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
                        [below(3) as usize];
                send(&wire.conn, garbage, Pieces::WHOLE).await;
                return false;
            }
            Mood::Stuck => {
                self.stick(Duration::from_secs(30)).await;
                return false;
            }
            Mood::Early => {
                let well = self.respond(wire, head, id, mood).await;
                nap(below(2) * 100).await;
                let reads = self.book.plan.kind == Kind::Benign || chance(600);
                return well && reads && self.read(wire, head, id).await;
            }
            Mood::AnswersAndSticks => {
                self.respond(wire, head, id, mood).await;
                self.stick(Duration::from_secs(600)).await;
                return false;
            }
            _ => {}
        }
        if head.says("expect", "100-continue")
            && !send(&wire.conn, b"HTTP/1.1 100 Continue\r\n\r\n", Pieces::WHOLE).await
        {
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
            Mood::Informs => {
                for _ in 0..=below(3) {
                    let one =
                        [&b"HTTP/1.1 102 Processing\r\n\r\n"[..], b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
                            [below(2) as usize];
                    if !send(&wire.conn, one, Pieces::random()).await {
                        return false;
                    }
                    nap(below(2) * 100).await;
                }
                if self.book.plan.kind != Kind::Benign && chance(200) {
                    return false;
                }
            }
            _ => nap(below(3) * 5).await,
        }
        self.respond(wire, head, id, mood).await
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
            out += "\r\n";
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
        let pieces = if mood == Mood::Slow { Pieces { bytes_max: 2000, pause_ms: 300 } } else { Pieces::random() };
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
