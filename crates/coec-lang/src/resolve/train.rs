//! `train`: data, tokenizer, optimizer, schedule.

use std::path::PathBuf;
use std::sync::Arc;

use coec_ir::{
    AdamW, Amount, Data, Eval, Precision, Save, Schedule, ScheduleShape, Tokenizer, Train, verify_train,
};

use super::gaps::Gaps;
use super::{Call, Cx, Edits};
use crate::ast::{Field, Value};
use crate::error::ResolveError;
use crate::schema::{self, TRAIN};
use crate::source::{Sources, Span};
use crate::suggest;
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

    /// The value of a field.
    pub fn value(&self, position: usize) -> Option<&Value> {
        self.edits.get(position).or_else(|| {
            let name = TRAIN.fields[position].name;
            let mut fields = self.fields().iter().rev();
            fields.find(|field| field.name.text == name).map(|field| &field.value)
        })
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
                let note = schema::MODEL
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
        let mut gaps = Gaps::default();
        let own_context = self.count_if_given(&call, "context").and_then(|given| given.or(context));
        let train = Train {
            data: gaps.or("data", self.data(&call), Data::Builtin { name: String::new() }),
            tokenizer: gaps.or("tokenizer", self.tokenizer(&call), Tokenizer::Bytes),
            steps: gaps.or("steps", self.count(&call, "steps"), 1),
            batch: gaps.or("batch", self.count(&call, "batch"), 1),
            context: gaps.or("context", own_context, 1),
            accumulate: gaps.or("accumulate", self.count(&call, "accumulate"), 1),
            optimizer: self.optimizer(&call, &mut gaps),
            schedule: self.schedule(&call, &mut gaps),
            precision: gaps.or("precision", self.word(&call, "precision"), Precision::F32),
            seed: gaps.or("seed", self.count(&call, "seed"), 0) as u64,
            eval: gaps.or("eval", self.eval(&call), Eval { every: 1, batches: 1 }),
            save: gaps.or("save", self.save(&call), Save::Every(1)),
            keep: gaps.or("keep", self.count(&call, "keep"), 1),
        };
        let violations = verify_train(&train, vocab, context);
        (self.accept(&call, TRAIN.word, violations, &gaps) && !draft.is_broken()).then_some(train)
    }

    fn data(&mut self, outer: &Call) -> Option<Data> {
        let call = self.block(outer, "data")?;
        match call.block.word {
            "text" => Some(Data::Text { glob: self.text(&call, "glob")? }),
            "jsonl" => {
                let glob = self.text(&call, "glob");
                let template = self.text(&call, "template");
                Some(Data::Jsonl { glob: glob?, template: template? })
            }
            _ => {
                let name = self.text(&call, "name")?;
                if schema::BUILTINS.contains(&name.as_str()) {
                    return Some(Data::Builtin { name });
                }
                let at = call.given("name").map_or(call.at, |value| value.span);
                self.found.push(ResolveError::UnknownWord {
                    word: suggest::shown(&name),
                    what: "built-in data set".into(),
                    suggestion: suggest::nearest(&name, schema::BUILTINS.iter().copied()).map(str::to_string),
                    candidates: schema::BUILTINS.iter().map(|name| (*name).to_string()).collect(),
                    at,
                });
                None
            }
        }
    }

    fn tokenizer(&mut self, outer: &Call) -> Option<Tokenizer> {
        let call = self.block(outer, "tokenizer")?;
        Some(match call.block.word {
            "bpe" => Tokenizer::Bpe { vocab: self.count(&call, "vocab")? },
            "file" => Tokenizer::File { path: self.text(&call, "path")? },
            _ => Tokenizer::Bytes,
        })
    }

    fn optimizer(&mut self, outer: &Call, gaps: &mut Gaps) -> AdamW {
        let Some(call) = self.block(outer, "optimizer") else {
            let none = AdamW { lr: 0.0, betas: [0.0; 2], eps: 1.0, weight_decay: 0.0, clip: 0.0 };
            return gaps.or("optimizer", None, none);
        };
        AdamW {
            lr: gaps.or("optimizer.lr", self.real(&call, "lr"), 0.0),
            betas: gaps.or("optimizer.betas", self.pair(&call, "betas"), [0.0; 2]),
            eps: gaps.or("optimizer.eps", self.real(&call, "eps"), 1.0),
            weight_decay: gaps.or("optimizer.weight_decay", self.real(&call, "weight_decay"), 0.0),
            clip: gaps.or("optimizer.clip", self.real(&call, "clip"), 0.0),
        }
    }

    fn schedule(&mut self, outer: &Call, gaps: &mut Gaps) -> Schedule {
        let none = Amount::Steps(0);
        let Some(call) = self.block(outer, "schedule") else {
            return gaps.or("schedule", None, Schedule { shape: ScheduleShape::Constant, warmup: none });
        };
        let warmup = gaps.or("schedule.warmup", self.amount(&call, "warmup"), none);
        let shape = match call.block.word {
            "constant" => ScheduleShape::Constant,
            "linear" => ScheduleShape::Linear,
            "wsd" => {
                ScheduleShape::Wsd { decay: gaps.or("schedule.decay", self.amount(&call, "decay"), none) }
            }
            _ => ScheduleShape::Cosine,
        };
        Schedule { shape, warmup }
    }

    fn eval(&mut self, outer: &Call) -> Option<Eval> {
        let call = self.block(outer, "eval")?;
        let every = self.count(&call, "every");
        let batches = self.count(&call, "batches");
        Some(Eval { every: every?, batches: batches? })
    }
    fn save(&mut self, outer: &Call) -> Option<Save> {
        let call = self.block(outer, "save")?;
        match call.block.word {
            "every" => self.count(&call, "steps").map(Save::Every),
            _ => self.real(&call, "minutes").map(Save::Minutes),
        }
    }
}
