//! How many FLOPs the expert products really performed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static PERFORMED: AtomicU64 = AtomicU64::new(0);

/// FLOPs of all expert products of this process so far, forward and backward, by the rows they
/// really multiplied. Dense MLPs and shared experts run the same product and are counted too.
pub fn performed() -> u64 {
    PERFORMED.load(Relaxed)
}

/// Counts one product of an `m x k` and a `k x n` matrix. Called where the product is made and with
/// the sizes it has there, so that the count is of what was multiplied and not of what should be.
pub(crate) fn count([m, k, n]: [usize; 3]) {
    PERFORMED.fetch_add(2 * m as u64 * k as u64 * n as u64, Relaxed);
}
