use std::fs;
use std::time::Instant;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn texts() -> Vec<String> {
    crate::data::problems(1, 400).iter().map(|problem| problem.text()).collect()
}

fn bpe() -> Tokenizer {
    Tokenizer::train_bpe(400, texts()).unwrap()
}

/// What comes back after saving and loading.
fn saved(tokenizer: &Tokenizer) -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, tokenizer.to_json().unwrap()).unwrap();
    Tokenizer::load(&path).unwrap()
}

fn load_json(json: &str) -> Result<Tokenizer, TokenizerError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    fs::write(&path, json).unwrap();
    Tokenizer::load(&path)
}

fn stream(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut decoder = tokenizer.decoder();
    let text: String = ids.iter().map(|&id| decoder.push(id).unwrap()).collect();
    text + &decoder.finish().unwrap()
}

/// A word tokenizer whose decoder puts spaces between words.
const WORDS: &str = r###"{
    "version": "1.0", "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
    "padding": {"strategy": {"Fixed": 100}, "direction": "Right", "pad_to_multiple_of": null,
                "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [], "normalizer": null, "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": null, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": false},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[PAD]": 0, "[UNK]": 1, "[SEP]": 2, "one": 3, "two": 4, "##s": 5, "three": 9}}
}"###;

#[test]
fn bytes_are_their_own_numbers() {
    assert_eq!(Tokenizer::Bytes.encode("aé\n").unwrap(), [97, 0xC3, 0xA9, 10]);
    assert_eq!((Tokenizer::Bytes.vocab_size(), Tokenizer::Bytes.separator()), (256, Some(0)));
}

#[test]
fn saved_bytes_load_as_bytes() {
    assert!(matches!(saved(&Tokenizer::Bytes), Tokenizer::Bytes));
}

#[test]
fn saved_bytes_are_a_tokenizer_for_everyone() {
    let theirs = tokenizers::Tokenizer::from_bytes(bytes::to_json()).unwrap();
    let text = "Ana has 7 äpples.\n\0 \u{1F34E} \u{100}\r\t";
    let ids = theirs.encode_fast(text, true).unwrap().get_ids().to_vec();
    assert_eq!(ids, Tokenizer::Bytes.encode(text).unwrap());
    assert_eq!(theirs.decode(&ids, false).unwrap(), text);
}

#[test]
fn bpe_has_the_size_asked_for_and_a_separator() {
    let tokenizer = bpe();
    assert_eq!(tokenizer.vocab_size(), 400);
    assert_eq!(tokenizer.separator(), Some(0));
    let ids = tokenizer.encode("How many apples does Ana have?").unwrap();
    assert!(ids.len() < 20, "{ids:?}");
}

#[test]
fn bpe_from_the_same_text_is_the_same_file() {
    let Tokenizer::Hf(one) = bpe() else { panic!() };
    let Tokenizer::Hf(two) = bpe() else { panic!() };
    assert_eq!(one.to_json().unwrap(), two.to_json().unwrap());
}

#[test]
fn bpe_stays_the_same_when_saved() {
    let (tokenizer, text) = (bpe(), texts().concat());
    let again = saved(&tokenizer);
    assert_eq!(tokenizer.encode(&text).unwrap(), again.encode(&text).unwrap());
    assert_eq!(tokenizer.separator(), again.separator());
}

#[test]
fn bpe_of_little_text_has_fewer_tokens() {
    assert_eq!(Tokenizer::train_bpe(1000, ["ab ab"]).unwrap().vocab_size(), 258);
    assert_eq!(Tokenizer::train_bpe(1000, [""; 0]).unwrap().vocab_size(), 257);
}

#[test]
fn bpe_cannot_be_smaller_than_the_bytes() {
    assert_eq!(Tokenizer::train_bpe(256, texts()).unwrap_err().code(), "coec::tokenizer::vocab_too_small");
}

