//! What a worker feels like doing with a request.

use crate::laws::Book;
use crate::plan::{Kind, below, chance};

/// What a worker does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
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
    const BAD: [Self; 15] = [
        Self::Early,
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

    /// What one that speaks frames does: there is more to be said that is wrong.
    const FRAMED: [Self; 18] = [
        Self::Early,
        Self::Slow,
        Self::Informs,
        Self::Early,
        Self::Closes,
        Self::ClosesSilently,
        Self::DiesInHead,
        Self::DiesInBody,
        Self::DiesInBody,
        Self::Drops,
        Self::Refuses,
        Self::Garbles,
        Self::Garbles,
        Self::Garbles,
        Self::Silent,
        Self::Stuck,
        Self::AnswersAndSticks,
        Self::Babbles,
    ];

    /// A reason to try again, the first time and on a connection that was kept: what a worker does on a new one is its
    /// answer.
    const FORGIVEN: [Self; 3] = [Self::DiesInHead, Self::Drops, Self::Refuses];

    /// No reason for anybody to complain.
    const BENIGN: [Self; 4] = [Self::Informs, Self::Early, Self::Closes, Self::Babbles];

    pub(crate) fn draw(book: &Book, is_forgiven: bool) -> Self {
        Self::draw_of(&Self::BAD, book, is_forgiven)
    }

    /// For a worker that speaks frames.
    pub(crate) fn draw_framed(book: &Book, is_forgiven: bool) -> Self {
        Self::draw_of(&Self::FRAMED, book, is_forgiven)
    }

    fn draw_of(all: &[Self], book: &Book, is_forgiven: bool) -> Self {
        if book.calm.get() || !chance(book.plan.mischief) {
            return Self::Good;
        }
        if book.plan.kind == Kind::Forgiving && !is_forgiven {
            return Self::Good;
        }
        let few = match book.plan.kind {
            Kind::Benign => &Self::BENIGN[..],
            Kind::Forgiving => &Self::FORGIVEN[..],
            _ => all,
        };
        few[below(few.len() as u64) as usize]
    }
}
