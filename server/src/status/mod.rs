//! Why a request was not answered by the application: one table of causes for answers, access log, error pages and
//! `forebay explain`.
//!
//! A cause has two numbers. The native one is what HTTP calls the failure of an application behind a gateway: 502, 503,
//! 504. The other is iisnode's: 500 or 503 with a sub-status, which its guide explains and whose readers know what to do.
//! `errors.statuses` says which of them clients see; the access log names the sub-status either way.
//!
//! Deciding which cause applies is the shard's business (`shard::exchange`, `shard::pump`) and, where no process was
//! there, the supervisor's. Nothing here does IO or keeps state.

mod exchange;
mod explain;
mod own;
mod reference;
mod start;

pub use explain::{explain, explain_all, find};
pub use reference::{statuses_markdown, statuses_tests};

use crate::config::Statuses;

/// Why a request was not answered, or not to its end, by the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cause {
    /// The node program does not exist.
    NodeMissing,
    /// The process could not be made for another reason.
    NotStarted,
    /// The script does not exist.
    ScriptMissing,
    /// A folder above the script may not be read.
    FolderUnreadable,
    /// The process ended before it listened.
    Exited,
    /// The process ran and did not listen in time.
    NeverListened,
    /// The process listens, but not where it was told to.
    ListenedElsewhere,
    /// No process was ready in time.
    NoWorker,
    /// Nobody listens at the endpoint.
    Unreachable,
    /// The endpoint took no connection in time.
    WorkerBusy,
    /// The process ended before it had taken the request.
    EndedBefore,
    /// A new connection could not be set up.
    SocketSetup,
    /// The head does not fit the form in which the worker gets it.
    HeadTooLarge,
    /// The worker took nothing of the head.
    HeadUnsent,
    /// The worker took a part of the head.
    HeadPart,
    /// The client left while its request waited for a worker.
    ClientLeftWaiting,
    /// The client left while it sent its body.
    ClientLeftSending,
    /// The worker took nothing of the body.
    BodyUnsent,
    /// The worker took a part of the body.
    BodyPart,
    /// The worker's connection broke before it had answered.
    ResetBeforeAnswer,
    /// The response's head is larger than is accepted.
    AnswerTooLarge,
    /// The worker closed the connection without an answer.
    ClosedBeforeAnswer,
    /// What the worker sent is not HTTP.
    NotHttp,
    /// The worker did not begin to answer in time.
    Silent,
    /// The worker's connection ended within the response's head.
    AnswerHeadPart,
    /// The response's head is malformed.
    BadAnswerHead,
    /// A chunk of the response's body is malformed, or the connection ended where one was to begin.
    BadChunk,
    /// The worker's connection ended within the response's body.
    AnswerPart,
    /// The response's body stood still for too long.
    AnswerStalled,
    /// The client left while the response was sent.
    ClientLeftReading,
    /// The client did not take the response in time.
    ClientTooSlow,
    /// The client left while the application worked.
    ClientLeft,
    /// Too many requests wait already.
    QueueFull,
    /// It waited too long for its turn.
    QueueTimeout,
    /// Too many clients are connected.
    Connections,
    /// The server is stopping.
    Stopping,
    /// All workers are being replaced.
    Recycling,
    /// The request is not acceptable.
    Rejected,
    /// The debugger's address without its last slash.
    DebugRedirect,
}

/// A status with a sub-status, as in `500.1002`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// As text; empty for none.
    pub text: &'static str,
    /// The status that a client sees; 0 for none.
    pub status: u16,
    /// The sub-status; 0 for none.
    pub sub: u16,
}

impl Code {
    /// Reads `500.1002`, a status alone, or nothing.
    const fn of(text: &'static str) -> Self {
        let (bytes, mut at) = (text.as_bytes(), 0);
        let mut parts = [0u16; 2];
        let mut part = 0;
        while at < bytes.len() {
            match bytes[at] {
                b'.' => part += 1,
                digit => parts[part] = parts[part] * 10 + (digit - b'0') as u16,
            }
            at += 1;
        }
        Self { text, status: parts[0], sub: parts[1] }
    }
}

