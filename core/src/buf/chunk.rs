//! A chunk's memory: one allocation with a small header in front, owned by one [`Chunk`] or shared by [`Slice`]s.

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use alloc::rc::Rc;
use core::alloc::Layout;
use core::cell::{Cell, UnsafeCell};
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ops::{Bound, Deref, RangeBounds};
use core::ptr::NonNull;

use super::pool::{ChunkSize, Inner};

/// No room is left in a chunk for what should be appended; nothing was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the chunk is full")
    }
}

impl core::error::Error for Full {}

/// What stands in front of the bytes.
#[repr(C, align(16))]
pub(super) struct Header {
    /// The pool to go home to, while away from it.
    home: UnsafeCell<Option<Rc<Inner>>>,
    /// Slices that share the memory; meaningless while a chunk owns it.
    slices: Cell<u32>,
    size: ChunkSize,
}

/// One allocation: a [`Header`] and `size.capacity()` bytes after it. Frees itself when dropped.
pub(super) struct Memory(NonNull<Header>);

impl Memory {
    const fn layout(size: ChunkSize) -> Layout {
        match Layout::from_size_align(size.allocation(), align_of::<Header>()) {
            Ok(layout) => layout,
            Err(_) => panic!("chunk sizes are valid layouts"),
        }
    }

    pub(super) fn allocate(size: ChunkSize) -> Self {
        let layout = Self::layout(size);
        // SAFETY: the layout's size is not zero.
        let raw = unsafe { alloc(layout) };
        let Some(header) = NonNull::new(raw.cast::<Header>()) else { handle_alloc_error(layout) };
        // SAFETY: freshly allocated with the header's alignment and at least its size.
        unsafe { header.write(Header { home: UnsafeCell::new(None), slices: Cell::new(0), size }) };
        Self(header)
    }

    fn header(&self) -> &Header {
        // SAFETY: the header is initialised by `allocate` and lives until the memory is dropped.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn size(&self) -> ChunkSize {
        self.header().size
    }

    fn bytes(&self) -> NonNull<u8> {
        // SAFETY: the bytes begin one header after the allocation's start, inside the allocation.
        unsafe { self.0.add(1) }.cast()
    }

    /// Back to the pool it was taken from.
    fn go_home(self) {
        // SAFETY: this is the memory's only owner (nothing else refers to its header), and the type is not `Sync`.
        let home = unsafe { (*self.header().home.get()).take() };
        if let Some(pool) = home {
            pool.come_home(self);
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let layout = Self::layout(self.size());
        // SAFETY: the header is initialised, and nothing refers to it once its memory is dropped.
        unsafe { self.0.drop_in_place() };
        // SAFETY: allocated in `allocate` with this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

/// Memory with one owner, of which the first [`len`](Chunk::len) bytes are in use.
pub struct Chunk {
    memory: ManuallyDrop<Memory>,
    len: usize,
}

impl Chunk {
    pub(super) fn new(memory: Memory, pool: Rc<Inner>) -> Self {
        // SAFETY: the memory has just left its pool: nothing else refers to its header.
        unsafe { *memory.header().home.get() = Some(pool) };
        Self { memory: ManuallyDrop::new(memory), len: 0 }
    }

    /// The size class.
    #[must_use]
    pub fn size(&self) -> ChunkSize {
        self.memory.size()
    }

    /// Bytes it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.size().capacity()
    }

    /// Bytes in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that can still be appended.
    #[must_use]
    pub fn spare(&self) -> usize {
        self.capacity() - self.len
    }

    /// Forgets the bytes.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Keeps the first `len` bytes; no effect if there are fewer.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Appends `bytes`, or nothing at all.
    ///
    /// # Errors
    /// [`Full`] if they do not fit.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        if bytes.len() > self.spare() {
            return Err(Full);
        }
        // SAFETY: the target range lies in the allocation, is exclusively ours, and cannot overlap a `&[u8]`.
        unsafe { self.spare_ptr().copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len()) };
        self.len += bytes.len();
        Ok(())
    }

    /// The memory after the bytes in use, for a reader to fill; [`advance`](Chunk::advance) takes it into use.
    pub fn spare_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        let spare = self.spare();
        // SAFETY: `spare` bytes from there on lie in the allocation and are exclusively ours; they may be uninitialised.
        unsafe { core::slice::from_raw_parts_mut(self.spare_ptr().cast().as_ptr(), spare) }
    }

    fn spare_ptr(&self) -> NonNull<u8> {
        // SAFETY: `len` is at most the capacity, so this stays in (or one past) the allocation.
        unsafe { self.memory.bytes().add(self.len) }
    }

    /// Takes `count` more bytes into use.
    ///
    /// # Safety
    /// The first `count` bytes of [`spare_mut`](Chunk::spare_mut) have been initialised.
    ///
    /// # Panics
    /// If `count` is more than [`spare`](Chunk::spare).
    pub unsafe fn advance(&mut self, count: usize) {
        assert!(count <= self.spare(), "a read reported more bytes than were offered");
        self.len += count;
    }

    /// Gives up sole ownership: the bytes in use as a shareable slice.
    #[must_use]
    pub fn freeze(self) -> Slice {
        let this = ManuallyDrop::new(self);
        this.memory.header().slices.set(1);
        Slice { ptr: this.memory.bytes(), len: this.len, owner: Some(this.memory.0), not_send: PhantomData }
    }
}

