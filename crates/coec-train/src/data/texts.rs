//! All sources of a training.

use std::path::Path;

use coec_ir::{Data, Loss, OnError, Sources};

use super::DataError;
use super::source::{Piece, Source, Survey};
use super::store::{Making, Tokens, tokenised};
use crate::fingerprint::{Fingerprint, Fingerprinter};
use crate::tokenizer::Tokenizer;

/// The sources that a spec names, each read once.
#[derive(Debug, Clone)]
pub struct Texts {
    sources: Vec<(Source, Survey)>,
}

/// Texts that wait for a tokenizer to learn from them.
const WAITING: usize = 64;

impl Texts {
    /// Finds and reads the sources of `data`, their paths relative to `base`.
    pub fn open(data: &Sources, on_error: OnError, base: &Path) -> Result<Self, DataError> {
        let open = |data: &Data| {
            let mut source = Source::open(data, base, on_error)?;
            let survey = source.survey()?;
            Ok((source, survey))
        };
        Ok(Self { sources: data.0.iter().map(open).collect::<Result<_, DataError>>()? })
    }

    /// Of all documents, in their order.
    pub fn fingerprint(&self) -> Fingerprint {
        if let [(_, survey)] = self.sources.as_slice() {
            return survey.fingerprint.clone();
        }
        let mut made = Fingerprinter::default();
        for (_, survey) in &self.sources {
            made.mark(survey.bytes as usize);
            made.add(survey.fingerprint.xxh3.as_bytes());
        }
        Fingerprint { bytes: self.bytes(), ..made.finish() }
    }

    /// Bytes of text.
    pub fn bytes(&self) -> u64 {
        self.sources.iter().map(|(_, survey)| survey.bytes).sum()
    }

    /// Documents.
    pub fn documents(&self) -> u64 {
        self.sources.iter().map(|(_, survey)| survey.documents).sum()
    }

    /// What was found out about the data that a reader should know.
    pub fn notes(&self) -> Vec<String> {
        let forms = self.sources.iter().filter_map(|(source, survey)| {
            survey.form.as_ref().map(|form| format!("records of {} by {form}", source.name()))
        });
        let skipped = self.sources.iter().filter(|(_, survey)| survey.skipped > 0).map(|(source, survey)| {
            format!("{} broken records of {} are left out", survey.skipped, source.name())
        });
        forms.chain(skipped).collect()
    }

    /// The template that records of a source were found to have.
    pub fn template(&self, source: usize) -> Option<String> {
        self.sources.get(source).and_then(|(source, _)| source.template())
    }

    /// The tokens of each source: what is learnt from, and what is held out; with `whole`, nothing is.
    /// `tell` hears of the bytes of text as they become tokens.
    pub fn tokenised(
        &self,
        tokenizer: &Tokenizer,
        loss: Loss,
        whole: bool,
        tell: &mut dyn FnMut(u64),
    ) -> Result<Vec<[Tokens; 2]>, DataError> {
        let tokenizer_json = tokenizer.to_json()?;
        let of = |(source, survey)| {
            let making = Making { source, survey, tokenizer, tokenizer_json: &tokenizer_json, loss, whole };
            tokenised(making, tell)
        };
        self.sources.iter().map(|(source, survey)| (source, survey)).map(of).collect()
    }

    /// Hands over the pieces of what is learnt from, or of what is held out, until `take` says no.
    fn each_text(
        &self,
        is_held_out: bool,
        take: &mut dyn FnMut(&Piece<'_>) -> bool,
    ) -> Result<(), DataError> {
        for (source, survey) in &self.sources {
            let mut goes_on = true;
            source.read(survey, false, &mut |piece| {
                if goes_on && piece.is_held_out == is_held_out {
                    goes_on = take(&piece);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// What `learn` makes of the texts that are learnt from, which come one after the other.
    pub fn learnt_by<T: Send>(
        &self,
        learn: impl FnOnce(&mut (dyn Iterator<Item = String> + Send)) -> T + Send,
    ) -> Result<T, DataError> {
        std::thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::sync_channel(WAITING);
            let learner = scope.spawn(move || learn(&mut receive.into_iter()));
            // The learner may have enough.
            self.each_text(false, &mut |piece| send.send(piece.text.to_owned()).is_ok())?;
            drop(send);
            learner.join().map_err(|_| DataError::Learner)
        })
    }

    /// The beginnings of the first held-out documents, each a prompt.
    pub fn openings(&self, count: usize) -> Result<Vec<String>, DataError> {
        let mut openings = Vec::new();
        let mut begins = true;
        self.each_text(true, &mut |piece| {
            if std::mem::replace(&mut begins, piece.ends) {
                openings.push(opening(piece.text));
            }
            openings.len() < count
        })?;
        openings.truncate(count);
        Ok(openings)
    }
}

/// The first line of a document, or as much of it as makes a prompt.
fn opening(document: &str) -> String {
    match document.split_once('\n') {
        Some((first, _)) if first.chars().count() <= 200 => format!("{first}\n"),
        _ => document.chars().take(80).collect(),
    }
}