/// What a client sees of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// An answer with the status; where a response has begun already, that is cut.
    Answered,
    /// A response that is cut: its status has been sent before.
    Cut,
    /// Nothing, since it is the client that has gone: the access log alone has it.
    Logged,
    /// It cannot happen here, for the reason that the row gives.
    Never,
}

/// Everything that is said about one cause.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The cause.
    pub cause: Cause,
    /// Its name in one word, for the access log and for `forebay explain`.
    pub name: &'static str,
    /// What it is called natively.
    pub native: Code,
    /// What iisnode calls it.
    pub iisnode: Code,
    /// The error number that readers of iisnode's logs expect beside it.
    pub win32: Option<u32>,
    /// What the client sees.
    pub shown: Shown,
    /// What the client reads.
    pub sentence: &'static str,
    /// What it means, and what it usually comes from.
    pub likely: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Row {
    const fn new(cause: Cause, name: &'static str, native: &'static str, iisnode: &'static str) -> Self {
        Self {
            cause,
            name,
            native: Code::of(native),
            iisnode: Code::of(iisnode),
            win32: None,
            shown: Shown::Answered,
            sentence: "",
            likely: "",
            remedy: "",
        }
    }

    const fn win32(self, number: u32) -> Self {
        Self { win32: Some(number), ..self }
    }

    const fn shown(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }

    const fn says(self, sentence: &'static str) -> Self {
        Self { sentence, ..self }
    }

    const fn likely(self, likely: &'static str) -> Self {
        Self { likely, ..self }
    }

    const fn remedy(self, remedy: &'static str) -> Self {
        Self { remedy, ..self }
    }

    /// The status and sub-status that clients see.
    #[must_use]
    pub const fn code(&self, statuses: Statuses) -> Code {
        match statuses {
            Statuses::Gateway => self.native,
            Statuses::Iisnode => self.iisnode,
        }
    }

    /// What the access log calls it: the code if that has a sub-status, else the name.
    #[must_use]
    pub const fn word(&self, statuses: Statuses) -> &'static str {
        let code = self.code(statuses);
        if code.sub == 0 { self.name } else { code.text }
    }
}

impl Cause {
    /// How many there are.
    const COUNT: usize = Self::DebugRedirect as usize + 1;

    /// What is said about it.
    #[must_use]
    pub const fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Whether a page for developers has more to say than the answer's sentence: the application failed, where it was not
    /// just that too much was asked of it.
    #[must_use]
    pub fn is_explained(self) -> bool {
        let is_ours = matches!(
            self,
            Self::QueueFull
                | Self::QueueTimeout
                | Self::Connections
                | Self::Stopping
                | Self::Recycling
                | Self::Rejected
                | Self::DebugRedirect
                // 404 is what it is called wherever a file is missing.
                | Self::ScriptMissing
        );
        !is_ours && matches!(self.row().shown, Shown::Answered)
    }

    /// The cause with this number, which is its place in [`TABLE`].
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        TABLE.get(usize::from(number)).map(|row| row.cause)
    }
}

/// Every cause, in the order of [`Cause`].
pub static TABLE: [Row; Cause::COUNT] = {
    let mut table = [start::ROWS[0]; Cause::COUNT];
    let parts: [&[Row]; 3] = [&start::ROWS, &exchange::ROWS, &own::ROWS];
    let (mut part, mut to) = (0, 0);
    while part < parts.len() {
        let mut from = 0;
        while from < parts[part].len() {
            assert!(parts[part][from].cause as usize == to, "the rows are in the order of the causes");
            table[to] = parts[part][from];
            (from, to) = (from + 1, to + 1);
        }
        part += 1;
    }
    assert!(to == Cause::COUNT, "every cause has a row");
    table
};

#[cfg(test)]
mod tests;
