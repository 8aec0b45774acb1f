//! All sources of a training.

use std::ops::ControlFlow;
use std::path::Path;

use coec_ir::{Data, Loss, OnError, Sources};

use super::DataError;
use super::progress::{Counter, Progress};
use super::source::{OPENINGS, Source, Survey};
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
    pub fn open(
        data: &Sources,
        on_error: OnError,
        base: &Path,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Self, DataError> {
        let mut before = 0;
        let open = |data: &Data| {
            let mut source = Source::open(data, base, on_error)?;
            let survey = source.survey(&mut |done| tell(Progress::Reading { done: before + done }))?;
            before += survey.bytes;
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
    pub fn tokenised(
        &self,
        tokenizer: &Tokenizer,
        loss: Loss,
        whole: bool,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<Vec<[Tokens; 2]>, DataError> {
        let (mut done, of) = (0, self.bytes());
        let tell = &mut |bytes| {
            done += bytes;
            tell(Progress::Tokenising { done, of });
        };
        let tokenizer_json = tokenizer.to_json()?;
        let tokens_of = |(source, survey)| {
            let making = Making { source, survey, tokenizer, tokenizer_json: &tokenizer_json, loss, whole };
            tokenised(making, tell)
        };
        self.sources.iter().map(|(source, survey)| (source, survey)).map(tokens_of).collect()
    }

    /// What `learn` makes of the texts that are learnt from, which come one after the other.
    pub fn learnt_by<T: Send>(
        &self,
        learn: impl FnOnce(&mut (dyn Iterator<Item = String> + Send)) -> T + Send,
        tell: &mut dyn FnMut(Progress),
    ) -> Result<T, DataError> {
        let of = self.bytes();
        let tell = &mut |done| tell(Progress::Learning { done, of });
        let mut counter = Counter::new(tell);
        std::thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::sync_channel(WAITING);
            let learner = scope.spawn(move || learn(&mut receive.into_iter()));
            // The learner may have enough.
            for (source, survey) in &self.sources {
                source.read(survey, false, &mut |piece| {
                    let is_wanted = piece.is_held_out || send.send(piece.text.to_owned()).is_ok();
                    counter.add(piece.text.len());
                    Ok(if is_wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
                })?;
            }
            drop(send);
            learner.join().map_err(|_| DataError::Learner)
        })
    }

    /// The beginnings of the first held-out documents, each a prompt.
    pub fn openings(&self) -> Vec<String> {
        let all = self.sources.iter().flat_map(|(_, survey)| &survey.openings);
        all.take(OPENINGS).cloned().collect()
    }
}
