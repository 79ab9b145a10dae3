//! Frames on their way to a worker: small ones are written into one chunk, body slices are spliced in where they are.

use forebay_core::buf::{Chunk, ChunkSize, Pool, Queue, Slice};
use forebay_core::http1::{Full, Sink};

/// Body pieces up to this size are copied among the frames: one slice of a vectored write costs as much. 1 KiB.
const COPIED_BYTES_MAX: usize = 1024;

/// What is to be written to one worker with the next flush.
#[derive(Debug)]
pub(super) struct Outbox {
    pool: Pool,
    frames: Option<Chunk>,
    /// Slices that belong among the frames, each with where.
    splices: Vec<(usize, Slice)>,
    sealed: Queue,
    /// Bytes ever put in.
    total: u64,
}

impl Outbox {
    pub(super) fn new(pool: &Pool) -> Self {
        Self { pool: pool.clone(), frames: None, splices: Vec::new(), sealed: Queue::new(), total: 0 }
    }

    /// Bytes ever put in.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Lets `piece` follow.
    pub(super) fn put_slice(&mut self, piece: Slice) {
        if piece.len() <= COPIED_BYTES_MAX {
            // There always is a chunk for that much.
            let _fits = self.put(&piece);
            return;
        }
        self.total += piece.len() as u64;
        self.splices.push((self.frames.as_ref().map_or(0, |chunk| chunk.len()), piece));
    }

    /// Everything, to be written.
    pub(super) fn take(&mut self) -> Queue {
        self.seal();
        std::mem::take(&mut self.sealed)
    }

    /// Puts the chunk and what is spliced into it in order.
    fn seal(&mut self) {
        let mut frames = self.frames.take().map(Chunk::freeze);
        let mut taken = 0;
        for (at, piece) in self.splices.drain(..) {
            if let Some(frames) = &mut frames
                && at > taken
            {
                self.sealed.push(frames.slice(..at - taken));
                frames.advance(at - taken);
                taken = at;
            }
            self.sealed.push(piece);
        }
        if let Some(frames) = frames {
            self.sealed.push(frames);
        }
    }
}

impl Sink for Outbox {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if self.frames.as_ref().is_none_or(|chunk| chunk.spare() < bytes.len()) {
            let size = ChunkSize::holding(bytes.len().max(ChunkSize::Medium.capacity())).ok_or(Full)?;
            self.seal();
            self.frames = Some(self.pool.take(size));
        }
        self.total += bytes.len() as u64;
        self.frames.as_mut().map_or(Ok(()), |chunk| chunk.put(bytes).map_err(|_full| Full))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let pool = Pool::new(1 << 20);
        let mut out = Outbox::new(&pool);
        let mut expected = Vec::new();
        for round in 0_usize..200 {
            let byte = u8::try_from(round).unwrap();
            out.put(&[byte; 8]).unwrap();
            expected.extend([byte; 8]);
            let mut piece = pool.take(ChunkSize::Medium);
            piece.put(&vec![byte; round * 13]).unwrap();
            expected.extend(piece.iter());
            out.put_slice(piece.freeze());
        }
        assert_eq!(out.total(), expected.len() as u64);
        let written: Vec<u8> = out.take().slices().iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(written, expected);
        assert!(out.take().is_empty());
    }
}
