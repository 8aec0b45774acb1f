//! How many FLOPs the expert products really performed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static PERFORMED: AtomicU64 = AtomicU64::new(0);

/// FLOPs of all expert products of this process so far, forward and backward, by the rows they
/// really multiplied. Dense MLPs and shared experts run the same product and are counted too.
pub fn performed() -> u64 {
    PERFORMED.load(Relaxed)
}

/// Counts `products` matrix products of `rows` rows and `width` multiply-adds a row.
pub(crate) fn count(rows: usize, width: usize, products: u64) {
    PERFORMED.fetch_add(2 * rows as u64 * width as u64 * products, Relaxed);
}
