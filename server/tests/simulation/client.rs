//! A client: asks, checks every byte of what it is told, and is rude at times.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use forebay_core::time::Timestamp;
use forebay_transports::sim::{self, Sim, Stream};
use forebay_transports::{Conn, Engine};

use crate::ask::Ask;
use crate::bytes::{Pieces, pattern, send};
use crate::laws::{Book, PATIENCE};
use crate::plan::{below, chance, nap, now, sleep};
use crate::wire::{Body, End, Head, Wire};
use crate::world::ADDRESS;

/// What becomes of a connection after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Goes on.
    Open,
    /// The front says that it closes it, or has broken it off.
    Over,
    /// Speaks another protocol.
    Tunnel,
}

/// What the task that sends and the one that receives know of each other.
#[derive(Default)]
pub(crate) struct Progress {
    since: Cell<Timestamp>,
    sent: Cell<bool>,
    continued: Cell<bool>,
    answered: Cell<bool>,
    body_begun: Cell<bool>,
}

/// One connection.
pub(crate) struct Talk {
    pub(crate) book: Rc<Book>,
    pub(crate) wire: Wire,
    pub(crate) progress: Rc<Progress>,
    /// Status of the last response.
    pub(crate) status: u16,
    /// The client itself broke it off.
    pub(crate) aborted: Rc<Cell<bool>>,
    /// How long it reads nothing of the first body or tunnel, in milliseconds at most.
    pub(crate) stall: Option<u64>,
}

impl Talk {
    pub(crate) async fn new(book: &Rc<Book>) -> Option<Self> {
        let conn = sim::connect(ADDRESS.parse().unwrap()).await.ok()?;
        Some(Self {
            book: Rc::clone(book),
            wire: Wire::new(conn),
            progress: Rc::default(),
            status: 0,
            aborted: Rc::default(),
            stall: None,
        })
    }

    /// Sends requests in a task of its own, one behind the other.
    pub(crate) fn send(&mut self, asks: Vec<Ask>) {
        let progress = Rc::new(Progress::default());
        progress.since.set(now());
        self.progress = Rc::clone(&progress);
        let conn = Rc::clone(&self.wire.conn);
        Sim::spawn(async move {
            send_all(&conn, &asks, &progress).await;
            progress.since.set(now());
            progress.sent.set(true);
        });
    }

