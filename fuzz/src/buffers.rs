//! Buffers against a model in plain vectors: contents, neighbourhood, and where each piece of memory is.

use std::sync::LazyLock;

use crate::input::Input;
use forebay_core::buf::{Arena, Chunk, ChunkSize, Pool, Queue, Slice};

/// Operations of one input; each checks everything, so the cost is quadratic.
const OPERATIONS_MAX: usize = 300;

/// Chunks, and likewise slices, that are alive at once.
const ALIVE_MAX: usize = 12;

/// Bytes of each size that may rest at home: two of the largest, 32 of the middle.
const HOME_BYTES_MAX: usize = 512 * 1024;

/// A range of a memory of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    memory: usize,
    start: usize,
    len: usize,
}

impl Range {
    fn part(self, start: usize, len: usize) -> Self {
        assert!(start + len <= self.len);
        Self { memory: self.memory, start: self.start + start, len }
    }

    fn is_continued_by(self, next: Self) -> bool {
        self.memory == next.memory && self.start + self.len == next.start
    }
}

/// The buffers, and beside each what the model says of it.
struct World {
    pool: Pool,
    /// Every memory that there ever was: its size and its bytes.
    memories: Vec<(ChunkSize, Vec<u8>)>,
    chunks: Vec<(Chunk, usize)>,
    slices: Vec<(Slice, Range)>,
    queues: [(Queue, Vec<Range>); 2],
    /// Memory at home by size, as the model counts it.
    home: [usize; 3],
    /// Which memories are away.
    away: Vec<usize>,
    serial: u8,
}

/// Chunks, slices and queues through any sequence of operations; at the end all memory is home.
pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let mut world = World {
        pool: Pool::new(HOME_BYTES_MAX),
        memories: Vec::new(),
        chunks: Vec::new(),
        slices: Vec::new(),
        queues: Default::default(),
        home: [0; 3],
        away: Vec::new(),
        serial: 0,
    };
    for _ in 0..OPERATIONS_MAX {
        let Some(operation) = input.byte() else { break };
        world.step(operation, &mut input);
        world.check();
    }
    let World { pool, chunks, slices, queues, .. } = world;
    drop((chunks, slices, queues));
    assert_eq!(pool.stats().away, [0; 3]);
    arena(data);
}

impl World {
    fn step(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 14 {
            0 => self.take(input),
            1 => self.put(input),
            2 => self.read(input),
            3 => self.shorten(input),
            4 => self.freeze(input),
            5 => self.cut(input),
            6 => self.split(input),
            7 => self.join(input),
            8 => self.push(input),
            9 => self.advance_queue(input),
            10 => self.append(input),
            11 => self.drop_chunk(input),
            12 => self.drop_slice(input),
            _ => {
                self.pool.trim();
                self.home = [0; 3];
            }
        }
    }