impl crate::http1::Sink for Chunk {
    fn put(&mut self, bytes: &[u8]) -> Result<(), crate::http1::Full> {
        Chunk::put(self, bytes).map_err(|Full| crate::http1::Full)
    }
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised and not written while `self` is borrowed.
        unsafe { core::slice::from_raw_parts(self.memory.bytes().as_ptr(), self.len) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: taken once: the chunk is being dropped.
        unsafe { ManuallyDrop::take(&mut self.memory) }.go_home();
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({}/{})", self.len, self.capacity())
    }
}

/// A shared, read-only range of a frozen chunk, or of static memory. Cloning counts, it does not copy.
pub struct Slice {
    ptr: NonNull<u8>,
    len: usize,
    /// The memory that is shared; none for static bytes.
    owner: Option<NonNull<Header>>,
    not_send: PhantomData<*const u8>,
}

impl Slice {
    /// Static bytes as a slice.
    #[must_use]
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        // SAFETY: a reference is never null.
        let ptr = unsafe { NonNull::new_unchecked(bytes.as_ptr().cast_mut()) };
        Self { ptr, len: bytes.len(), owner: None, not_send: PhantomData }
    }

    /// A slice of part of this one.
    ///
    /// # Panics
    /// If the range is not inside.
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let mut part = self.clone();
        let end = match range.end_bound() {
            Bound::Included(&n) => n + 1,
            Bound::Excluded(&n) => n,
            Bound::Unbounded => self.len,
        };
        let start = match range.start_bound() {
            Bound::Included(&n) => n,
            Bound::Excluded(&n) => n + 1,
            Bound::Unbounded => 0,
        };
        assert!(start <= end && end <= self.len, "range {start}..{end} of a slice of {}", self.len);
        part.len = end;
        part.advance(start);
        part
    }

    /// Drops the first `count` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= self.len, "advance by {count} in a slice of {}", self.len);
        // SAFETY: `count` is at most `len`, so the pointer stays in (or one past) the range.
        self.ptr = unsafe { self.ptr.add(count) };
        self.len -= count;
    }

    /// Takes the first `count` bytes off.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn split_to(&mut self, count: usize) -> Self {
        let front = self.slice(..count);
        self.advance(count);
        front
    }

    /// Bytes of memory that this slice keeps away from home: the whole chunk, however short the slice.
    #[must_use]
    pub fn pinned_bytes(&self) -> usize {
        // SAFETY: a slice's owner lives as long as the slice.
        self.owner.map_or(0, |owner| unsafe { owner.as_ref() }.size.allocation())
    }

    /// Makes this slice longer by `next` if that one begins, in the same memory, where this one ends.
    ///
    /// # Errors
    /// Gives `next` back if it does not.
    pub fn join(&mut self, next: Self) -> Result<(), Self> {
        // SAFETY: `len` bytes from `ptr` on are in the range, so this is in (or one past) it.
        let end = unsafe { self.ptr.add(self.len) };
        if self.owner.is_some() && self.owner == next.owner && end == next.ptr {
            self.len += next.len;
            return Ok(());
        }
        Err(next)
    }
}

