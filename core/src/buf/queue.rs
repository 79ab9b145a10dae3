//! Bytes on their way to one peer: slices in order, written together and taken off from the front.

use smallvec::SmallVec;

use super::{ChunkSize, Pool, Slice};

/// Slices held in place before the queue allocates: head, body, and a chunk's framing around it.
const INLINE: usize = 4;

/// An ordered run of slices that counts its bytes.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    slices: SmallVec<[Slice; INLINE]>,
    bytes: usize,
}

impl Queue {
    /// Slices beyond which [`is_full`](Queue::is_full) holds whatever their bytes: what is held is written in one call.
    pub const SLICES_MAX: usize = 64;

    /// Bytes of memory that a queue may pin for each byte of its window. Node writes 16 KiB and a chunk's framing, a
    /// little more than a medium chunk takes: such a stream would pin sixteen times what it holds.
    pub const PINNED_PER_BYTE_MAX: usize = 4;

    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self { slices: SmallVec::new(), bytes: 0 }
    }

    /// Bytes waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether the source should pause: `window` bytes or [`SLICES_MAX`](Queue::SLICES_MAX) slices wait, or they pin
    /// [`PINNED_PER_BYTE_MAX`](Queue::PINNED_PER_BYTE_MAX) times the window.
    #[must_use]
    pub fn is_full(&self, window: usize) -> bool {
        self.bytes >= window
            || self.slices.len() >= Self::SLICES_MAX
            || self.pinned_bytes() >= window.saturating_mul(Self::PINNED_PER_BYTE_MAX)
    }

    /// Bytes of memory that the slices keep away from home, counted once a slice.
    #[must_use]
    pub fn pinned_bytes(&self) -> usize {
        self.slices.iter().map(Slice::pinned_bytes).sum()
    }

    /// Copies neighbours that pin more than [`PINNED_PER_BYTE_MAX`](Queue::PINNED_PER_BYTE_MAX) times their bytes into
    /// chunks that they fill, for a queue whose source goes by bytes and cannot be made to pause for memory.
    pub fn squeeze(&mut self, pool: &Pool) {
        let is_sparse = |slice: &Slice| slice.pinned_bytes() > slice.len().saturating_mul(Self::PINNED_PER_BYTE_MAX);
        let slices = core::mem::take(self).slices;
        let mut rest = &slices[..];
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|slice| is_sparse(slice)).count();
            if run == 0 {
                self.push(first.clone());
                rest = &rest[1..];
                continue;
            }
            let (sparse, after) = rest.split_at(run);
            rest = after;
            self.push_copies(sparse, pool);
        }
    }

    fn push_copies(&mut self, slices: &[Slice], pool: &Pool) {
        let mut left: usize = slices.iter().map(|slice| slice.len()).sum();
        let most = ChunkSize::Medium.capacity();
        let fresh = |left: usize| pool.take(ChunkSize::holding(left.min(most)).unwrap_or(ChunkSize::Medium));
        let mut chunk = fresh(left);
        for slice in slices {
            let mut bytes = &slice[..];
            while !bytes.is_empty() {
                if chunk.spare() == 0 {
                    self.push(core::mem::replace(&mut chunk, fresh(left)).freeze());
                }
                let (now, later) = bytes.split_at(bytes.len().min(chunk.spare()));
                // No more than there is room for.
                let _fits = chunk.put(now);
                left -= now.len();
                bytes = later;
            }
        }
        self.push(chunk.freeze());
    }

    /// Appends a slice; one that continues the last slice's memory extends it. Empty ones are dropped.
    pub fn push(&mut self, slice: Slice) {
        if slice.is_empty() {
            return;
        }
        self.bytes += slice.len();
        let apart = match self.slices.last_mut() {
            Some(last) => last.join(slice).err(),
            None => Some(slice),
        };
        if let Some(slice) = apart {
            self.slices.push(slice);
        }
    }

    /// Moves everything from `other` to the end of this queue.
    pub fn append(&mut self, other: &mut Self) {
        if self.slices.is_empty() {
            core::mem::swap(self, other);
            return;
        }
        self.bytes += core::mem::take(&mut other.bytes);
        self.slices.append(&mut other.slices);
    }

    /// Takes `count` bytes off the front.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.bytes, "advance by {count} in a queue of {}", self.bytes);
        self.bytes -= count;
        let (mut left, mut whole) = (count, 0);
        for slice in &mut self.slices {
            if left < slice.len() {
                slice.advance(left);
                break;
            }
            left -= slice.len();
            whole += 1;
        }
        self.slices.drain(..whole);
    }

    /// The slices, first to be written first.
    pub fn slices(&self) -> &[Slice] {
        &self.slices
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.slices.clear();
        self.bytes = 0;
    }
}

