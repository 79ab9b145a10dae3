//! Where chunks come from and go home to: one free list a size, with a bound on what rests there.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use super::chunk::{Chunk, Memory};

/// The sizes of chunk memory. Each figure is the whole allocation, [`ChunkSize::OVERHEAD`] bytes of it are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ChunkSize {
    /// 512 bytes: what a resting connection pins, and enough for most request heads.
    Small,
    /// 16 KiB: heads and ordinary bodies.
    Medium,
    /// 256 KiB: bulk. Larger reads bought nothing in measurements, smaller ones cost wake-ups.
    Large,
}

impl ChunkSize {
    /// All sizes, smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Medium, Self::Large];
    /// Bytes of an allocation that hold its header.
    pub const OVERHEAD: usize = size_of::<super::chunk::Header>();

    /// Bytes of the whole allocation.
    #[must_use]
    pub const fn allocation(self) -> usize {
        match self {
            Self::Small => 512,
            Self::Medium => 16 * 1024,
            Self::Large => 256 * 1024,
        }
    }

    /// Bytes a chunk of this size can hold.
    #[must_use]
    pub const fn capacity(self) -> usize {
        self.allocation() - Self::OVERHEAD
    }

    /// The smallest size that holds `bytes`; none does beyond [`ChunkSize::Large`].
    #[must_use]
    pub const fn holding(bytes: usize) -> Option<Self> {
        if bytes <= Self::Small.capacity() {
            Some(Self::Small)
        } else if bytes <= Self::Medium.capacity() {
            Some(Self::Medium)
        } else if bytes <= Self::Large.capacity() {
            Some(Self::Large)
        } else {
            None
        }
    }

    /// The size for a stream's next read, after one that offered this size and brought `bytes`.
    ///
    /// A read that filled its chunk asks for the next larger size; one that would have fitted the next smaller size
    /// goes back to it. So bulk moves in few large reads, and a stream that rests pins 512 bytes.
    #[must_use]
    pub const fn after_read(self, bytes: usize) -> Self {
        match self {
            Self::Small if bytes >= Self::Small.capacity() => Self::Medium,
            Self::Medium if bytes >= Self::Medium.capacity() => Self::Large,
            Self::Medium if bytes <= Self::Small.capacity() => Self::Small,
            Self::Large if bytes <= Self::Medium.capacity() => Self::Medium,
            Self::Small | Self::Medium | Self::Large => self,
        }
    }
}

/// What a pool holds at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Chunks in use, by size: neither at home nor given back to the allocator.
    pub away: [usize; 3],
    /// Chunks at home, by size.
    pub home: [usize; 3],
}

impl PoolStats {
    /// Bytes of memory in use.
    #[must_use]
    pub fn away_bytes(&self) -> usize {
        Self::bytes(&self.away)
    }

    /// Bytes of memory that rest in the pool.
    #[must_use]
    pub fn home_bytes(&self) -> usize {
        Self::bytes(&self.home)
    }

    fn bytes(counts: &[usize; 3]) -> usize {
        ChunkSize::ALL.iter().zip(counts).map(|(size, n)| size.allocation() * n).sum()
    }
}

/// One shard's chunks. Cloning gives another handle on the same pool.
#[derive(Clone)]
pub struct Pool(Rc<Inner>);

pub(super) struct Inner {
    home: [RefCell<Vec<Memory>>; 3],
    away: [Cell<usize>; 3],
    /// Bytes that may rest at home in each size; more goes back to the allocator.
    home_bytes_max: usize,
}

impl Pool {
    /// A pool that keeps at most `home_bytes_max` bytes of each size for reuse.
    #[must_use]
    pub fn new(home_bytes_max: usize) -> Self {
        Self(Rc::new(Inner { home: Default::default(), away: Default::default(), home_bytes_max }))
    }

    /// An empty chunk of `size`: from home if one rests there, else newly allocated.
    #[must_use]
    pub fn take(&self, size: ChunkSize) -> Chunk {
        let i = size as usize;
        let memory = self.0.home[i].borrow_mut().pop().unwrap_or_else(|| Memory::allocate(size));
        self.0.away[i].set(self.0.away[i].get() + 1);
        Chunk::new(memory, Rc::clone(&self.0))
    }

    /// Gives the memory that rests at home back to the allocator.
    pub fn trim(&self) {
        for list in &self.0.home {
            *list.borrow_mut() = Vec::new();
        }
    }

    /// What is away and what is at home.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            away: core::array::from_fn(|i| self.0.away[i].get()),
            home: core::array::from_fn(|i| self.0.home[i].borrow().len()),
        }
    }
}

impl Inner {
    pub(super) fn come_home(&self, memory: Memory) {
        let size = memory.size();
        let i = size as usize;
        self.away[i].set(self.away[i].get() - 1);
        let mut list = self.home[i].borrow_mut();
        if (list.len() + 1) * size.allocation() <= self.home_bytes_max {
            list.push(memory);
        }
    }
}

impl core::fmt::Debug for Pool {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Pool").field(&self.stats()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_reused_up_to_the_bound() {
        let pool = Pool::new(2 * 512);
        let three: Vec<_> = (0..3).map(|_| pool.take(ChunkSize::Small)).collect();
        assert_eq!(pool.stats().away, [3, 0, 0]);
        drop(three);
        assert_eq!(pool.stats(), PoolStats { away: [0; 3], home: [2, 0, 0] });
        let _one = pool.take(ChunkSize::Small);
        assert_eq!(pool.stats(), PoolStats { away: [1, 0, 0], home: [1, 0, 0] });
        pool.trim();
        assert_eq!(pool.stats().home_bytes(), 0);
    }

    #[test]
    fn the_ladder_goes_up_when_full_and_down_when_small() {
        use ChunkSize::{Large, Medium, Small};
        assert_eq!(Small.after_read(Small.capacity()), Medium);
        assert_eq!(Small.after_read(Small.capacity() - 1), Small);
        assert_eq!(Medium.after_read(Medium.capacity()), Large);
        assert_eq!(Medium.after_read(1), Small);
        assert_eq!(Large.after_read(Large.capacity()), Large);
        assert_eq!(Large.after_read(1), Medium);
    }

    #[test]
    fn holding_is_the_smallest_that_fits() {
        for size in ChunkSize::ALL {
            assert_eq!(ChunkSize::holding(size.capacity()), Some(size));
        }
        assert_eq!(ChunkSize::holding(ChunkSize::Large.capacity() + 1), None);
    }

    #[test]
    fn chunks_may_outlive_their_pool() {
        let chunk = Pool::new(4096).take(ChunkSize::Medium);
        assert!(chunk.is_empty());
    }
}