impl Clone for Slice {
    fn clone(&self) -> Self {
        if let Some(owner) = self.owner {
            // SAFETY: a slice keeps its memory alive.
            let count = unsafe { &owner.as_ref().slices };
            count.set(count.get().checked_add(1).expect("fewer than 2^32 slices of one chunk"));
        }
        Self { ptr: self.ptr, len: self.len, owner: self.owner, not_send: PhantomData }
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        let Some(owner) = self.owner else { return };
        // SAFETY: a slice keeps its memory alive.
        let count = unsafe { &owner.as_ref().slices };
        count.set(count.get() - 1);
        if count.get() == 0 {
            Memory(owner).go_home();
        }
    }
}

impl Deref for Slice {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the range was initialised when the chunk was frozen, and nobody writes to frozen memory.
        unsafe { core::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slice({})", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pool;
    use super::*;

    fn filled(pool: &Pool, bytes: &[u8]) -> Chunk {
        let mut chunk = pool.take(ChunkSize::Small);
        chunk.put(bytes).unwrap();
        chunk
    }

    #[test]
    fn put_is_all_or_nothing() {
        let pool = Pool::new(0);
        let mut chunk = filled(&pool, &[7; ChunkSize::Small.capacity()]);
        assert_eq!(chunk.spare(), 0);
        assert_eq!(chunk.put(b"x"), Err(Full));
        assert_eq!(&chunk[..], &[7; ChunkSize::Small.capacity()]);
        chunk.truncate(2);
        chunk.put(b"x").unwrap();
        assert_eq!(&chunk[..], &[7, 7, b'x']);
    }

    #[test]
    fn slices_share_and_the_last_one_brings_the_memory_home() {
        let pool = Pool::new(4096);
        let mut all = filled(&pool, b"hello world").freeze();
        let world = all.slice(6..);
        let hello = all.split_to(5);
        assert_eq!((&hello[..], &all[..], &world[..]), (&b"hello"[..], &b" world"[..], &b"world"[..]));
        drop((all, hello));
        assert_eq!(pool.stats().away, [1, 0, 0]);
        drop(world);
        assert_eq!((pool.stats().away, pool.stats().home), ([0; 3], [1, 0, 0]));
    }

    #[test]
    fn neighbours_join_and_strangers_do_not() {
        let pool = Pool::new(0);
        let mut front = filled(&pool, b"abcdef").freeze();
        let back = front.slice(4..);
        let mut head = front.split_to(2);
        front.len = 2;
        head.join(front).unwrap();
        head.join(back).unwrap();
        assert_eq!(&head[..], b"abcdef");
        let other = filled(&pool, b"g").freeze();
        assert_eq!(&head.join(other).unwrap_err()[..], b"g");
    }

    #[test]
    fn static_bytes_cost_nothing() {
        let s = Slice::from_static(b"HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(&s.slice(9..12)[..], b"100");
    }

    #[test]
    fn reading_into_spare_memory() {
        let pool = Pool::new(0);
        let mut chunk = filled(&pool, b"ab");
        chunk.spare_mut()[0].write(b'c');
        // SAFETY: one byte was just written.
        unsafe { chunk.advance(1) };
        assert_eq!(&chunk[..], b"abc");
    }
}