impl Extend<Slice> for Queue {
    fn extend<I: IntoIterator<Item = Slice>>(&mut self, slices: I) {
        for slice in slices {
            self.push(slice);
        }
    }
}

impl FromIterator<Slice> for Queue {
    fn from_iter<I: IntoIterator<Item = Slice>>(slices: I) -> Self {
        let mut queue = Self::new();
        queue.extend(slices);
        queue
    }
}

impl From<Slice> for Queue {
    fn from(slice: Slice) -> Self {
        core::iter::once(slice).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ChunkSize, Pool};
    use super::*;
    use proptest::prelude::*;

    fn content(queue: &Queue) -> Vec<u8> {
        queue.slices().iter().flat_map(|s| s.iter().copied()).collect()
    }

    #[test]
    fn what_is_squeezed_is_the_same_bytes_in_the_room_they_need() {
        let pool = Pool::new(1 << 20);
        let (mut queue, mut model) = (Queue::new(), Vec::new());
        for n in 0..60_000_usize {
            let byte = (n % 251) as u8;
            // A full one among them stays what it is.
            let (size, count) = if n % 10_000 == 77 { (ChunkSize::Small, 400) } else { (ChunkSize::Medium, 1) };
            let mut chunk = pool.take(size);
            chunk.put(&vec![byte; count]).unwrap();
            model.resize(model.len() + count, byte);
            queue.push(chunk.freeze());
            if n % 64 == 0 {
                queue.squeeze(&pool);
            }
        }
        queue.squeeze(&pool);
        assert_eq!((queue.len(), content(&queue)), (model.len(), model));
        assert!(pool.stats().away_bytes() <= Queue::PINNED_PER_BYTE_MAX * queue.len());
        drop(queue);
        assert_eq!(pool.stats().away, [0; 3]);
    }

    proptest! {
        /// The queue is a byte string: pushes append, advances take off, neither changes what is between, and no
        /// memory stays away once it is empty.
        #[test]
        fn behaves_as_a_byte_string(ops in proptest::collection::vec((0usize..40, 0usize..80, any::<bool>()), 1..60)) {
            let pool = Pool::new(1 << 20);
            let mut queue = Queue::new();
            let mut model: Vec<u8> = Vec::new();
            for (i, (push, take, split)) in ops.into_iter().enumerate() {
                let bytes: Vec<u8> = (0..push).map(|n| (i * 31 + n) as u8).collect();
                let mut chunk = pool.take(ChunkSize::Small);
                chunk.put(&bytes).unwrap();
                let mut slice = chunk.freeze();
                if split {
                    let front = slice.split_to(push / 2);
                    let before = queue.slices().len();
                    queue.push(front);
                    queue.push(slice);
                    prop_assert!(queue.slices().len() <= before + 1, "neighbours join");
                } else {
                    queue.push(slice);
                }
                model.extend(&bytes);
                let take = take.min(queue.len());
                queue.advance(take);
                model.drain(..take);
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(content(&queue), model.clone());
                prop_assert!(queue.slices().iter().all(|s| !s.is_empty()));
            }
            queue.clear();
            prop_assert_eq!(pool.stats().away, [0; 3]);
        }
    }

    #[test]
    fn short_slices_of_large_chunks_fill_a_queue() {
        let pool = Pool::new(0);
        let mut queue = Queue::new();
        let window = ChunkSize::Large.allocation();
        for count in 1..=Queue::PINNED_PER_BYTE_MAX {
            assert!(!queue.is_full(window));
            let mut chunk = pool.take(ChunkSize::Large);
            chunk.put(b"little").unwrap();
            queue.push(chunk.freeze());
            assert_eq!((queue.pinned_bytes(), pool.stats().away_bytes()), (count * window, count * window));
        }
        assert!(queue.is_full(window) && !queue.is_full(usize::MAX));
    }

    #[test]
    fn append_keeps_order() {
        let mut a = Queue::from(Slice::from_static(b"ab"));
        let mut b = Queue::from(Slice::from_static(b"cd"));
        a.append(&mut b);
        assert_eq!((content(&a), a.len(), b.len()), (b"abcd".to_vec(), 4, 0));
        let mut c = Queue::new();
        c.append(&mut a);
        assert_eq!((content(&c), a.is_empty()), (b"abcd".to_vec(), true));
    }
}
