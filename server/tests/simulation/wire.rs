//! HTTP/1.1 as clients and workers of the simulation speak it: written apart from the server's, to disagree with it.

use std::rc::Rc;
use std::time::Duration;

use forebay_core::buf::{ChunkSize, Pool};
use forebay_transports::Conn;
use forebay_transports::sim::Stream;

use crate::plan::sleep;

/// Why no more could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// End of stream.
    Closed,
    /// An error.
    Broken,
    /// Not HTTP.
    Bad(&'static str),
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A message's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: Vec<String>,
    fields: Vec<(String, String)>,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self, End> {
        let text = std::str::from_utf8(bytes).map_err(|_| End::Bad("a head that is not text"))?;
        let mut lines = text.split("\r\n");
        let start: Vec<String> = lines.next().unwrap_or("").splitn(3, ' ').map(str::to_owned).collect();
        if start.len() != 3 {
            return Err(End::Bad("a start line without three parts"));
        }
        let mut fields = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or(End::Bad("a field without a colon"))?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self { start, fields })
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.field(name)?.parse().ok()
    }

    pub(crate) fn says(&self, name: &str, word: &str) -> bool {
        self.field(name).is_some_and(|value| value.split(',').any(|it| it.trim().eq_ignore_ascii_case(word)))
    }

    /// How the body is framed; `unknown` where nothing says it.
    pub(crate) fn body(&self, unknown: Body) -> Body {
        if self.says("transfer-encoding", "chunked") {
            return Body::Chunked;
        }
        self.number("content-length").map_or(unknown, |length| Body::Length(usize::try_from(length).unwrap()))
    }
}

/// One end of a connection with what was read from it.
pub(crate) struct Wire {
    pub(crate) conn: Rc<Stream>,
    pool: Pool,
    bytes: Vec<u8>,
    /// The longest pause before a read: a slow reader.
    pub(crate) pace: Option<Duration>,
}

impl Wire {
    pub(crate) fn new(conn: Stream) -> Self {
        Self { conn: Rc::new(conn), pool: Pool::new(1 << 20), bytes: Vec::new(), pace: None }
    }

    /// Reads more.
    pub(crate) async fn fill(&mut self) -> Result<(), End> {
        let mut size = ChunkSize::Medium;
        if let Some(pace) = self.pace {
            sleep(pace).await;
            size = ChunkSize::Small;
        }
        let (result, chunk) = self.conn.read(self.pool.take(size)).await;
        match result {
            Ok(0) => Err(End::Closed),
            Ok(_) => {
                self.bytes.extend_from_slice(&chunk);
                Ok(())
            }
            Err(_) => Err(End::Broken),
        }
    }

    /// What was read and not taken.
    pub(crate) fn take_all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes what comes before `mark`, and the mark.
    async fn until(&mut self, mark: &[u8]) -> Result<Vec<u8>, End> {
        let mut from = 0;
        loop {
            let found = self.bytes[from..].windows(mark.len()).position(|it| it == mark);
            if let Some(at) = found {
                let rest = self.bytes.split_off(from + at + mark.len());
                let mut before = std::mem::replace(&mut self.bytes, rest);
                before.truncate(from + at);
                return Ok(before);
            }
            from = self.bytes.len().saturating_sub(mark.len() - 1);
            self.fill().await?;
        }
    }

    pub(crate) async fn head(&mut self) -> Result<Head, End> {
        let bytes = self.until(b"\r\n\r\n").await?;
        Head::parse(&bytes)
    }

    /// Appends `count` bytes to `out`, as they come.
    async fn exactly(&mut self, mut count: usize, out: &mut Vec<u8>) -> Result<(), End> {
        loop {
            let some = count.min(self.bytes.len());
            out.extend(self.bytes.drain(..some));
            count -= some;
            if count == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    /// Appends a body to `out`; as much of it as came where it does not come to its end.
    pub(crate) async fn body(&mut self, body: Body, out: &mut Vec<u8>) -> Result<(), End> {
        match body {
            Body::Length(length) => self.exactly(length, out).await,
            Body::Chunked => loop {
                let line = self.until(b"\r\n").await?;
                let line = String::from_utf8_lossy(&line).into_owned();
                let size = line.split(';').next().unwrap_or("").trim().to_owned();
                let size = usize::from_str_radix(&size, 16).map_err(|_| End::Bad("a bad chunk size"))?;
                if size == 0 {
                    loop {
                        let trailer = self.until(b"\r\n").await?;
                        if trailer.is_empty() {
                            return Ok(());
                        }
                        if trailer.to_ascii_lowercase().starts_with(b"content-") {
                            return Err(End::Bad("framing among the trailers"));
                        }
                    }
                }
                self.exactly(size, out).await?;
                if !self.until(b"\r\n").await?.is_empty() {
                    return Err(End::Bad("a chunk without its end"));
                }
            },
            Body::UntilClose => loop {
                out.append(&mut self.bytes);
                match self.fill().await {
                    Ok(()) => {}
                    Err(End::Closed) => return Ok(()),
                    Err(end) => return Err(end),
                }
            },
        }
    }
}
