//! `train`: data, tokenizer, optimizer, schedule.

use std::path::PathBuf;
use std::sync::Arc;

use coec_ir::table::{MODEL, TRAIN};
use coec_ir::{Train, verify_train};

use super::block::OfModel;
use super::{Cx, Edits};
use crate::ast::{Field, Value};
use crate::error::ResolveError;
use crate::source::{Sources, Span};
use crate::unit::Unit;

/// A training block before its words are given meaning.
#[derive(Debug, Clone)]
pub(crate) struct TrainDraft {
    /// The block in its file; `None` when there are only settings, or nothing at all.
    pub block: Option<(Arc<Unit>, usize)>,
    /// New values of the fields of [`TRAIN`].
    pub edits: Edits,
    /// Where messages about defaults point.
    pub at: Span,
}

/// Where relative paths of a training block start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases {
    /// The folder of `data`'s files.
    pub data: PathBuf,
    /// The folder of the tokenizer's file.
    pub tokenizer: PathBuf,
}

impl TrainDraft {
    /// No block: everything takes its default.
    pub fn empty(at: Span) -> Self {
        Self { block: None, edits: Edits::default(), at }
    }

    /// Whether anything is said about training at all.
    pub fn is_explicit(&self) -> bool {
        self.block.is_some() || !self.edits.is_empty()
    }

    /// Whether some of the block could not be read.
    fn is_broken(&self) -> bool {
        self.block.as_ref().is_some_and(|(unit, index)| unit.trains[*index].broken)
    }

    fn fields(&self) -> &[Field] {
        self.block.as_ref().map_or(&[], |(unit, index)| &unit.trains[*index].fields)
    }

    /// Whether the block itself has a field.
    pub fn has(&self, name: &str) -> bool {
        self.fields().iter().any(|field| field.name.text == name)
    }

    /// The value of a field.
    pub fn value(&self, position: usize) -> Option<&Value> {
        if let Some(edited) = self.edits.get(position) {
            return edited;
        }
        let name = TRAIN.fields[position].name;
        let mut fields = self.fields().iter().rev();
        fields.find(|field| field.name.text == name).map(|field| &field.value)
    }

    /// Where relative paths start: the folder of the text that names them.
    pub fn bases(&self, sources: &Sources) -> Bases {
        let base = |name| {
            let value = TRAIN.position(name).and_then(|position| self.value(position));
            value.map(|value| sources.get(value.span.source).dir.clone()).unwrap_or_default()
        };
        Bases { data: base("data"), tokenizer: base("tokenizer") }
    }
}

impl<'a> Cx<'a> {
    /// The training block of a draft, verified against the vocabulary and the context of the model
    /// it trains, as far as errors in the model leave them known.
    pub fn train<'v>(
        &mut self,
        draft: &'v TrainDraft,
        vocab: Option<usize>,
        context: Option<usize>,
    ) -> Option<Train>
    where
        'a: 'v,
    {
        let mut args: Vec<Option<&'v Value>> = vec![None; TRAIN.fields.len()];
        let mut lost = Vec::new();
        let mut first: Vec<Option<Span>> = vec![None; TRAIN.fields.len()];
        self.spend(draft.fields().len(), draft.at)?;
        for field in draft.fields() {
            let name = &field.name;
            let Some(position) = TRAIN.position(&name.text) else {
                let note = MODEL
                    .position(&name.text)
                    .map(|_| format!("`{}` stands in `model NAME {{ }}`", name.text));
                lost.extend(self.unknown_field(&TRAIN, &name.text, name.span, note));
                continue;
            };
            if let Some(index) = &field.index {
                self.found.push(ResolveError::NotPerLayer { field: name.text.clone(), at: index.span });
                continue;
            }
            if let Some(first) = first[position].replace(name.span) {
                let name_text = name.text.clone();
                self.found.push(ResolveError::DuplicateField { name: name_text, first, at: name.span });
            }
            args[position] = Some(&field.value);
        }
        if draft.is_broken() {
            // Any field may be in the text that could not be read.
            lost.extend(0..TRAIN.fields.len());
        }
        draft.edits.apply(&mut args);
        let call = self.braces(&TRAIN, draft.at, args, lost);
        let of_model = OfModel { context, ..OfModel::default() };
        let train = self.verified(&call, TRAIN.word, of_model, |train| verify_train(train, vocab, context));
        train.filter(|_| !draft.is_broken())
    }
}
