//! Ways to select.

use num_bigint::BigUint;

/// `n` choose `k`, exactly.
pub fn binomial(n: usize, k: usize) -> BigUint {
    if k > n {
        return BigUint::ZERO;
    }
    let k = k.min(n - k);
    let mut result = BigUint::from(1u8);
    for i in 0..k {
        result *= n - i;
        result /= i + 1;
    }
    result
}