    /// Waits until what was given to [`send`](Talk::send) is sent or cannot be.
    pub(crate) async fn sent(&self) {
        while !self.progress.sent.get() {
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Reads the response to `ask`.
    pub(crate) async fn hear(&mut self, ask: &Ask) -> Then {
        loop {
            let result = self.wire.head().await;
            self.on_time(ask, PATIENCE);
            let head = match result {
                Ok(head) => head,
                Err(End::Bad(what)) => {
                    self.book.violate(4, format!("response to {}: {what}", ask.id));
                    return Then::Over;
                }
                Err(End::Closed | End::Broken) => {
                    let _part = self.wire.take_all();
                    self.book.count("closed without an answer");
                    return Then::Over;
                }
            };
            let status: u16 = head.start[1].parse().unwrap_or(0);
            match status {
                101 => {
                    self.check_id(&head, ask);
                    return Then::Tunnel;
                }
                100..=199 => {
                    self.book.count(format!("got {status}"));
                    if !ask.is_11 {
                        self.book.violate(3, format!("{status} for an HTTP/1.0 client"));
                    }
                    self.progress.continued.set(true);
                }
                _ => return self.take(&head, status, ask).await,
            }
        }
    }

    fn on_time(&self, ask: &Ask, patience: Duration) {
        let waited = now().since(self.progress.since.get());
        if waited > patience {
            self.book.violate(3, format!("{} {} waited {waited:?}", ask.method, ask.id));
        }
        self.progress.since.set(now());
    }

    fn check_id(&self, head: &Head, ask: &Ask) {
        if head.number("x-id") != Some(ask.id) {
            self.book.violate(4, format!("{} {} got {head:?}", ask.method, ask.id));
        }
        self.book.answered(ask.id);
    }

    /// Takes a final response.
    async fn take(&mut self, head: &Head, status: u16, ask: &Ask) -> Then {
        self.status = status;
        self.progress.answered.set(true);
        self.book.count(format!("got {status}"));
        let closes = head.says("connection", "close");
        if ask.expects && !self.progress.body_begun.get() && !closes {
            self.book.violate(3, format!("{} was not asked for its body, and goes on", ask.id));
        }
        if head.field("x-hop").is_some() {
            self.book.violate(4, format!("a field of the worker's hop went on: {head:?}"));
        }
        let framing = head.body(Body::UntilClose);
        let mut body = Vec::new();
        // Where the front has not looked at the request it does not know that a HEAD has no body.
        let bare = ask.method == "HEAD" && (status == 200 || !closes);
        if let Some(stall) = self.stall.take() {
            nap(stall).await;
        }
        let result = if bare { Ok(()) } else { self.wire.body(framing, &mut body).await };
        // Bytes flow, perhaps slowly.
        self.on_time(ask, PATIENCE * 10);
        if status == 200 {
            self.check_id(head, ask);
            let length = usize::try_from(head.number("x-length").unwrap_or(0)).unwrap();
            self.book.same(format!("response to {}", ask.id), &body, &pattern(!ask.id, length));
            // A response that ends with the worker's connection may have been cut there, and nobody knows.
            let is_known = head.field("x-bare").is_none() && !self.aborted.get();
            let is_whole = body.len() == length || ask.method == "HEAD" || !is_known;
            if result.is_ok() && !is_whole {
                self.book.violate(3, format!("response to {} has {} bytes of {length}", ask.id, body.len()));
            }
        } else {
            self.book.answered(ask.id);
            if !ask.may_be_refused_with(&self.book, status) {
                self.book.violate(
                    3,
                    format!("{} {} got {status}: {:?}", ask.method, ask.id, String::from_utf8_lossy(&body)),
                );
            }
        }
        match result {
            Err(End::Bad(what)) => self.book.violate(4, format!("response to {}: {what}", ask.id)),
            Err(_) => {
                let _part = self.wire.take_all();
                self.book.count("cut");
            }
            Ok(()) => {}
        }
        let open = result.is_ok() && !closes && framing != Body::UntilClose;
        if open || (result.is_ok() && ask.method == "HEAD" && !closes) { Then::Open } else { Then::Over }
    }

    /// Reads to the end of the connection: nothing may come any more.
    pub(crate) async fn expect_end(&mut self, why: &str) {
        let since = now();
        while self.wire.is_empty() && self.wire.fill().await.is_ok() {}
        let bytes = self.wire.take_all();
        if !bytes.is_empty() && !self.aborted.get() {
            self.book.violate(3, format!("{why}: more came: {:?}", String::from_utf8_lossy(&bytes)));
        }
        if now().since(since) > PATIENCE {
            self.book.violate(3, format!("{why}: closed after {:?}", now().since(since)));
        }
    }

    /// Breaks the connection off in a while.
    pub(crate) fn abort_later(&self) {
        let (conn, aborted) = (Rc::clone(&self.wire.conn), Rc::clone(&self.aborted));
        Sim::spawn(async move {
            nap(1 << below(12)).await;
            aborted.set(true);
            conn.abort();
        });
    }

    /// Talks through a tunnel to an echo; true if all came back.
    pub(crate) async fn echo(&mut self, ask: &Ask, already: usize) -> bool {
        self.book.count("tunnelled");
        let length = already + below(if self.stall.is_some() { 20_000 } else { 5000 }) as usize;
        let bytes = pattern(ask.id, length);
        let (conn, rest) = (Rc::clone(&self.wire.conn), bytes[already..].to_vec());
        Sim::spawn(async move {
            send(&conn, &rest, Pieces::random()).await;
            conn.finish();
        });
        if let Some(stall) = self.stall.take() {
            nap(stall).await;
        }
        let mut heard = Vec::new();
        let result = self.wire.body(Body::UntilClose, &mut heard).await;
        self.book.same(format!("tunnel {}", ask.id), &heard, &bytes);
        result.is_ok() && heard.len() == length
    }
}

async fn send_all(conn: &Stream, asks: &[Ask], progress: &Progress) {
    let mut bytes = Vec::new();
    for ask in asks {
        bytes.extend_from_slice(&ask.head);
        if ask.expects && chance(900) {
            if !send(conn, &std::mem::take(&mut bytes), ask.pieces).await {
                return;
            }
            let until = now() + Duration::from_millis(below(1500));
            while !progress.continued.get() && !progress.answered.get() && now() < until {
                sleep(Duration::from_millis(5)).await;
            }
            if progress.answered.get() && !progress.continued.get() {
                return;
            }
        }
        progress.body_begun.set(true);
        bytes.extend_from_slice(&ask.body);
        if asks.len() == 1 || ask.pieces.pause_ms > 0 {
            if !send(conn, &std::mem::take(&mut bytes), ask.pieces).await {
                return;
            }
            progress.since.set(now());
        }
    }
    if !bytes.is_empty() {
        send(conn, &bytes, Pieces::random()).await;
    }
}
