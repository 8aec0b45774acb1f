//! Which text is held out.
//!
//! A document's own content decides: one in 16, by hash. The same document is
//! on the same side in every run, file and order, so nothing trained on is
//! ever validated on, and adding data moves no old document.

use coec_nn::random::{fnv1a, mix};

/// A hash of bytes that stays what it is (std's may change with the compiler).
pub(crate) fn content_hash(bytes: &[u8]) -> u64 {
    mix(fnv1a(bytes))
}

/// Whether a document belongs to the validation part.
pub fn is_held_out(document: &str) -> bool {
    content_hash(document.as_bytes()) >> 60 == 0
}

/// Splits documents by [`is_held_out`] into (training, validation), keeping their order.
///
/// Among few documents the hash may put all on one side; then the one document
/// with the extreme hash, and its copies, changes sides, so that both parts
/// have text whenever there are two distinct documents.
pub(crate) fn split(documents: Vec<String>) -> (Vec<String>, Vec<String>) {
    let (mut validation, mut train): (Vec<_>, Vec<_>) =
        documents.into_iter().partition(|document| is_held_out(document));
    let key = |document: &String| content_hash(document.as_bytes());
    if validation.is_empty() {
        move_group(&mut train, &mut validation, |documents| documents.iter().map(key).min());
    } else if train.is_empty() {
        move_group(&mut validation, &mut train, |documents| documents.iter().map(key).max());
    }
    (train, validation)
}

/// Moves the documents of one hash from `from` to `to`, unless that would empty `from`.
fn move_group(from: &mut Vec<String>, to: &mut Vec<String>, pick: impl Fn(&[String]) -> Option<u64>) {
    let Some(chosen) = pick(from) else { return };
    let belongs = |document: &String| content_hash(document.as_bytes()) == chosen;
    if from.iter().all(belongs) {
        return;
    }
    let (moved, kept) = std::mem::take(from).into_iter().partition(belongs);
    *from = kept;
    *to = moved;
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

    #[test]
    fn two_distinct_documents_make_two_parts() {
        let (train, validation) = split(vec!["a".into(), "b".into()]);
        assert_eq!((train.len(), validation.len()), (1, 1));
    }

    #[test]
    fn copies_of_one_document_stay_together() {
        let (train, validation) = split(vec!["a".into(); 5]);
        assert_eq!(train.len().max(validation.len()), 5);
    }

    proptest! {
        #[test]
        fn the_parts_are_disjoint_and_complete(documents in prop::collection::vec("[a-e]{0,3}", 0..60)) {
            let (train, validation) = split(documents.clone());
            prop_assert!(train.iter().all(|document| !validation.contains(document)));
            let mut joined = [train, validation].concat();
            let mut all = documents;
            joined.sort();
            all.sort();
            prop_assert_eq!(joined, all);
        }

        #[test]
        fn both_parts_have_text_when_two_documents_differ(
            documents in prop::collection::hash_set("[a-z]{1,8}", 2..40)
        ) {
            let (train, validation) = split(documents.into_iter().collect());
            prop_assert!(!train.is_empty() && !validation.is_empty());
        }
    }
}
