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
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

/// Counters, of which each thread has one; more threads than that share them.
const SLOTS: usize = 64;

/// Bytes that a thread takes between two looks at what all hold. The peak may be missed by as much a thread.
const LOOK: usize = 16 << 10;

/// The system's allocator, counting bytes.
///
/// What is held is counted exactly. The peak is at most 16 KiB a thread below the true one: threads that
/// wrote down every small block in one place would wait for each other (a tokenizer on two cores took 1.6
/// times as long).
#[derive(Debug)]
pub struct CountingAllocator {
    slots: [Slot; SLOTS],
    peak: AtomicUsize,
}

/// What one thread has taken. A line of memory of its own: on today's machines two lines come together.
#[derive(Debug)]
#[repr(align(128))]
struct Slot {
    /// Bytes taken less those given back; others may give back what this thread took.
    held: AtomicIsize,
    /// Bytes taken since the last look.
    taken: AtomicUsize,
}

/// Slots that threads have been given.
static GIVEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// This thread's slot. Neither made nor dropped by code that would allocate.
    static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn own_slot() -> usize {
    SLOT.with(|slot| match slot.get() {
        Some(own) => own,
        None => {
            let own = GIVEN.fetch_add(1, Relaxed) % SLOTS;
            slot.set(Some(own));
            own
        }
    })
}

impl CountingAllocator {
    /// Nothing counted yet.
    pub const fn new() -> Self {
        let slots = [const { Slot { held: AtomicIsize::new(0), taken: AtomicUsize::new(0) } }; SLOTS];
        Self { slots, peak: AtomicUsize::new(0) }
    }

    /// Bytes held now; 0 when it is not the process's allocator.
    pub fn current(&self) -> usize {
        let given = GIVEN.load(Relaxed).min(SLOTS);
        let held: isize = self.slots[..given].iter().map(|slot| slot.held.load(Relaxed)).sum();
        usize::try_from(held).unwrap_or(0)
    }

    /// Most bytes held at once since the last [`CountingAllocator::reset_peak`].
    pub fn peak(&self) -> usize {
        self.look();
        self.peak.load(Relaxed)
    }

    /// Forgets the peak: what is held now is the most.
    pub fn reset_peak(&self) {
        self.peak.store(self.current(), Relaxed);
    }

    fn look(&self) {
        self.peak.fetch_max(self.current(), Relaxed);
    }

    fn take(&self, bytes: usize) {
        let slot = &self.slots[own_slot()];
        slot.held.fetch_add(bytes as isize, Relaxed);
        if slot.taken.fetch_add(bytes, Relaxed) + bytes >= LOOK {
            slot.taken.store(0, Relaxed);
            self.look();
        }
    }

    fn give(&self, bytes: usize) {
        self.slots[own_slot()].held.fetch_sub(bytes as isize, Relaxed);
    }
}

/// Asks the system's allocator to keep what is given back for what is taken next.
///
/// A step takes and gives back the same hundreds of buffers as the one before. glibc hands large ones to the
/// system at once, which clears each of their pages again when they are touched next: a quarter of a step of
/// 79 M parameters. Other systems' allocators keep them anyway, or are not asked.
pub fn keep_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `mallopt` takes any values, and says no to those that it does not know.
    unsafe {
        // No block is a mapping of its own, and the end of the heap is never given back.
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        // One heap for all threads: what one of them gives back another may take.
        libc::mallopt(libc::M_ARENA_MAX, 1);
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
            let a = counter.alloc(layout(100_000));
            let b = counter.alloc_zeroed(layout(50_000));
            assert_eq!((counter.current(), counter.peak()), (150_000, 150_000));
            counter.dealloc(a, layout(100_000));
            assert_eq!((counter.current(), counter.peak()), (50_000, 150_000));
            counter.dealloc(b, layout(50_000));
        }
        assert_eq!(counter.current(), 0);
    }

    #[test]
    fn growing_and_shrinking_count_the_difference() {
        let counter = CountingAllocator::new();
        // SAFETY: the block is resized and given back with the size it has.
        unsafe {
            let block = counter.alloc(layout(100));
            let block = counter.realloc(block, layout(100), 30_000);
            assert_eq!((counter.current(), counter.peak()), (30_000, 30_000));
            let block = counter.realloc(block, layout(30_000), 50);
            assert_eq!((counter.current(), counter.peak()), (50, 30_000));
            counter.dealloc(block, layout(50));
        }
    }

    #[test]
    fn a_reset_peak_starts_from_what_is_held() {
        let counter = CountingAllocator::new();
        // SAFETY: each block is given back with its own layout.
        unsafe {
            let a = counter.alloc(layout(80_000));
            let b = counter.alloc(layout(100));
            counter.dealloc(a, layout(80_000));
            counter.reset_peak();
            assert_eq!(counter.peak(), 100);
            counter.dealloc(b, layout(100));
        }
    }

    /// Blocks go from thread to thread, and many threads share a slot.
    #[test]
    fn many_threads_count_together() {
        const THREADS: usize = 2 * SLOTS;
        let counter = CountingAllocator::new();
        let all_hold = std::sync::Barrier::new(THREADS);
        let blocks: Vec<usize> = std::thread::scope(|scope| {
            let run = || {
                // SAFETY: as above; the block that is left is given back below.
                let blocks: Vec<_> = (0..100).map(|_| unsafe { counter.alloc(layout(1000)) }).collect();
                all_hold.wait();
                blocks[1..].iter().for_each(|&block| unsafe { counter.dealloc(block, layout(1000)) });
                blocks[0] as usize
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(counter.current(), THREADS * 1000);
        let missed = THREADS * 100_000 - counter.peak();
        assert!(missed <= THREADS * LOOK, "{missed}");
        // SAFETY: as above.
        blocks.iter().for_each(|&block| unsafe { counter.dealloc(block as *mut u8, layout(1000)) });
        assert_eq!(counter.current(), 0);
    }
}
