//! What a client of the control pipe says, however it is cut into reads: `recycle`, with or without a line's end.

/// Bytes of one message, as iisnode's pipe takes.
pub(super) const MESSAGE_BYTES_MAX: usize = 64;

/// The only word there is.
const RECYCLE: &[u8] = b"recycle";

/// What was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Not enough yet.
    Nothing,
    /// The word, once or more.
    Recycle,
    /// All was understood, and no more comes.
    End,
    /// Something else, for the log.
    Garbage(String),
}

/// What was said and not yet understood: the beginning of a word.
#[derive(Debug, Default)]
pub(super) struct Words {
    held: Vec<u8>,
}

impl Words {
    /// Some bytes came.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Heard {
        self.held.extend_from_slice(bytes);
        let mut rest = &self.held[..];
        let mut heard = Heard::Nothing;
        loop {
            // iisnode's clients may send a C string.
            let blank = rest.iter().take_while(|&&byte| byte.is_ascii_whitespace() || byte == 0).count();
            rest = &rest[blank..];
            let common = rest.len().min(RECYCLE.len());
            if !rest[..common].eq_ignore_ascii_case(&RECYCLE[..common]) {
                let what = String::from_utf8_lossy(&self.held[..self.held.len().min(MESSAGE_BYTES_MAX)]);
                return Heard::Garbage(format!("{what:?}"));
            }
            if common < RECYCLE.len() {
                self.held = rest.to_vec();
                return heard;
            }
            heard = Heard::Recycle;
            rest = &rest[common..];
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&self) -> Heard {
        if self.held.is_empty() {
            Heard::End
        } else {
            Heard::Garbage(format!("{:?}", String::from_utf8_lossy(&self.held)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_understood_in_every_form_and_split() {
        for text in ["recycle", "recycle\n", "RECYCLE\r\n", " Recycle \0", "recyclerecycle", "recycle\nrecycle\n"] {
            for at in 0..=text.len() {
                let mut words = Words::default();
                let heard = [words.hear(&text.as_bytes()[..at]), words.hear(&text.as_bytes()[at..])];
                assert!(heard.contains(&Heard::Recycle), "{text:?} split at {at}: {heard:?}");
                assert_eq!(words.end(), Heard::End, "{text:?} split at {at}");
            }
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["stop", "recycled", "r e", "recycle now", "\u{1}", &"x".repeat(500)] {
            let Heard::Garbage(what) = Words::default().hear(text.as_bytes()) else { panic!("{text:?}") };
            assert!(what.len() <= MESSAGE_BYTES_MAX + 20, "{what}");
        }
        let mut words = Words::default();
        assert_eq!(words.hear(b"recy"), Heard::Nothing);
        assert_eq!(words.end(), Heard::Garbage("\"recy\"".into()));
    }
}
