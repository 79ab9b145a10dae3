//! Memory for values that come and go at every request: a box whose block is used again.
//!
//! An exchange's state is too large to be carried by every idle connection and too frequent to be allocated each
//! time. [`Arena::place`] boxes it in a block of the arena, and dropping the box gives the block back.

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::RefCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::pin::Pin;
use core::ptr::NonNull;

struct Shelf {
    /// The layout of every block here: that of the first value that was placed.
    layout: Option<Layout>,
    blocks: Vec<NonNull<u8>>,
    max: usize,
}

/// Blocks of one layout, kept for reuse; values of another layout are allocated as usual.
#[derive(Clone)]
pub struct Arena(Rc<RefCell<Shelf>>);

impl Arena {
    /// An arena that keeps at most `max` unused blocks.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Rc::new(RefCell::new(Shelf { layout: None, blocks: Vec::new(), max })))
    }

    /// Boxes `value`, pinned.
    ///
    /// # Panics
    /// If `T` has no size.
    pub fn place<T>(&self, value: T) -> Pin<Placed<T>> {
        const { assert!(size_of::<T>() > 0) };
        let layout = Layout::new::<T>();
        let mut shelf = self.0.borrow_mut();
        let block = if *shelf.layout.get_or_insert(layout) == layout { shelf.blocks.pop() } else { None };
        let block = block.unwrap_or_else(|| {
            // SAFETY: the layout's size is not zero, asserted above.
            let raw = unsafe { alloc(layout) };
            NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout))
        });
        let block = block.cast::<T>();
        // SAFETY: the block has the layout of `T` and nobody else uses it.
        unsafe { block.write(value) };
        let placed = Placed { block, home: Rc::clone(&self.0), owns: PhantomData };
        // SAFETY: the value never moves: its address is the block's until it is dropped in place, and `Placed` gives
        // no way to move it out.
        unsafe { Pin::new_unchecked(placed) }
    }

    /// Unused blocks.
    #[must_use]
    pub fn resting(&self) -> usize {
        self.0.borrow().blocks.len()
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let Some(layout) = self.layout else { return };
        for block in self.blocks.drain(..) {
            // SAFETY: allocated with this layout, and not in use.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

/// A value in a block of an [`Arena`].
pub struct Placed<T> {
    block: NonNull<T>,
    home: Rc<RefCell<Shelf>>,
    owns: PhantomData<T>,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the value is initialised until `self` is dropped.
        unsafe { self.block.as_ref() }
    }
}

impl<T> DerefMut for Placed<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and `self` is borrowed exclusively.
        unsafe { self.block.as_mut() }
    }
}

impl<T> Drop for Placed<T> {
    fn drop(&mut self) {
        // SAFETY: the value is initialised and is not used again.
        unsafe { self.block.drop_in_place() };
        let (layout, block) = (Layout::new::<T>(), self.block.cast::<u8>());
        let mut shelf = self.home.borrow_mut();
        if shelf.layout == Some(layout) && shelf.blocks.len() < shelf.max {
            shelf.blocks.push(block);
        } else {
            // SAFETY: allocated in `place` with this layout.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    struct Counted<'a>(&'a Cell<u32>, [u8; 100]);

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn blocks_are_used_again_and_values_dropped_once() {
        let (arena, drops) = (Arena::new(1), Cell::new(0));
        let first = arena.place(Counted(&drops, [1; 100]));
        let address = &raw const first.1;
        drop(first);
        assert_eq!((drops.get(), arena.resting()), (1, 1));
        let again = arena.place(Counted(&drops, [2; 100]));
        assert_eq!((&raw const again.1, again.1[99]), (address, 2));
        let more = arena.place(Counted(&drops, [3; 100]));
        drop((again, more));
        assert_eq!((drops.get(), arena.resting()), (3, 1), "one block is kept, as bounded");
    }

    #[test]
    fn other_layouts_are_boxed_as_usual() {
        let arena = Arena::new(4);
        let a = arena.place(1u64);
        let b = arena.place([2u8; 3]);
        assert_eq!((*a, *b), (1, [2; 3]));
        drop((a, b));
        assert_eq!(arena.resting(), 1);
    }

    #[test]
    fn values_may_outlive_the_arena() {
        let placed = Arena::new(4).place(7u64);
        assert_eq!(*placed, 7);
    }
}
