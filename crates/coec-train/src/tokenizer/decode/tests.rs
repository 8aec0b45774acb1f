//! Streams against the library's own decoding of all tokens at once.

use std::time::Instant;

use coec_store::folder::Companions;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::Tokenizer;
use super::super::hf::guard;
use super::Piece;

/// Tokens that some decoder takes for something else than they are.
const TOKENS: &[&str] = &[
    "▁red",
    "▁",
    "▁▁",
    "green",
    "gr▁een",
    "red</w>",
    "</w>",
    "a</w>b</w>",
    "##s",
    "##",
    "one",
    "do",
    "not",
    "n't",
    ".",
    ",",
    "'",
    "'s",
    "<0xE6>",
    "<0xBC>",
    "<0xA2>",
    "<0x41>",
    "<0xFF>",
    "<0x+5>",
    "<pad>",
    "|",
    "h",
    "e",
    "l",
    " ",
    "  ",
    " a ",
    "ab",
    "b",
    "c",
    "Ġ",
    "Ġthe",
    "æ",
    "¼",
    "¢",
    "é漢",
    "abab",
    "ā",
];

fn decoders() -> Vec<Value> {
    let one = vec![
        json!({"type": "BPEDecoder", "suffix": "</w>"}),
        json!({"type": "BPEDecoder", "suffix": ""}),
        json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        json!({"type": "WordPiece", "prefix": "##", "cleanup": false}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}),
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never", "split": true}),
        json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": true}),
        json!({"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": false}),
        json!({"type": "Replace", "pattern": {"String": "ab"}, "content": "c"}),
        json!({"type": "Replace", "pattern": {"String": "aba"}, "content": ""}),
        json!({"type": "Replace", "pattern": {"Regex": "[a-c]+"}, "content": "x"}),
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "Fuse"}),
        json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}),
        json!({"type": "Strip", "content": "a", "start": 0, "stop": 1}),
        json!({"type": "ByteFallback"}),
    ];
    let mut all = one.clone();
    for first in &one {
        for second in &one {
            all.push(json!({"type": "Sequence", "decoders": [first, second]}));
            let fused = [first.clone(), json!({"type": "Fuse"}), second.clone()];
            all.push(json!({"type": "Sequence", "decoders": fused}));
        }
    }
    all.push(Value::Null);
    all
}

fn with(decoder: &Value) -> Tokenizer {
    let vocab: serde_json::Map<_, _> =
        TOKENS.iter().zip(0..).map(|(t, id)| ((*t).into(), json!(id))).collect();
    let json = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": decoder, "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "one"},
    });
    Tokenizer::from_json(json.to_string().as_bytes(), Companions::default()).unwrap()
}

/// What the library makes of all tokens; nothing where it panics.
fn theirs(tokenizer: &Tokenizer, ids: &[u32]) -> Option<String> {
    let Tokenizer::Hf(hf) = tokenizer else { panic!() };
    guard(|| hf.inner().decode(ids, false)).ok()
}

fn continued(tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]) -> (String, String) {
    let mut continuation = tokenizer.continuation(prompt).unwrap();
    let mut pieces: Vec<Piece> = ids.iter().map(|&id| continuation.push(id).unwrap()).collect();
    let opening = continuation.opening().to_owned();
    pieces.push(continuation.finish().unwrap());
    let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    let all = opening + &pieces.iter().map(|piece| piece.prompt.as_str()).collect::<String>() + &text;
    (all, text)
}

#[test]
fn the_space_before_the_first_word_of_a_continuation_stays() {
    let metaspace =
        with(&json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}));
    assert_eq!(continued(&metaspace, &[0], &[3, 0]), ("redgreen red".into(), "green red".into()));
    assert_eq!(continued(&metaspace, &[0], &[0]), ("red red".into(), " red".into()));
    let words = with(&json!({"type": "WordPiece", "prefix": "##", "cleanup": true}));
    assert_eq!(continued(&words, &[10], &[8, 10, 14]), ("ones one.".into(), "s one.".into()));
    let marked = with(&json!({"type": "BPEDecoder", "suffix": "</w>"}));
    assert_eq!(continued(&marked, &[5], &[5]), ("red red".into(), " red".into()));
}

#[test]
fn text_that_nothing_can_change_is_not_held_back() {
    let llama = with(&json!({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]}));
    let mut decoder = llama.decoder();
    let given: Vec<String> = [0, 0, 18, 19, 20, 3].iter().map(|&id| decoder.push(id).unwrap()).collect();
    assert_eq!(given, ["red", " red", "", "", "", "漢green"]);
}

#[test]
fn a_long_text_takes_as_long_as_its_tokens() {
    // Some of each kind.
    for decoder in decoders().into_iter().step_by(12) {
        let tokenizer = with(&decoder);
        let mut decoder = tokenizer.decoder();
        let start = Instant::now();
        for id in (0..50_000).map(|i| [18, 19, 20, 36, 26][i % 5]) {
            decoder.push(id).unwrap();
        }
        decoder.finish().unwrap();
        assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_tokens_of_any_decoder_stream_to_their_text(
        ids in prop::collection::vec(0..TOKENS.len() as u32, 0..24), at in 0usize..24
    ) {
        for decoder in decoders() {
            let tokenizer = with(&decoder);
            let Some(whole) = theirs(&tokenizer, &ids) else { continue };
            prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), &whole, "{}", decoder);
            let (prompt, rest) = ids.split_at(at.min(ids.len()));
            let (all, text) = continued(&tokenizer, prompt, rest);
            prop_assert_eq!(&all, &whole, "{}", decoder);
            if let Some(own) = theirs(&tokenizer, prompt)
                && let Some(behind) = whole.strip_prefix(&own)
            {
                prop_assert_eq!(text, behind, "{}", decoder);
            }
        }
    }
}
