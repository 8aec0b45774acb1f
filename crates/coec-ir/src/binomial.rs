//! How many selections there are, exactly.

use num_bigint::BigUint;

/// Steps up to which a binomial is multiplied out; a larger one is put together from its primes.
const MOST_STEPS: usize = 32;

/// `n` choose `k`, exactly.
pub fn binomial(n: usize, k: usize) -> BigUint {
    binomials(n, &[k])
}

/// The product of `n` choose `k` for each `k`. There may be 64 of 16,000 bits each in every
/// layer, so it is not multiplied out: its prime factors are known, and squaring a number
/// gives twice the exponents.
pub fn binomials(n: usize, ks: &[usize]) -> BigUint {
    if ks.iter().any(|&k| k > n) {
        return BigUint::ZERO;
    }
    if ks.iter().all(|&k| k.min(n - k) <= MOST_STEPS) {
        return ks.iter().map(|&k| stepwise(n, k.min(n - k))).product();
    }
    let powers: Vec<(usize, usize)> =
        primes(n).into_iter().map(|prime| (prime, ks.iter().map(|&k| exponent(prime, n, k)).sum())).collect();
    let largest = powers.iter().map(|&(_, exponent)| exponent).max().unwrap_or_default();
    let mut result = BigUint::from(1u8);
    for bit in (0..usize::BITS - largest.leading_zeros()).rev() {
        let odd = powers.iter().filter(|&&(_, exponent)| exponent >> bit & 1 == 1);
        result = &result * &result * product(odd.map(|&(prime, _)| BigUint::from(prime)).collect());
    }
    result
}

fn stepwise(n: usize, k: usize) -> BigUint {
    let mut result = BigUint::from(1u8);
    for i in 0..k {
        result *= n - i;
        result /= i + 1;
    }
    result
}

/// How often a prime divides `n` choose `k`: Legendre's formula for each factorial.
fn exponent(prime: usize, n: usize, k: usize) -> usize {
    let mut exponent = 0;
    let (mut n, mut k, mut rest) = (n, k, n - k);
    while n >= prime {
        (n, k, rest) = (n / prime, k / prime, rest / prime);
        exponent += n - k - rest;
    }
    exponent
}

/// The primes up to `n`.
fn primes(n: usize) -> Vec<usize> {
    let mut is_prime = vec![true; n + 1];
    let mut primes = Vec::new();
    for candidate in 2..=n {
        if is_prime[candidate] {
            primes.push(candidate);
            (candidate * candidate..=n).step_by(candidate).for_each(|multiple| is_prime[multiple] = false);
        }
    }
    primes
}

/// The product of numbers, multiplied in pairs of about equal length.
fn product(mut factors: Vec<BigUint>) -> BigUint {
    while factors.len() > 1 {
        factors = factors
            .chunks(2)
            .map(|pair| match pair {
                [a, b] => a * b,
                rest => rest.iter().product(),
            })
            .collect();
    }
    factors.pop().unwrap_or_else(|| BigUint::from(1u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_and_steps_agree() {
        for n in [0usize, 1, 2, 7, 64, 65, 200, 1000] {
            for k in [0, 1, 2, 3, n / 3, n / 2, n.saturating_sub(1), n] {
                let k = k.min(n);
                let exponents = primes(n).into_iter().map(|p| BigUint::from(p).pow(exponent(p, n, k) as u32));
                assert_eq!(product(exponents.collect()), stepwise(n, k), "{n} choose {k}");
                assert_eq!(binomial(n, k), stepwise(n, k), "{n} choose {k}");
            }
        }
        let several = stepwise(300, 4) * stepwise(300, 150) * stepwise(300, 290);
        assert_eq!(binomials(300, &[4, 150, 290]), several);
    }

    #[test]
    fn more_cannot_be_selected_than_there_are() {
        assert_eq!(binomial(3, 4), BigUint::ZERO);
        assert_eq!(binomials(3, &[1, 4]), BigUint::ZERO);
        assert_eq!(binomials(3, &[]), BigUint::from(1u8));
    }
}
