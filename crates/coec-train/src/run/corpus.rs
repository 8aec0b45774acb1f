//! The data of a training, as its tokenizer numbers it.

use coec_ir::{Model, Train, Verified};

use super::{Bases, Event};
use crate::{
    data::{Texts, Tokens},
    error::TrainError,
    run_dir::{RunDir, RunFile},
    tokenizer::{Lost, Tokenizer},
};

/// What a training learns from, and what it holds out.
pub struct Corpus {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// As a run keeps it.
    pub tokenizer_json: String,
    /// The tokens of each source that are learnt from.
    pub learned: Vec<Tokens>,
    /// Those that are held out.
    pub held_out: Vec<Tokens>,
    /// The texts themselves.
    pub texts: Texts,
}

/// Where the tokenizer of a training is from.
#[derive(Debug, Clone, Copy)]
pub enum Numbered<'a> {
    /// What the spec says: loaded, or learnt from the data.
    BySpec,
    /// What the spec says; what it would learn is learnt already, and this is its `tokenizer.json`.
    Learnt(&'a [u8]),
    /// That of a run.
    AsIn(&'a RunDir),
}

impl Corpus {
    /// Reads the data of `train`, and makes tokens of it, or finds them in the cache. `tell` hears how far that
    /// is.
    ///
    /// # Errors
    ///
    /// Data or a tokenizer that cannot be read, or that do not fit each other or the model.
    pub fn read(
        model: &Verified<Model>,
        train: &Train,
        bases: Bases<'_>,
        numbered: Numbered<'_>,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Self, TrainError> {
        let reading = &mut |progress| tell(Event::Reading(progress));
        let texts = Texts::open(&train.data, train.on_error, bases.data, reading)?;
        texts.notes().into_iter().for_each(|note| tell(Event::Note(note)));
        let (tokenizer, tokenizer_json) = match numbered {
            Numbered::AsIn(dir) => {
                (Tokenizer::load(&dir.file(RunFile::Tokenizer))?, dir.read(RunFile::Tokenizer)?)
            }
            Numbered::BySpec | Numbered::Learnt(_) => {
                let tokenizer = tokenizer(train, bases, &texts, numbered, tell)?;
                let json = tokenizer.to_json()?;
                (tokenizer, json)
            }
        };
        tokenizer.check_fits(model.vocab)?;
        let reading = &mut |progress| tell(Event::Reading(progress));
        let tokens = texts.tokenised(&tokenizer, train.loss, false, reading)?;
        let lost = tokens.as_flattened().iter().map(Tokens::lost).fold(Lost::default(), Lost::and);
        tell(Event::Lost(lost.check()?));
        let (learned, held_out) = tokens.into_iter().map(|[learned, held_out]| (learned, held_out)).unzip();
        Ok(Self { tokenizer, tokenizer_json, learned, held_out, texts })
    }
}

/// The tokenizer of a new run: named by the spec, or learnt from what is learnt from.
fn tokenizer(
    train: &Train,
    bases: Bases<'_>,
    texts: &Texts,
    numbered: Numbered<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<Tokenizer, TrainError> {
    Ok(match (&train.tokenizer, numbered) {
        (coec_ir::Tokenizer::Bytes, _) => Tokenizer::Bytes,
        (coec_ir::Tokenizer::Bpe { .. }, Numbered::Learnt(json)) => Tokenizer::learnt(json)?,
        (coec_ir::Tokenizer::Bpe { vocab }, _) => {
            let tell = &mut |progress| tell(Event::Reading(progress));
            texts.learnt_by(|texts| Tokenizer::train_bpe(*vocab, texts), tell)??
        }
        (coec_ir::Tokenizer::File { path }, _) => Tokenizer::load(&bases.tokenizer.join(path))?,
    })
}