#[test]
fn a_word_of_two_million_letters_takes_seconds() {
    let letter = |i: u64| char::from(b'a' + (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 59) as u8 % 26);
    for word in ["a".repeat(2_000_000), (0..2_000_000).map(letter).collect()] {
        let start = Instant::now();
        let tokenizer = Tokenizer::train_bpe(400, std::slice::from_ref(&word)).unwrap();
        let ids = tokenizer.encode(&word).unwrap();
        assert!(ids.len() < word.len() / 2, "{} tokens", ids.len());
        assert_eq!(tokenizer.decode(&ids).unwrap(), word);
        // A step that took the square of its length would take hours.
        assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    }
}

#[test]
fn words_that_are_not_long_are_learned_from_as_the_library_learns() {
    use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
    use tokenizers::{TokenizerImpl, pre_tokenizers::byte_level::ByteLevel};
    let level = ByteLevel::new(false, true, true);
    let mut theirs: TokenizerImpl<
        BPE,
        tokenizers::NormalizerWrapper,
        ByteLevel,
        tokenizers::PostProcessorWrapper,
        ByteLevel,
    > = TokenizerImpl::new(BPE::default());
    theirs.with_pre_tokenizer(Some(level)).with_decoder(Some(level));
    let mut trainer = BpeTrainerBuilder::new()
        .vocab_size(400)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![tokenizers::AddedToken::from(SEPARATOR, true)])
        .build();
    let texts = texts();
    theirs.train(&mut trainer, texts.iter()).unwrap();
    let text = texts.concat();
    let ids = theirs.encode_fast(text.as_str(), false).unwrap().get_ids().to_vec();
    assert_eq!(bpe().encode(&text).unwrap(), ids);
}

#[test]
fn encoding_all_is_encoding_each() {
    let (tokenizer, texts) = (bpe(), texts());
    let each: Vec<_> = texts.iter().map(|text| tokenizer.encode(text).unwrap()).collect();
    let together = tokenizer.encoder().unwrap().encode(&texts).unwrap();
    assert_eq!(together.into_iter().map(|(ids, _)| ids).collect::<Vec<_>>(), each);
}

#[test]
fn decoding_agrees_with_the_tokenizers_crate() {
    let tokenizer = bpe();
    let Tokenizer::Hf(hf) = &tokenizer else { panic!() };
    let theirs = tokenizers::Tokenizer::from_bytes(hf.to_json().unwrap()).unwrap();
    let ids: Vec<u32> = (0..400).chain([5, 399, 400, 9999]).collect();
    assert_eq!(tokenizer.decode(&ids).unwrap(), theirs.decode(&ids, false).unwrap());
}

#[test]
fn a_tokenizer_that_does_not_fit_says_both_numbers() {
    Tokenizer::Bytes.check_fits(256).unwrap();
    let error = Tokenizer::Bytes.check_fits(255).unwrap_err();
    assert_eq!(error.code(), "coec::tokenizer::does_not_fit");
    assert_eq!(error.to_string(), "the tokenizer has 256 tokens, and the model a vocabulary of 255");
}

#[test]
fn numbers_with_holes_count_up_to_the_largest() {
    assert_eq!(load_json(WORDS).unwrap().vocab_size(), 10);
}

#[test]
fn truncation_and_padding_are_off() {
    let ids = load_json(WORDS).unwrap().encode("one twos three").unwrap();
    assert_eq!(ids, [3, 4, 5, 9]);
}

#[test]
fn the_usual_names_of_the_separator_are_known() {
    assert_eq!(load_json(WORDS).unwrap().separator(), Some(2));
    let without = WORDS.replace("[SEP]", "[CLS]");
    assert_eq!(load_json(&without).unwrap().separator(), None);
}

#[test]
fn dropout_is_off() {
    let Tokenizer::Hf(tokenizer) = bpe() else { panic!() };
    let random = tokenizer.to_json().unwrap().replace("\"dropout\": null", "\"dropout\": 0.9");
    let tokenizer = load_json(&random).unwrap();
    let text = texts().concat();
    assert_eq!(tokenizer.encode(&text).unwrap(), tokenizer.encode(&text).unwrap());
}

