//! Which text is held out.
//!
//! A document's own content decides: one in 16, by hash. The same document is
//! on the same side in every run, file and order, so nothing trained on is
//! ever validated on, and adding data moves no old document.

use coec_nn::random::{fnv1a, mix};
use serde::{Deserialize, Serialize};

/// A hash of bytes that stays what it is (std's may change with the compiler).
pub(crate) fn content_hash(bytes: &[u8]) -> u64 {
    mix(fnv1a(bytes))
}

/// Whether a document belongs to the validation part, where there are many.
pub fn is_held_out(document: &str) -> bool {
    is_of_sixteenth(content_hash(document.as_bytes()))
}

fn is_of_sixteenth(hash: u64) -> bool {
    hash >> 60 == 0
}

/// Which documents of a set are held out, by their hashes.
///
/// Among few documents the hash may put all on one side; then those with the extreme hash change sides,
/// so that both parts have text whenever there are two distinct documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hold {
    least: u64,
    most: u64,
    has_train: bool,
    has_held_out: bool,
}

impl Default for Hold {
    fn default() -> Self {
        Self { least: u64::MAX, most: 0, has_train: false, has_held_out: false }
    }
}

impl Hold {
    /// Takes account of a document.
    pub fn see(&mut self, hash: u64) {
        (self.least, self.most) = (self.least.min(hash), self.most.max(hash));
        match is_of_sixteenth(hash) {
            true => self.has_held_out = true,
            false => self.has_train = true,
        }
    }

    /// Whether one of the documents seen is held out.
    pub fn holds(&self, hash: u64) -> bool {
        match (self.has_train, self.has_held_out) {
            _ if self.least == self.most => is_of_sixteenth(hash),
            (true, false) => hash == self.least,
            (false, true) => hash != self.most,
            _ => is_of_sixteenth(hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_in_sixteen_is_held_out() {
        let held_out = (0..16_000).filter(|i| is_held_out(&format!("document {i}"))).count();
        assert!((900..1100).contains(&held_out), "{held_out}");
    }

    /// (training, validation)
    fn split(documents: &[String]) -> (Vec<String>, Vec<String>) {
        let mut hold = Hold::default();
        let hash = |document: &String| content_hash(document.as_bytes());
        documents.iter().for_each(|document| hold.see(hash(document)));
        documents.iter().cloned().partition(|document| !hold.holds(hash(document)))
    }

    #[test]
    fn copies_of_one_document_stay_together() {
        let (train, validation) = split(&vec!["a".into(); 5]);
        assert_eq!(train.len().max(validation.len()), 5);
    }

    proptest! {
        #[test]
        fn equal_documents_are_on_one_side(documents in prop::collection::vec("[a-e]{0,3}", 0..60)) {
            let (train, validation) = split(&documents);
            prop_assert!(train.iter().all(|document| !validation.contains(document)));
            prop_assert_eq!(train.len() + validation.len(), documents.len());
        }

        #[test]
        fn both_parts_have_text_when_two_documents_differ(
            documents in prop::collection::hash_set("[a-z]{1,8}", 2..40)
        ) {
            let (train, validation) = split(&documents.into_iter().collect::<Vec<_>>());
            prop_assert!(!train.is_empty() && !validation.is_empty());
        }
    }
}
