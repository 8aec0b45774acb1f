//! Bytes as tokens, and the characters that Hugging Face writes bytes as.
//!
//! A `tokenizer.json` holds text, so a byte-level tokenizer writes each byte as
//! one character (GPT-2's table): printable Latin-1 as itself, the rest from U+0100 on.

use std::str;
use std::sync::LazyLock;

use serde_json::{Map, json};
use tokenizers::models::ModelWrapper;
use tokenizers::{Model, PreTokenizerWrapper, Tokenizer};

/// The character of each byte.
static CHARS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = 0x100;
    std::array::from_fn(|byte| match byte as u32 {
        printable @ (0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF) => {
            char::from_u32(printable).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
        _ => {
            next += 1;
            char::from_u32(next - 1).unwrap_or(char::REPLACEMENT_CHARACTER)
        }
    })
});

/// The characters that stand for bytes.
pub(super) fn characters() -> impl Iterator<Item = char> {
    CHARS.iter().copied()
}

/// The byte of a character of the table.
fn byte(char: char) -> Option<u8> {
    let place = match char as u32 {
        same @ 0..=0xFF => same as usize,
        moved => CHARS.iter().position(|&char| char as u32 == moved)?,
    };
    (CHARS[place] == char).then_some(place as u8)
}

/// The bytes a byte-level token stands for: a token with any other character stands for itself.
pub(super) fn of_token(token: &str) -> Vec<u8> {
    token.chars().map(byte).collect::<Option<_>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

/// A `tokenizer.json` of the bytes: byte-level BPE without merges, each token the byte of its number.
pub(super) fn to_json() -> String {
    let vocab: Map<_, _> =
        CHARS.iter().zip(0u32..).map(|(char, byte)| (char.to_string(), byte.into())).collect();
    let level = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": level(false),
        "post_processor": null,
        "decoder": level(true),
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": null,
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": false,
            "byte_fallback": false,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": [],
        },
    });
    format!("{tokenizer:#}\n")
}

/// Whether a tokenizer is the one of [`to_json`], so that bytes may stand in for it.
pub(super) fn is_bytes(tokenizer: &Tokenizer) -> bool {
    let ModelWrapper::BPE(model) = tokenizer.get_model() else { return false };
    let byte_level = matches!(
        tokenizer.get_pre_tokenizer(),
        Some(PreTokenizerWrapper::ByteLevel(level)) if !level.add_prefix_space
    );
    // With no token of two characters, there can be no merge.
    byte_level
        && tokenizer.get_normalizer().is_none()
        && tokenizer.get_added_vocabulary().get_vocab().is_empty()
        && model.get_vocab_size() == 256
        && CHARS.iter().zip(0..).all(|(char, byte)| model.token_to_id(&char.to_string()) == Some(byte))
}

/// Text out of bytes that arrive a few at a time.
///
/// Bytes that may still become a character are held back; bytes that cannot
/// become U+FFFD, one for each of the parts that `String::from_utf8_lossy` makes.
#[derive(Debug, Clone, Default)]
pub(super) struct Utf8Stream {
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// The text that `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut done = 0;
        while done < self.pending.len() {
            let rest = &self.pending[done..];
            match str::from_utf8(rest) {
                Ok(good) => {
                    text.push_str(good);
                    done += rest.len();
                }
                Err(error) => {
                    text.push_str(&String::from_utf8_lossy(&rest[..error.valid_up_to()]));
                    done += error.valid_up_to();
                    let Some(bad) = error.error_len() else { break };
                    text.push(char::REPLACEMENT_CHARACTER);
                    done += bad;
                }
            }
        }
        self.pending.drain(..done);
        text
    }

    /// What was held back, as it stands.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_byte_has_its_own_character() {
        for (&char, expected) in CHARS.iter().zip(0u8..=255) {
            assert_eq!(byte(char), Some(expected));
        }
        assert_eq!((byte(' '), byte('Ġ'), byte('é'), byte('€')), (None, Some(b' '), Some(0xE9), None));
    }

    #[test]
    fn the_characters_are_those_of_hugging_face() {
        let theirs = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        assert_eq!(
            CHARS.iter().copied().collect::<std::collections::HashSet<_>>(),
            theirs.into_iter().collect()
        );
    }

    proptest! {
        #[test]
        fn a_stream_of_any_bytes_is_their_lossy_text(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..20)
        ) {
            let mut stream = Utf8Stream::default();
            let mut text: String = chunks.iter().map(|chunk| stream.push(chunk)).collect();
            text += &stream.finish();
            prop_assert_eq!(text, String::from_utf8_lossy(&chunks.concat()).into_owned());
        }

        #[test]
        fn a_stream_holds_back_less_than_a_character(text in "\\PC{0,20}") {
            let mut stream = Utf8Stream::default();
            for byte in text.bytes() {
                stream.push(&[byte]);
                prop_assert!(stream.pending.len() < 4);
            }
            prop_assert!(stream.pending.is_empty());
        }
    }
}