#[test]
fn words_stream_with_their_spaces() {
    let tokenizer = load_json(WORDS).unwrap();
    let ids = [3, 4, 5, 9, 3];
    assert_eq!(tokenizer.decode(&ids).unwrap(), "one twos three one");
    assert_eq!(stream(&tokenizer, &ids), "one twos three one");
}

#[test]
fn an_incomplete_character_is_held_back() {
    let tokenizer = Tokenizer::Bytes;
    let mut decoder = tokenizer.decoder();
    assert_eq!(decoder.push(0xC3).unwrap(), "");
    assert_eq!(decoder.push(0xA9).unwrap(), "é");
    assert_eq!(decoder.push(0xC3).unwrap(), "");
    assert_eq!(decoder.finish().unwrap(), "\u{FFFD}");
}

#[test]
fn a_file_that_is_no_tokenizer_is_named() {
    for json in
        ["", "{}", "[]", "{\"model\": 3}", "\u{0}", "{\"version\": \"1.0\", \"model\": {\"type\": \"BPE\"}}"]
    {
        let error = load_json(json).unwrap_err();
        assert_eq!(error.code(), "coec::tokenizer::invalid", "{json}");
        assert!(error.to_string().contains("tokenizer.json"));
    }
}

#[test]
fn deep_nesting_is_no_tokenizer() {
    assert_eq!(load_json(&"[".repeat(1 << 20)).unwrap_err().code(), "coec::tokenizer::invalid");
}

#[test]
fn a_missing_file_is_unreadable() {
    let error = Tokenizer::load(Path::new("no/such/tokenizer.json")).unwrap_err();
    assert_eq!(error.code(), "coec::tokenizer::unreadable");
}

#[test]
fn a_huge_file_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    File::create(&path).unwrap().set_len(LARGEST_FILE + 1).unwrap();
    assert_eq!(Tokenizer::load(&path).unwrap_err().code(), "coec::tokenizer::too_large");
}

#[test]
fn what_makes_the_library_panic_is_an_error() {
    // A continuing prefix longer than the token it should be cut from.
    let json = json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "continuing_subword_prefix": "####", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]}
    });
    assert_eq!(load_json(&json.to_string()).unwrap_err().code(), "coec::tokenizer::invalid");
}

#[test]
fn a_number_beyond_all_vocabularies_is_refused() {
    let json = WORDS.replace("\"three\": 9", "\"three\": 4294967295");
    assert_eq!(load_json(&json).unwrap_err().code(), "coec::tokenizer::invalid");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_lose_nothing(text in any::<String>()) {
        let ids = Tokenizer::Bytes.encode(&text).unwrap();
        prop_assert_eq!(&Tokenizer::Bytes.decode(&ids).unwrap(), &text);
        prop_assert_eq!(stream(&Tokenizer::Bytes, &ids), text);
    }

    #[test]
    fn bpe_loses_nothing(texts in prop::collection::vec(any::<String>(), 8)) {
        let tokenizer = Tokenizer::train_bpe(300, &texts).unwrap();
        for text in texts {
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), &text);
            prop_assert_eq!(stream(&tokenizer, &ids), text);
        }
    }

    #[test]
    fn any_tokens_stream_to_their_text(ids in prop::collection::vec(0u32..420, 0..60)) {
        let tokenizer = Tokenizer::train_bpe(400, ["äöü äöü 漢字 漢字 漢字"]).unwrap();
        prop_assert_eq!(stream(&tokenizer, &ids), tokenizer.decode(&ids).unwrap());
    }

    #[test]
    fn a_damaged_file_loads_or_is_an_error(cut in 0usize..4000, at in 0usize..4000, byte: u8) {
        let mut json = WORDS.as_bytes().to_vec();
        let at = at % json.len();
        json[at] = byte;
        json.truncate(json.len().saturating_sub(cut / 20));
        if let Ok(tokenizer) = Tokenizer::from_json(&json, Companions::default()) {
            let _ = tokenizer.encode("one two three");
        }
    }
}
