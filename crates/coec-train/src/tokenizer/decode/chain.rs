//! The steps of a decoder, one behind the other.

use serde_json::Value;
use tokenizers::decoders::DecoderWrapper;

use super::alone::Alone;
use super::bpe::EndOfWord;
use super::byte_fallback::ByteFallback;
use super::byte_level::ByteLevel;
use super::ctc::Ctc;
use super::fuse::{Fuse, Spaced};
use super::literal::Literal;
use super::metaspace::Metaspace;
use super::stage::{Part, Stage};
use super::strip::Strip;

/// All steps of a decoder.
#[derive(Debug)]
pub(super) struct Chain(Vec<Box<dyn Stage>>);

impl Chain {
    /// The steps of `decoder`; without one there are spaces between tokens.
    pub fn new(decoder: Option<&DecoderWrapper>) -> Self {
        let mut stages = Vec::new();
        match decoder {
            Some(decoder) => add(decoder, &mut stages),
            None => stages.push(Box::<Spaced>::default() as Box<dyn Stage>),
        }
        Self(stages)
    }

    /// The text that a token completes.
    pub fn push(&mut self, token: String) -> Result<String, String> {
        self.text(vec![Part::whole(token)], false)
    }

    /// What was held back.
    pub fn finish(mut self) -> Result<String, String> {
        self.text(Vec::new(), true)
    }

    /// The text that `parts`, and the end if it is there, come to.
    fn text(&mut self, mut parts: Vec<Part>, end: bool) -> Result<String, String> {
        for stage in &mut self.0 {
            let mut next = Vec::with_capacity(parts.len());
            for part in parts {
                stage.push(part, &mut next)?;
            }
            if end {
                stage.finish(&mut next)?;
            }
            parts = next;
        }
        Ok(parts.into_iter().map(|part| part.text).collect())
    }
}

fn add(decoder: &DecoderWrapper, stages: &mut Vec<Box<dyn Stage>>) {
    stages.push(match decoder {
        DecoderWrapper::Sequence(sequence) => {
            return sequence.get_decoders().iter().for_each(|decoder| add(decoder, stages));
        }
        DecoderWrapper::BPE(bpe) => Box::new(EndOfWord::new(bpe.suffix.clone())),
        DecoderWrapper::ByteLevel(_) => Box::<ByteLevel>::default(),
        DecoderWrapper::ByteFallback(_) => Box::<ByteFallback>::default(),
        DecoderWrapper::CTC(ctc) => Box::new(Ctc::new(ctc.clone())),
        DecoderWrapper::Fuse(_) => Box::<Fuse>::default(),
        DecoderWrapper::Metaspace(metaspace) => Box::new(Metaspace::new(metaspace)),
        DecoderWrapper::Strip(strip) => Box::new(Strip::new(strip.content, strip.start, strip.stop)),
        DecoderWrapper::WordPiece(_) => Box::new(Alone::new(decoder.clone())),
        DecoderWrapper::Replace(replace) => match literal(decoder) {
            Some(pattern) => Box::new(Literal::new(pattern, replace.content.clone())),
            None => Box::new(Alone::new(decoder.clone())),
        },
    });
}

/// What a `Replace` looks for, where that is a text and not a regular expression.
fn literal(replace: &DecoderWrapper) -> Option<String> {
    let replace: Value = serde_json::to_value(replace).ok()?;
    let pattern = replace["pattern"]["String"].as_str()?;
    (!pattern.is_empty()).then(|| pattern.to_owned())
}