    /// Bytes that differ from place to place and from call to call.
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=250).cycle().take((1 << 16) + 256).collect());
        self.serial = self.serial.wrapping_add(1);
        PATTERN[usize::from(self.serial)..][..count].to_vec()
    }

    fn take(&mut self, input: &mut Input<'_>) {
        if self.chunks.len() == ALIVE_MAX {
            return;
        }
        let size = ChunkSize::ALL[input.below(3)];
        let home = &mut self.home[size as usize];
        *home = home.saturating_sub(1);
        self.away.push(self.memories.len());
        self.chunks.push((self.pool.take(size), self.memories.len()));
        self.memories.push((size, Vec::new()));
    }

    fn chunk(&mut self, input: &mut Input<'_>) -> Option<usize> {
        (!self.chunks.is_empty()).then(|| input.below(self.chunks.len()))
    }

    fn slice(&mut self, input: &mut Input<'_>) -> Option<usize> {
        (!self.slices.is_empty()).then(|| input.below(self.slices.len()))
    }

    fn put(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.chunk(input) else { return };
        let bytes = self.bytes(usize::from(input.word()) % 700);
        let (chunk, memory) = &mut self.chunks[i];
        let fits = bytes.len() <= chunk.spare();
        assert_eq!(chunk.put(&bytes).is_ok(), fits);
        if fits {
            self.memories[*memory].1.extend(bytes);
        }
    }

    fn read(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.chunk(input) else { return };
        let wanted = usize::from(input.word());
        let bytes = self.bytes(wanted.min(self.chunks[i].0.spare()));
        let (chunk, memory) = &mut self.chunks[i];
        for (to, from) in chunk.spare_mut().iter_mut().zip(&bytes) {
            to.write(*from);
        }
        // SAFETY: the loop above has just initialised these bytes.
        unsafe { chunk.advance(bytes.len()) };
        let next = chunk.size().after_read(bytes.len());
        assert!(next >= chunk.size() || bytes.len() <= next.capacity());
        self.memories[*memory].1.extend(bytes);
    }

    fn shorten(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.chunk(input) else { return };
        let len = usize::from(input.word());
        let (chunk, memory) = &mut self.chunks[i];
        if len % 5 == 0 {
            chunk.clear();
            self.memories[*memory].1.clear();
        } else {
            chunk.truncate(len);
            self.memories[*memory].1.truncate(len);
        }
    }

    fn freeze(&mut self, input: &mut Input<'_>) {
        if self.slices.len() == ALIVE_MAX {
            return;
        }
        let Some(i) = self.chunk(input) else { return };
        let (chunk, memory) = self.chunks.swap_remove(i);
        self.slices.push((chunk.freeze(), Range { memory, start: 0, len: self.memories[memory].1.len() }));
    }

    fn cut(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.slice(input) else { return };
        if self.slices.len() == ALIVE_MAX {
            return;
        }
        let (slice, range) = &self.slices[i];
        let start = usize::from(input.word()) % (range.len + 1);
        let len = usize::from(input.word()) % (range.len - start + 1);
        let part = (slice.slice(start..start + len), range.part(start, len));
        self.slices.push(part);
    }

    fn split(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.slice(input) else { return };
        let is_full = self.slices.len() == ALIVE_MAX;
        let (slice, range) = &mut self.slices[i];
        let at = usize::from(input.word()) % (range.len + 1);
        let front = (slice.split_to(at), range.part(0, at));
        *range = range.part(at, range.len - at);
        if !is_full {
            self.slices.push(front);
        }
    }

    fn join(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.slice(input) else { return };
        let (next, next_range) = self.slices.remove(i);
        let Some(j) = self.slice(input) else { return };
        let (slice, range) = &mut self.slices[j];
        match slice.join(next) {
            Ok(()) => {
                assert!(range.is_continued_by(next_range));
                range.len += next_range.len;
            }
            Err(back) => {
                assert!(!range.is_continued_by(next_range));
                self.slices.push((back, next_range));
            }
        }
    }

    fn push(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.slice(input) else { return };
        let (queue, model) = &mut self.queues[input.below(2)];
        if model.len() > Queue::SLICES_MAX {
            return;
        }
        let (slice, range) = &self.slices[i];
        queue.push(slice.clone());
        match model.last_mut() {
            _ if range.len == 0 => {}
            Some(last) if last.is_continued_by(*range) => last.len += range.len,
            Some(_) | None => model.push(*range),
        }
    }

    fn advance_queue(&mut self, input: &mut Input<'_>) {
        let (queue, model) = &mut self.queues[input.below(2)];
        let mut count = usize::from(input.word()) % (queue.len() + 1);
        queue.advance(count);
        while count > 0 {
            let step = count.min(model[0].len);
            model[0] = model[0].part(step, model[0].len - step);
            if model[0].len == 0 {
                model.remove(0);
            }
            count -= step;
        }
    }

    fn append(&mut self, input: &mut Input<'_>) {
        let [(a, a_model), (b, b_model)] = &mut self.queues;
        if input.flag() {
            a.clear();
            a_model.clear();
        } else {
            a.append(b);
            a_model.append(b_model);
        }
    }

    fn drop_chunk(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.chunk(input) else { return };
        self.chunks.swap_remove(i);
    }

    fn drop_slice(&mut self, input: &mut Input<'_>) {
        let Some(i) = self.slice(input) else { return };
        self.slices.swap_remove(i);
    }

    /// The model's away memories that nothing refers to any more go home.
    fn settle(&mut self) {
        let queued = self.queues.iter().flat_map(|(_, model)| model.iter().map(|range| range.memory));
        let sliced = self.slices.iter().map(|(_, range)| range.memory);
        let owned = self.chunks.iter().map(|(_, memory)| *memory);
        let used: Vec<usize> = queued.chain(sliced).chain(owned).collect();
        let (away, gone): (Vec<usize>, Vec<usize>) = self.away.iter().partition(|memory| used.contains(memory));
        self.away = away;
        for memory in gone {
            let size = self.memories[memory].0;
            let home = &mut self.home[size as usize];
            if (*home + 1) * size.allocation() <= HOME_BYTES_MAX {
                *home += 1;
            }
            self.memories[memory].1 = Vec::new();
        }
    }

    fn check(&mut self) {
        self.settle();
        for (chunk, memory) in &self.chunks {
            let (size, bytes) = &self.memories[*memory];
            assert_eq!((&chunk[..], chunk.size(), chunk.len()), (&bytes[..], *size, bytes.len()));
            assert_eq!(chunk.spare() + chunk.len(), size.capacity());
        }
        for (slice, range) in &self.slices {
            assert_eq!(&slice[..], self.content(*range));
        }
        for (queue, model) in &self.queues {
            assert_eq!(queue.slices().len(), model.len());
            assert_eq!(queue.len(), model.iter().map(|range| range.len).sum::<usize>());
            assert_eq!(queue.is_empty(), model.is_empty());
            let pinned: usize = model.iter().map(|range| self.memories[range.memory].0.allocation()).sum();
            assert_eq!(queue.pinned_bytes(), pinned);
            for window in [1, 4096, 256 * 1024] {
                let is_full = queue.len() >= window
                    || model.len() >= Queue::SLICES_MAX
                    || pinned >= window * Queue::PINNED_PER_BYTE_MAX;
                assert_eq!(queue.is_full(window), is_full);
            }
            for (slice, range) in queue.slices().iter().zip(model) {
                assert!(&slice[..] == self.content(*range) && !slice.is_empty());
            }
        }
        let mut away = [0; 3];
        for memory in &self.away {
            away[self.memories[*memory].0 as usize] += 1;
        }
        let stats = self.pool.stats();
        assert_eq!((stats.away, stats.home), (away, self.home));
        assert!(ChunkSize::ALL.iter().all(|size| stats.home[*size as usize] * size.allocation() <= HOME_BYTES_MAX));
    }

    fn content(&self, range: Range) -> &[u8] {
        &self.memories[range.memory].1[range.start..][..range.len]
    }
}

/// Values in an arena keep their bytes and give their blocks back, up to its bound.
fn arena(data: &[u8]) {
    let (arena, mut placed) = (Arena::new(4), Vec::new());
    for &byte in data.iter().take(OPERATIONS_MAX) {
        if byte & 1 == 0 && placed.len() < ALIVE_MAX {
            placed.push((arena.place([byte; 40]), byte));
        } else if !placed.is_empty() {
            let (value, expected) = placed.swap_remove(usize::from(byte) % placed.len());
            assert_eq!(value[..], [expected; 40]);
        }
        assert!(arena.resting() <= 4);
        assert!(placed.iter().all(|(value, expected)| value[..] == [*expected; 40]));
    }
}
