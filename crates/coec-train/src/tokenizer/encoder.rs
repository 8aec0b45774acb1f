//! Many texts into tokens on all cores, and how much of them no token stands for.

use serde_json::{Value, json};
use tokenizers::{Encoding, ModelWrapper};

use super::hf::{self, HfTokenizer, guard};
use super::{Lost, Tokenizer, TokenizerError, bytes};

/// The unknown token of a tokenizer that has none, while it is measured.
const STAND_IN: &str = "<|lost|>";

/// A [`Tokenizer`] made ready for many texts.
#[derive(Debug)]
pub struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    loses: Loses,
}

/// How it is found out what a tokenizer loses.
#[derive(Debug)]
enum Loses {
    /// It loses nothing.
    Nothing,
    /// Its tokens have places in the text, all but the unknown one.
    Unknown(Option<u32>),
    /// Tokens of another one have, which is the same but for an unknown token.
    WithStandIn(Box<tokenizers::Tokenizer>, u32),
}

impl<'a> Encoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Result<Self, TokenizerError> {
        let loses = match tokenizer {
            Tokenizer::Hf(own) if !knows_every_byte(own.inner()) => {
                loses(own).map_err(|reason| TokenizerError::Encode { reason })?
            }
            _ => Loses::Nothing,
        };
        Ok(Self { tokenizer, loses })
    }

    /// What it encodes for.
    pub fn tokenizer(&self) -> &'a Tokenizer {
        self.tokenizer
    }

    /// The tokens of each text, in order, and what they lose of it. All of them are in memory at once, with
    /// some 25 times the bytes of the texts.
    pub fn encode(&self, texts: &[String]) -> Result<Vec<(Vec<u32>, Lost)>, TokenizerError> {
        let own = match self.tokenizer {
            Tokenizer::Bytes => {
                let ids = |text: &String| text.bytes().map(u32::from).collect();
                return Ok(texts.iter().map(|text| (ids(text), nothing(text))).collect());
            }
            Tokenizer::Hf(own) => own.inner(),
        };
        self.encode_by(own, texts).map_err(|reason| TokenizerError::Encode { reason })
    }

    fn encode_by(
        &self,
        own: &tokenizers::Tokenizer,
        texts: &[String],
    ) -> Result<Vec<(Vec<u32>, Lost)>, String> {
        let inputs = || texts.iter().map(String::as_str).collect::<Vec<_>>();
        let with = |encodings: &[Encoding], lost: Vec<Lost>| {
            encodings.iter().map(|encoding| encoding.get_ids().to_vec()).zip(lost).collect()
        };
        let lost = |encodings: &[Encoding], unknown| {
            texts.iter().zip(encodings).map(|(text, encoding)| lost(text, encoding, unknown)).collect()
        };
        Ok(match &self.loses {
            Loses::Nothing => {
                let encodings = guard(|| own.encode_batch_fast(inputs(), false))?;
                with(&encodings, texts.iter().map(|text| nothing(text)).collect())
            }
            Loses::Unknown(unknown) => {
                let encodings = guard(|| own.encode_batch(inputs(), false))?;
                with(&encodings, lost(&encodings, *unknown))
            }
            Loses::WithStandIn(other, unknown) => {
                let encodings = guard(|| own.encode_batch_fast(inputs(), false))?;
                let measured = guard(|| other.encode_batch(inputs(), false))?;
                with(&encodings, lost(&measured, Some(*unknown)))
            }
        })
    }
}

/// Nothing of `text` is lost.
fn nothing(text: &str) -> Lost {
    let characters = text.chars().filter(|char| !char.is_whitespace()).count() as u64;
    Lost { characters, ..Lost::default() }
}

/// What of `text` has no token in `encoding` but the unknown one.
fn lost(text: &str, encoding: &Encoding, unknown: Option<u32>) -> Lost {
    let mut lost = Lost::default();
    let mut is_said = vec![false; text.len()];
    for (&id, &(start, end)) in encoding.get_ids().iter().zip(encoding.get_offsets()) {
        match Some(id) == unknown {
            true => lost.unknown_tokens += 1,
            false => is_said.get_mut(start..end).into_iter().for_each(|said| said.fill(true)),
        }
    }
    for (at, char) in text.char_indices().filter(|(_, char)| !char.is_whitespace()) {
        lost.characters += 1;
        lost.lost_characters += u64::from(!is_said[at..at + char.len_utf8()].contains(&true));
    }
    lost
}

/// Whether every text has tokens: byte-level ones, and nothing before them that takes text away.
fn knows_every_byte(tokenizer: &tokenizers::Tokenizer) -> bool {
    let kinds = |value: Result<Value, _>| value.map(|value| value.to_string()).unwrap_or_default();
    let (normalizer, cut) = (
        kinds(serde_json::to_value(tokenizer.get_normalizer())),
        kinds(serde_json::to_value(tokenizer.get_pre_tokenizer())),
    );
    let keeps = !["Removed", "Whitespace", "BertPreTokenizer", "CharDelimiterSplit"]
        .iter()
        .any(|kind| cut.contains(kind));
    keeps
        && cut.contains("ByteLevel")
        && (normalizer == "null" || normalizer.contains("\"NFC\"") && !normalizer.contains("Sequence"))
        && bytes::characters().all(|char| tokenizer.token_to_id(&char.to_string()).is_some())
}

/// What tells the tokens of text from those that stand for none.
///
/// BPE without an unknown token says nothing of what it leaves out, and counts the places of what follows
/// wrong.
fn loses(tokenizer: &HfTokenizer) -> Result<Loses, String> {
    let own = tokenizer.inner();
    let id = |name: &str| Loses::Unknown(own.token_to_id(name));
    Ok(match own.get_model() {
        ModelWrapper::BPE(model) => match model.get_unk_token() {
            Some(unknown) => id(unknown),
            None => {
                let mut json: Value =
                    serde_json::from_str(&tokenizer.to_json()?).map_err(|error| error.to_string())?;
                let stand_in = tokenizer.vocab_size();
                json["model"]["unk_token"] = json!(STAND_IN);
                json["model"]["vocab"][STAND_IN] = json!(stand_in);
                let made = hf::parse(json.to_string().as_bytes())?;
                Loses::WithStandIn(Box::new(made), stand_in as u32)
            }
        },
        ModelWrapper::WordPiece(model) => id(&model.unk_token),
        ModelWrapper::WordLevel(model) => id(&model.unk_token),
        ModelWrapper::Unigram(model) => {
            let settings = serde_json::to_value(model).map_err(|error| error.to_string())?;
            Loses::Unknown(settings["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok()))
        }
    })
}
