//! One exchange as a worker that speaks frames sees it, and what it does about it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use forebay_core::buf::Slice;
use forebay_core::pipe::{Event, Request, ResetCode, StreamId, flag};
use forebay_transports::Conn;

use super::Pipe;
use crate::mood::Mood;
use crate::plan::{Kind, below, chance, nap, now, sleep};

/// How much a worker may have to be waited for.
const FOR_EVER: Duration = Duration::from_secs(600);

/// A request, and what has come for it.
pub(super) struct Call {
    pub(super) pipe: Rc<Pipe>,
    pub(super) id: StreamId,
    pub(super) flags: u16,
    pub(super) method: String,
    fields: Vec<(String, String)>,
    /// Come and not read.
    pub(super) come: RefCell<Vec<u8>>,
    pub(super) ended: Cell<bool>,
    /// The front has given it up.
    pub(super) reset: Cell<bool>,
}

impl Call {
    pub(super) fn new(pipe: &Rc<Pipe>, id: StreamId, head: &Request<'_>, ended: bool) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            pipe: Rc::clone(pipe),
            id,
            flags: head.flags,
            method: text(head.method),
            fields: head.fields.iter().map(|(name, value)| (text(name).to_lowercase(), text(value))).collect(),
            come: RefCell::default(),
            ended: Cell::new(ended),
            reset: Cell::default(),
        }
    }

    /// Takes what came on its stream.
    pub(super) fn take(&self, event: &Event<'_, Slice>) {
        match event {
            Event::Data { piece, ends, .. } => {
                self.come.borrow_mut().extend_from_slice(piece);
                self.ended.set(self.ended.get() || *ends);
            }
            Event::End { .. } => self.ended.set(true),
            Event::Reset { .. } => self.reset.set(true),
            _ => {}
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.fields.iter().find(|(it, _)| it == name)?.1.parse().ok()
    }

    pub(super) fn is_over(&self) -> bool {
        self.reset.get() || self.pipe.has_ended()
    }

    /// Deals with the request.
    pub(super) async fn live(self: Rc<Self>) {
        let process = &self.pipe.process;
        match self.number("x-id") {
            Some(id) => self.answer(id).await,
            None => process.book.violate(4, format!("a request without an id: {:?}", self.fields)),
        }
        // An application that has forgotten a request does not keep it.
        if self.pipe.is_open(self.id) {
            self.pipe.reset(self.id, ResetCode::Internal);
        }
        self.pipe.state.borrow_mut().calls.remove(&self.id.0);
        self.pipe.bell.ring();
    }

    async fn answer(&self, id: u64) {
        let process = &self.pipe.process;
        let is_first = process.book.reached(id, &self.method, process.worker);
        let mood = Mood::draw_framed(&process.book, is_first);
        process.book.count(format!("frames {mood:?}"));
        if self.flags & flag::UPGRADE != 0 {
            let tunnels = mood == Mood::Good && chance(900);
            return if tunnels { self.tunnel(id).await } else { self.refuse_upgrade(id, mood).await };
        }
        if self.before_the_body(id, mood).await {
            return;
        }
        if self.flags & flag::EXPECT != 0 {
            self.inform(100);
        }
        if !self.read(id).await {
            return;
        }
        match mood {
            Mood::Silent => return self.wait_for_the_end(FOR_EVER).await,
            Mood::Slow => nap(3000).await,
            Mood::Informs => {
                for _ in 0..=below(3) {
                    self.inform(102 + below(2) as u16);
                    nap(below(2) * 100).await;
                }
                if process.book.plan.kind != Kind::Benign && chance(200) {
                    return;
                }
            }
            _ => nap(below(3) * 5).await,
        }
        self.respond(id, mood).await;
    }

    /// What some do who do not wait for the body; false for those who do.
    async fn before_the_body(&self, id: u64, mood: Mood) -> bool {
        let pipe = &self.pipe;
        let forgiving = pipe.process.book.plan.kind == Kind::Forgiving;
        match mood {
            Mood::Drops if forgiving => pipe.reset(self.id, ResetCode::ShuttingDown),
            Mood::Drops if chance(500) => pipe.conn.abort(),
            Mood::Drops => pipe.reset(self.id, ResetCode::ALL[2 + below(4) as usize]),
            Mood::Refuses => {
                nap(below(2) * 50).await;
                pipe.reset(self.id, ResetCode::Refused);
            }
            Mood::DiesInHead if forgiving => pipe.reset(self.id, ResetCode::Refused),
            Mood::DiesInHead if chance(500) => self.die_in_a_frame(id).await,
            Mood::Garbles => self.garble(id).await,
            Mood::Stuck => {
                self.stick(Duration::from_secs(30)).await;
            }
            Mood::Early => {
                if self.respond(id, mood).await {
                    nap(below(2) * 100).await;
                    let _read = self.read(id).await;
                }
            }
            Mood::AnswersAndSticks => {
                self.respond(id, mood).await;
                self.stick(FOR_EVER).await;
            }
            _ => return false,
        }
        true
    }

    /// The whole process is stuck: nothing is read on this connection.
    async fn stick(&self, wait: Duration) {
        // What was said gets out: that is the system's business.
        let until = now() + wait;
        self.pipe.stuck_until.set(until);
        while now() < until && !self.pipe.process.book.calm.get() && !self.pipe.has_ended() {
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the front gives up.
    async fn wait_for_the_end(&self, wait: Duration) {
        let until = now() + wait;
        while now() < until && !self.is_over() {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The connection ends inside of a response's head.
    async fn die_in_a_frame(&self, id: u64) {
        let id = id.to_string();
        if self.pipe.state.borrow().mute {
            return;
        }
        self.pipe.say(|encoder, out| {
            let from = out.len();
            let fields = [(&b"X-Id"[..], id.as_bytes())];
            encoder.response(self.id, 0, 200, b"", fields, 0, out).unwrap();
            out.truncate(from + 1 + below((out.len() - from - 1) as u64) as usize);
        });
        self.pipe.break_off().await;
    }
}
