//! `train`: data, tokenizer, optimizer, schedule.

use std::path::PathBuf;
use std::sync::Arc;

use coec_ir::{
    Act, AdamW, Attention, Data, Dense, Eval, Ffn, Layer, Mla, Model, Rms, Rope, Schedule, ScheduleShape,
    Stack, Tokenizer, Tokens, Train, bounds, verify_train,
};

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

/// A model that every training block fits.
fn any_model() -> Model {
    let dense = Ffn::Dense(Dense { hidden: 1, act: Act::Swiglu });
    let rope = Rope::Rope { theta: 1.0 };
    let mla = Mla { heads: 1, kv_rank: 1, q_rank: None, nope: 1, rope_dim: 2, value: 1, rope };
    let layer = Layer { attention: Attention::Mla(mla), ffn: dense };
    Model {
        name: String::new(),
        doc: String::new(),
        vocab: bounds::VOCAB.max as usize,
        context: bounds::CONTEXT.max as usize,
        dim: 1,
        norm: Rms { eps: 1.0 },
        embedding: Tokens { tied: true },
        layers: Stack::repeat(layer, 1),
    }
}

impl<'a> Cx<'a> {
    /// The training block of a draft, verified against the model it trains. Without
    /// one, because the model has errors of its own, what can be checked still is.
    pub fn train<'v>(&mut self, draft: &'v TrainDraft, model: Option<&Model>) -> Option<Train>
    where
        'a: 'v,
    {
        let before = self.found.count();
        let mut args: Vec<Option<&'v Value>> = vec![None; TRAIN.fields.len()];
        let mut first: Vec<Option<Span>> = vec![None; TRAIN.fields.len()];
        self.spend(draft.fields().len(), draft.at)?;
        for field in draft.fields() {
            let name = &field.name;
            let Some(position) = TRAIN.position(&name.text) else {
                let note = schema::MODEL
                    .position(&name.text)
                    .map(|_| format!("`{}` stands in `model NAME {{ }}`", name.text));
                self.unknown_field(&TRAIN, &name.text, name.span, note);
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
        draft.edits.apply(&mut args);
        let call = self.braces(&TRAIN, draft.at, args);

        let data = self.data(&call);
        let tokenizer = self.tokenizer(&call);
        let steps = self.count(&call, "steps");
        let batch = self.count(&call, "batch");
        let context = self.count_if_given(&call, "context");
        let accumulate = self.count(&call, "accumulate");
        let optimizer = self.optimizer(&call);
        let schedule = self.schedule(&call);
        let precision = self.word(&call, "precision");
        let seed = self.count(&call, "seed");
        let eval = self.eval(&call);
        if self.found.count() > before {
            return None;
        }
        let any;
        let model = match model {
            Some(model) => model,
            None => {
                any = any_model();
                &any
            }
        };
        let train = Train {
            data: data?,
            tokenizer: tokenizer?,
            steps: steps?,
            batch: batch?,
            context: context?.unwrap_or(model.context),
            accumulate: accumulate?,
            optimizer: optimizer?,
            schedule: schedule?,
            precision: precision?,
            seed: seed? as u64,
            eval: eval?,
        };
        let violations = verify_train(&train, model);
        if violations.is_empty() {
            return Some(train);
        }
        for violation in violations {
            self.violation(violation, TRAIN.word, None, &call);
        }
        None
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

    fn optimizer(&mut self, outer: &Call) -> Option<AdamW> {
        let call = self.block(outer, "optimizer")?;
        let lr = self.real(&call, "lr");
        let betas = self.pair(&call, "betas");
        let eps = self.real(&call, "eps");
        let weight_decay = self.real(&call, "weight_decay");
        let clip = self.real(&call, "clip");
        Some(AdamW { lr: lr?, betas: betas?, eps: eps?, weight_decay: weight_decay?, clip: clip? })
    }

    fn schedule(&mut self, outer: &Call) -> Option<Schedule> {
        let call = self.block(outer, "schedule")?;
        let warmup = self.amount(&call, "warmup");
        let shape = match call.block.word {
            "constant" => Some(ScheduleShape::Constant),
            "linear" => Some(ScheduleShape::Linear),
            "wsd" => self.amount(&call, "decay").map(|decay| ScheduleShape::Wsd { decay }),
            _ => Some(ScheduleShape::Cosine),
        };
        Some(Schedule { shape: shape?, warmup: warmup? })
    }

    fn eval(&mut self, outer: &Call) -> Option<Eval> {
        let call = self.block(outer, "eval")?;
        let every = self.count(&call, "every");
        let batches = self.count(&call, "batches");
        Some(Eval { every: every?, batches: batches? })
    }
}
