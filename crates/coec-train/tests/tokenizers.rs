//! Tokenizers of every kind against what Python's `tokenizers` makes of them (tests/parity/make_tokenizers.py).

use std::collections::BTreeMap;
use std::path::PathBuf;

use coec_train::tokenizer::Tokenizer;
use serde::Deserialize;

#[derive(Deserialize)]
struct Cases {
    encoded: Vec<Encoded>,
    drawn: Vec<Drawn>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
    decoded: Option<String>,
}

/// Tokens drawn at random. No text where Python panics.
#[derive(Deserialize)]
struct Drawn {
    ids: Vec<u32>,
    decoded: Option<String>,
}

fn goldens() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/goldens/tokenizers")
}

fn all() -> Vec<(String, Tokenizer, Cases)> {
    let cases = std::fs::read(goldens().join("cases.json")).unwrap();
    let cases: BTreeMap<String, Cases> = serde_json::from_slice(&cases).unwrap();
    let load = |name: &str| Tokenizer::load(&goldens().join(format!("{name}.json"))).unwrap();
    cases.into_iter().map(|(name, cases)| (name.clone(), load(&name), cases)).collect()
}

/// The text that tokens give one by one.
fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut decoder = tokenizer.decoder();
    let text: String = ids.iter().map(|&id| decoder.push(id).unwrap()).collect();
    text + &decoder.finish().unwrap()
}

#[test]
fn texts_have_the_tokens_that_python_gives_them() {
    for (name, tokenizer, cases) in all() {
        for Encoded { text, ids, .. } in &cases.encoded {
            assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{name}: {text:?}");
        }
        let texts: Vec<String> = cases.encoded.iter().map(|case| case.text.clone()).collect();
        let together = tokenizer.encoder().unwrap().encode(&texts).unwrap();
        assert!(together.iter().zip(&cases.encoded).all(|((ids, _), case)| *ids == case.ids), "{name}");
    }
}

#[test]
fn tokens_have_the_text_that_python_gives_them_at_once_and_one_by_one() {
    for (name, tokenizer, cases) in all() {
        let encoded = cases.encoded.iter().map(|case| (&case.ids, &case.decoded));
        let drawn = cases.drawn.iter().map(|case| (&case.ids, &case.decoded));
        for (ids, text) in encoded.chain(drawn).filter_map(|(ids, text)| Some((ids, text.as_ref()?))) {
            assert_eq!(&tokenizer.decode(ids).unwrap(), text, "{name}: {ids:?}");
            assert_eq!(&streamed(&tokenizer, ids), text, "{name}: {ids:?}");
        }
    }
}

#[test]
fn a_prompt_and_its_continuation_are_one_text_wherever_they_are_divided() {
    for (name, tokenizer, cases) in all() {
        for Encoded { ids, decoded, .. } in &cases.encoded {
            let Some(whole) = decoded else { continue };
            for at in 0..=ids.len() {
                let (prompt, rest) = ids.split_at(at);
                let mut continuation = tokenizer.continuation(prompt).unwrap();
                let (mut all, mut text) = (continuation.opening().to_owned(), String::new());
                let mut pieces: Vec<_> = rest.iter().map(|&id| continuation.push(id).unwrap()).collect();
                pieces.push(continuation.finish().unwrap());
                for piece in pieces {
                    all += &piece.prompt;
                    all += &piece.text;
                    text += &piece.text;
                }
                assert_eq!(&all, whole, "{name}: {ids:?} at {at}");
                let own = tokenizer.decode(prompt).unwrap();
                if let Some(behind) = whole.strip_prefix(&own) {
                    assert_eq!(text, behind, "{name}: {ids:?} at {at}");
                }
            }
        }
    }
}

#[test]
fn what_ends_a_text_is_found_without_settings() {
    let ends = |name: &str| Tokenizer::load(&goldens().join(format!("{name}.json"))).unwrap().ends().to_vec();
    assert_eq!(ends("byte_level"), [0]);
    assert_eq!(ends("split_then_byte_level"), [0, 1]);
    assert_eq!(ends("byte_fallback"), [2]);
    assert_eq!(ends("unigram"), [1]);
    assert_eq!(ends("word_piece"), [3]);
    assert_eq!(ends("delimited"), [0u32; 0]);
}

#[test]
fn what_has_no_tokens_is_counted() {
    let lost = |name: &str, text: &str| {
        let tokenizer = Tokenizer::load(&goldens().join(format!("{name}.json"))).unwrap();
        let lost = tokenizer.encoder().unwrap().encode(&[text.to_owned()]).unwrap()[0].1;
        (lost.characters, lost.lost_characters, lost.unknown_tokens)
    };
    // Bytes lose nothing; white space is not counted.
    assert_eq!(lost("byte_level", "red ∑ 漢"), (5, 0, 0));
    assert_eq!(lost("byte_fallback", "red ∑ 漢"), (5, 0, 0));
    // An unknown token for a character, for a word, or for several.
    assert_eq!(lost("end_of_word", "red ∑∑"), (5, 2, 2));
    assert_eq!(lost("word_piece", "red re∑d x"), (8, 4, 1));
    assert_eq!(lost("metaspace_always", "red purple"), (9, 6, 1));
    assert_eq!(lost("unigram", "red ∑∑"), (5, 2, 1));
    // And nothing at all, in the middle of a word and at its end.
    assert_eq!(lost("scripts", "re∑∑d re∑"), (8, 3, 3));
}
