//! Pooled zero-copy buffers of one shard: what a connection reads into is what the other side writes from.
//!
//! A [`Chunk`] is memory with one owner: it is lent by value to a read and comes back with more bytes in it. Frozen,
//! it becomes [`Slice`]s: shared read-only ranges, counted without atomics, that go into a [`Queue`] to be written.
//! When the last slice of a chunk is gone its memory goes home to the [`Pool`] it came from.
//!
//! Invariants: a chunk's first `len` bytes are initialised; memory is either owned by one chunk, or shared by one or
//! more slices, or at home in its pool; nothing here is `Send`, because a pool belongs to one thread.
//!
//! An [`Arena`] does the same for values: boxes whose blocks are used again.
//!
//! What it deliberately does not do: grow. Three sizes serve everything, and a reader moves between them by what its
//! last read brought ([`ChunkSize::after_read`]). The only `unsafe` code of this crate is in this folder.

mod arena;
mod chunk;
mod pool;
mod queue;

pub use arena::{Arena, Placed};
pub use chunk::{Chunk, Full, Slice};
pub use pool::{ChunkSize, Pool, PoolStats};
pub use queue::Queue;
