//! Learning byte-level BPE.

use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::tokenizer::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Trainer};
use tokenizers::{AddedToken, DecoderWrapper, PreTokenizerWrapper, TokenizerImpl};

use coec_store::folder::Companions;

use super::hf::{HfTokenizer, guard};
use super::{SEPARATOR, TokenizerError};

/// Bytes of a word that are learned from together. The library's trainer takes a word's length squared;
/// encoding takes as long as the text, and cuts no word.
pub(super) const LONGEST_WORD: usize = 512;

/// The fewest tokens there can be: the bytes and the separator.
const LEAST: usize = 257;

/// Learns byte-level BPE from `texts`: the same tokens from the same texts.
pub(super) fn byte_level_bpe(
    vocab: usize,
    texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
) -> Result<HfTokenizer, TokenizerError> {
    if vocab < LEAST {
        return Err(TokenizerError::VocabTooSmall { vocab, least: LEAST });
    }
    guard(|| learned(vocab, texts))
        .and_then(|json| HfTokenizer::new(&json, Companions::default()))
        .map_err(|reason| TokenizerError::Training { reason })
}

/// The `tokenizer.json` that is learned.
fn learned(
    vocab: usize,
    texts: impl Iterator<Item = impl AsRef<str> + Send> + Send,
) -> tokenizers::Result<String> {
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(SEPARATOR, true)])
        .build();
    let level = ByteLevel::new(false, true, true);
    trainer.feed(texts, |text| words(level, text))?;
    let mut model = BPE::default();
    let special = trainer.train(&mut model)?;
    let mut tokenizer: TokenizerImpl<
        BPE,
        NormalizerWrapper,
        PreTokenizerWrapper,
        PostProcessorWrapper,
        DecoderWrapper,
    > = TokenizerImpl::new(model);
    tokenizer.with_pre_tokenizer(Some(level)).with_decoder(Some(level));
    tokenizer.add_special_tokens(&special);
    tokenizer.to_string(false)
}

/// The words of a text, long ones in pieces.
fn words(level: ByteLevel, text: &str) -> tokenizers::Result<Vec<String>> {
    let mut split = PreTokenizedString::from(text);
    level.pre_tokenize(&mut split)?;
    let words = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(words.into_iter().flat_map(|(word, _, _)| pieces(word)).collect())
}

fn pieces(word: &str) -> Vec<String> {
    // Each character is a byte here.
    let chars: Vec<char> = word.chars().collect();
    chars.chunks(LONGEST_WORD).map(|piece| piece.iter().collect()).collect()
}
