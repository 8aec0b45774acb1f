//! What data and files were, in a few bytes: to tell whether they are still the same.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

/// The length and the XXH3-128 of some bytes (`xxhsum -H2` prints the same).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Bytes.
    pub bytes: u64,
    /// The sum, in hexadecimal.
    pub xxh3: String,
}

/// A fingerprint in the making.
#[derive(Default)]
pub struct Fingerprinter {
    bytes: u64,
    sum: Xxh3Default,
}

impl Fingerprint {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut made = Fingerprinter::default();
        made.add(bytes);
        made.finish()
    }
}

impl Fingerprinter {
    /// Adds bytes behind those so far.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sum.update(bytes);
    }

    /// Adds a number that is none of the bytes: a length, where something begins.
    pub fn mark(&mut self, number: usize) {
        self.sum.update(&(number as u64).to_le_bytes());
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint.
    pub fn finish(&self) -> Fingerprint {
        Fingerprint { bytes: self.bytes, xxh3: format!("{:032x}", self.sum.digest128()) }
    }
}

impl std::fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprinter").field("bytes", &self.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_sum_of_the_whole_that_xxhsum_prints() {
        let mut made = Fingerprinter::default();
        made.add(b"fo");
        made.add(b"o");
        assert_eq!(made.finish(), Fingerprint::of(b"foo"));
        // `printf foo | xxhsum -H2`
        assert_eq!(Fingerprint::of(b"foo").xxh3, "79aef92e83454121ab6e5f64077e7d8a");
    }
}
