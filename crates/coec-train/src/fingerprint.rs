//! What data and files were, in a few bytes: to tell whether they are still the same.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use crate::data::Corpus;

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

    /// Of all documents, in their order, and of which are held out.
    pub fn of_corpus(corpus: &Corpus) -> Self {
        let mut made = Fingerprinter::default();
        for part in [&corpus.train, &corpus.validation] {
            made.sum.write_u64(part.len() as u64);
            for document in part {
                // The length too, so that the same text cut elsewhere is other data.
                made.sum.update(&(document.len() as u64).to_le_bytes());
                made.add(document.as_bytes());
            }
        }
        made.finish()
    }
}

impl Fingerprinter {
    /// Adds bytes behind those so far.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sum.update(bytes);
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

    #[test]
    fn a_corpus_is_its_documents_in_order_and_their_sides() {
        let of = |train: &[&str], validation: &[&str]| {
            let part = |part: &[&str]| part.iter().map(|text| (*text).to_owned()).collect();
            Fingerprint::of_corpus(&Corpus { train: part(train), validation: part(validation) })
        };
        let base = of(&["ab", "c"], &["d"]);
        assert_eq!(base, of(&["ab", "c"], &["d"]));
        for other in [of(&["a", "bc"], &["d"]), of(&["c", "ab"], &["d"]), of(&["ab"], &["c", "d"])] {
            assert_ne!(base, other);
        }
    }
}
