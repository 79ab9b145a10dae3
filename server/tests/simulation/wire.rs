//! HTTP/1.1 as clients and workers of the simulation speak it: written apart from the server's, to disagree with it.

use std::rc::Rc;
use std::time::Duration;

use forebay_core::buf::{ChunkSize, Pool, Queue};
use forebay_transports::Conn;
use forebay_transports::sim::Stream;

use crate::plan::{below, chance, nap, sleep};

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
                    while !self.until(b"\r\n").await?.is_empty() {}
                    return Ok(());
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

/// How bytes are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces {
    /// Bytes in one write at most.
    pub(crate) bytes_max: usize,
    /// The longest pause between two, in milliseconds.
    pub(crate) pause_ms: u64,
}

impl Pieces {
    pub(crate) const WHOLE: Self = Self { bytes_max: usize::MAX, pause_ms: 0 };

    pub(crate) fn random() -> Self {
        match below(8) {
            0 => Self { bytes_max: 1 + below(400) as usize, pause_ms: 0 },
            1 => Self { bytes_max: 1 + below(4000) as usize, pause_ms: 20 },
            2 => Self { bytes_max: 2000 + below(20_000) as usize, pause_ms: below(400) },
            _ => Self::WHOLE,
        }
    }
}

/// Writes everything; false if that failed.
pub(crate) async fn send(conn: &Stream, bytes: &[u8], pieces: Pieces) -> bool {
    let pool = Pool::new(0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = pieces.bytes_max.min(ChunkSize::Medium.capacity());
        let most = if matches!(pieces.bytes_max, 1 | usize::MAX) || chance(700) {
            most
        } else {
            1 + below(most as u64) as usize
        };
        let (piece, after) = rest.split_at(most.min(rest.len()));
        let mut chunk = pool.take(ChunkSize::holding(piece.len()).unwrap());
        chunk.put(piece).unwrap();
        let mut queue = Queue::from(chunk.freeze());
        while !queue.is_empty() {
            let (result, left) = conn.write(queue).await;
            if !matches!(result, Ok(1..)) {
                return false;
            }
            queue = left;
        }
        rest = after;
        if pieces.pause_ms > 0 && !rest.is_empty() {
            nap(pieces.pause_ms).await;
        }
    }
    true
}

/// The bytes that belong to `id` and to nothing else: which place of which body they are of can be told from any few.
pub(crate) fn pattern(id: u64, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 16);
    let mut line = 0;
    while bytes.len() < length {
        bytes.extend_from_slice(format!("{id:x}:{line:x}\n").as_bytes());
        line += 1;
    }
    bytes.truncate(length);
    bytes
}

/// `body` in the chunked coding, in random pieces.
pub(crate) fn chunked(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    let most = 1 + below(8000);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + below(most) as usize).min(rest.len()));
        let extension = if chance(50) { ";a=b" } else { "" };
        out.extend_from_slice(format!("{:x}{extension}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
        rest = after;
    }
    out.extend_from_slice(if chance(100) { b"0\r\nX-Trailer: 1\r\n\r\n" } else { b"0\r\n\r\n" });
    out
}
