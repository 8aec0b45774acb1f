//! How much memory the process holds, and held at most.
//!
//! CPU backends report no pool, so the allocator counts. A binary installs it:
//!
//! ```no_run
//! use coec_train::memory::CountingAllocator;
//!
//! #[global_allocator]
//! static MEMORY: CountingAllocator = CountingAllocator::new();
//! ```

// A global allocator cannot be written without.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, counting bytes.
///
/// Counts are exact; a peak reached by several threads at once may be missed by
/// what they take between two of its instructions.
#[derive(Debug)]
pub struct CountingAllocator {
    current: AtomicUsize,
    peak: AtomicUsize,
}

impl CountingAllocator {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        Self { current: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// Bytes held now; 0 when it is not the process's allocator.
    pub fn current(&self) -> usize {
        self.current.load(Relaxed)
    }

    /// Most bytes held at once since the last [`CountingAllocator::reset_peak`].
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    /// Forgets the peak: what is held now is the most.
    pub fn reset_peak(&self) {
        self.peak.store(self.current(), Relaxed);
    }

    fn take(&self, bytes: usize) {
        let now = self.current.fetch_add(bytes, Relaxed) + bytes;
        // Most allocations make no new peak, and a load is cheaper than a maximum.
        if now > self.peak.load(Relaxed) {
            self.peak.fetch_max(now, Relaxed);
        }
    }

    fn give(&self, bytes: usize) {
        self.current.fetch_sub(bytes, Relaxed);
    }
}

impl Default for CountingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: each call goes to `System` unchanged, and its answer comes back unchanged; counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise on `layout` is the one `System` asks for.
        let memory = unsafe { System.alloc(layout) };
        if !memory.is_null() {
            self.take(layout.size());
        }
        memory
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let memory = unsafe { System.alloc_zeroed(layout) };
        if !memory.is_null() {
            self.take(layout.size());
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller got `memory` from this allocator, hence from `System`, for `layout`.
        unsafe { System.dealloc(memory, layout) };
        self.give(layout.size());
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`, and the caller's promise on `size` is the one `System` asks for.
        let moved = unsafe { System.realloc(memory, layout, size) };
        if !moved.is_null() {
            self.take(size.saturating_sub(layout.size()));
            self.give(layout.size().saturating_sub(size));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn bytes_are_counted_as_they_come_and_go() {
        let counter = CountingAllocator::new();
        // SAFETY: layouts have a size, and each block is given back with its own.
        unsafe {
            let a = counter.alloc(layout(1000));
            let b = counter.alloc_zeroed(layout(500));
            assert_eq!((counter.current(), counter.peak()), (1500, 1500));
            counter.dealloc(a, layout(1000));
            assert_eq!((counter.current(), counter.peak()), (500, 1500));
            counter.dealloc(b, layout(500));
        }
        assert_eq!(counter.current(), 0);
    }

    #[test]
    fn growing_and_shrinking_count_the_difference() {
        let counter = CountingAllocator::new();
        // SAFETY: the block is resized and given back with the size it has.
        unsafe {
            let block = counter.alloc(layout(100));
            let block = counter.realloc(block, layout(100), 300);
            assert_eq!((counter.current(), counter.peak()), (300, 300));
            let block = counter.realloc(block, layout(300), 50);
            assert_eq!((counter.current(), counter.peak()), (50, 300));
            counter.dealloc(block, layout(50));
        }
    }

    #[test]
    fn a_reset_peak_starts_from_what_is_held() {
        let counter = CountingAllocator::new();
        // SAFETY: each block is given back with its own layout.
        unsafe {
            let a = counter.alloc(layout(800));
            let b = counter.alloc(layout(100));
            counter.dealloc(a, layout(800));
            counter.reset_peak();
            assert_eq!(counter.peak(), 100);
            counter.dealloc(b, layout(100));
        }
    }
}
