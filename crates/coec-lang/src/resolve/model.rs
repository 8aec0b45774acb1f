//! `model`: the fields of a model and those it extends, put together.

use coec_ir::table::{self, ATTENTION, Block, FFN, LOOP, MODEL, Tabled};
use coec_ir::{
    Attention, Ffn, Layer, Loop, Model, Place, Stack, Verified, Violation, ViolationKind, bounds,
    verify_head, verify_loops,
};

use super::block::OfModel;
use super::gaps::Gaps;
use super::locate::{Located, locate};
use super::{Call, Cx, Edits, home_of_field};
use crate::ast::{Field, IndexKind, Number, Value, ValueKind};
use crate::error::{ResolveError, VerifyError};
use crate::scopes::ModelRef;
use crate::source::Span;

/// A model before its words are given meaning: its ancestors, and what `--set` changed.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The root first, the model itself last. Never empty.
    pub chain: Vec<ModelRef>,
    /// New values of the fields of [`MODEL`].
    pub edits: Edits,
    /// Whether it extends something that could not be read, so that its fields are not all known.
    orphaned: bool,
}

impl Draft {
    /// A model without changes.
    pub fn new(chain: Vec<ModelRef>) -> Self {
        Self { chain, edits: Edits::default(), orphaned: false }
    }

    /// A model that extends something which could not be read.
    pub fn orphan(model: ModelRef) -> Self {
        Self { orphaned: true, ..Self::new(vec![model]) }
    }

    /// The model itself.
    pub fn own(&self) -> &ModelRef {
        &self.chain[self.chain.len() - 1]
    }

    /// Where the model is declared.
    pub fn at(&self) -> Span {
        self.own().model().name.span
    }

    /// The value of a field, that of the nearest ancestor that gives one.
    pub fn value(&self, position: usize) -> Option<&Value> {
        if let Some(edited) = self.edits.get(position) {
            return edited;
        }
        let name = MODEL.fields[position].name;
        let mut fields = self.chain.iter().rev().flat_map(|model| model.model().fields.iter().rev());
        fields.find(|field| field.index.is_none() && field.name.text == name).map(|field| &field.value)
    }

    /// The feed-forward block that layers have unless an override says otherwise.
    pub fn ffn(&self) -> Option<&Value> {
        self.value(MODEL.position(FFN)?)
    }
}

/// What became of a draft.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The model, if nothing is wrong with it.
    pub model: Option<Verified<Model>>,
    /// Its vocabulary, if that is known.
    pub vocab: Option<usize>,
    /// Its context, if that is known.
    pub context: Option<usize>,
}

/// The fields of a model that hold for all of it, right or wrong.
struct Head {
    block: Block,
    gaps: Gaps,
    wrong: Vec<String>,
}

impl Head {
    /// A whole number, if it is known and right.
    fn count(&self, name: &str) -> Option<usize> {
        let is_known = !self.gaps.holds(name) && self.wrong.iter().all(|path| path != name);
        let value = self.block.fields().find(|(field, _)| *field == name).map(|(_, value)| value);
        match value {
            Some(table::Value::Count(n)) if is_known => Some(*n),
            _ => None,
        }
    }
}

/// `ffn[...] = ...` or `loop[...] = ...`, with how near to the model itself it stands.
pub(super) struct Override<'v> {
    pub level: usize,
    pub field: &'v Field,
}

/// Fields with an index.
#[derive(Default)]
struct Indexed<'v> {
    attentions: Vec<Override<'v>>,
    ffns: Vec<Override<'v>>,
    loops: Vec<Override<'v>>,
}

/// What every layer has, by its index among the overrides; `None` for the base.
pub(super) type Choice = Vec<Option<usize>>;

impl<'a> Cx<'a> {
    /// The model of a draft, as far as it has a meaning.
    pub fn model<'v>(&mut self, draft: &'v Draft) -> Resolved
    where
        'a: 'v,
    {
        self.resolve(draft).unwrap_or_default()
    }

    fn resolve<'v>(&mut self, draft: &'v Draft) -> Option<Resolved>
    where
        'a: 'v,
    {
        let before = self.found.count();
        let mut args: Vec<Option<&'v Value>> = vec![None; MODEL.fields.len()];
        let mut indexed = Indexed::default();
        let mut lost = Vec::new();
        for (level, model) in draft.chain.iter().enumerate() {
            let fields = &model.model().fields;
            if level + 1 < draft.chain.len() {
                // Layers that differ are the costly part of a model.
                let overrides = fields.iter().filter(|field| field.index.is_some()).count();
                self.spend(fields.len() + 8 * overrides, draft.at())?;
            }
            self.fields(level, fields, &mut args, &mut indexed, &mut lost);
        }
        let Indexed { attentions, ffns, loops } = indexed;
        let broken = draft.orphaned || draft.chain.iter().any(|model| model.model().broken);
        if broken {
            // Any field may be in the text that could not be read.
            lost.extend(0..MODEL.fields.len());
        }
        draft.edits.apply(&mut args);
        let call = self.braces(&MODEL, draft.at(), args, lost);

        let head = self.head(&call);
        let [vocab, context, dim, layers] =
            ["vocab", "context", "dim", "layers"].map(|name| head.count(name));
        let of_model = OfModel { dim, context };
        let attention = self.block(&call, ATTENTION).and_then(|call| self.attention(&call, of_model));
        let ffn = self.block(&call, FFN).and_then(|call| self.ffn(&call));

        let mut special_attentions: Vec<Option<Attention>> = Vec::with_capacity(attentions.len());
        for o in &attentions {
            let call = self.bind(ATTENTION, Attention::TABLES, &o.field.value);
            special_attentions.push(call.and_then(|call| self.attention(&call, of_model)));
        }
        let mut special_ffns: Vec<Option<Ffn>> = Vec::with_capacity(ffns.len());
        for o in &ffns {
            let call = self.bind(FFN, Ffn::TABLES, &o.field.value);
            special_ffns.push(call.and_then(|call| self.ffn(&call)));
        }
        let known = Resolved { model: None, vocab, context };
        let Some(layers) = layers else { return Some(known) };
        let layers_at = call.given("layers").map(|value| value.span);
        let attention_of = self.choose(&attentions, layers, layers_at);
        let ffn_of = self.choose(&ffns, layers, layers_at);
        let loops = self.loops(&loops, layers, layers_at);
        if broken || self.found.count() > before {
            return Some(known);
        }
        let (attention, ffn) = (attention?, ffn?);
        let mut kinds: Vec<Layer> = Vec::new();
        let mut seen = std::collections::HashMap::new();
        let mut order = Vec::with_capacity(layers);
        for pair in attention_of.iter().copied().zip(ffn_of.iter().copied()) {
            let kind = *seen.entry(pair).or_insert_with(|| {
                let attention = pair.0.and_then(|i| special_attentions[i].as_ref()).unwrap_or(&attention);
                let ffn = pair.1.and_then(|i| special_ffns[i].as_ref()).unwrap_or(&ffn);
                kinds.push(Layer { attention: attention.clone(), ffn: ffn.clone() });
                kinds.len() - 1
            });
            order.push(kind);
        }
        let own = draft.own().model();
        let stack = Stack::from_layers(order.iter().map(|&kind| &kinds[kind]));
        let stack = stack.with_loops(loops.iter().map(|(one, _)| *one));
        if let Some(violation) = verify_loops(&stack).into_iter().next() {
            let wrong = |one: &Loop| matches!(violation.kind, ViolationKind::OutOfRange { value, .. } if value == one.times as f64);
            let at = loops.iter().find(|(one, _)| wrong(one)).map_or(draft.at(), |(_, at)| *at);
            self.found.push(VerifyError { violation, field: LOOP.into(), at, defaulted: false });
            return Some(known);
        }
        let model = table::with_layers(&head.block, own.name.text.clone(), own.doc.clone(), stack)?;
        match coec_ir::verify(model) {
            Ok(model) => Some(Resolved { model: Some(model), ..known }),
            // Every part was verified by itself above, so that none of these is new.
            Err(violations) => {
                for violation in violations {
                    let prefix = match violation.place {
                        Place::Attention(_) => ATTENTION,
                        Place::Ffn(_) => FFN,
                        Place::Model | Place::Train => "",
                    };
                    self.violation(violation, prefix, &call);
                }
                Some(known)
            }
        }
    }

    /// Sorts the fields of one model to those of the language.
    fn fields<'v>(
        &mut self,
        level: usize,
        fields: &'v [Field],
        args: &mut [Option<&'v Value>],
        indexed: &mut Indexed<'v>,
        lost: &mut Vec<usize>,
    ) {
        let mut first: Vec<Option<Span>> = vec![None; args.len()];
        for field in fields {
            let name = &field.name;
            let Some(position) = MODEL.position(&name.text) else {
                let note = home_of_field(&name.text).map(|home| match home.strip_prefix("train.") {
                    Some(field) if !field.contains('.') => format!("`{field}` stands in `train {{ }}`"),
                    _ => match home.rsplit_once('.') {
                        Some((outer, field)) => format!("`{field}` stands inside the block of `{outer}`"),
                        None => format!("did you mean `{home}`?"),
                    },
                });
                lost.extend(self.unknown_field(&MODEL, &name.text, name.span, note));
                continue;
            };
            match &field.index {
                Some(_) if name.text == ATTENTION => indexed.attentions.push(Override { level, field }),
                Some(_) if name.text == FFN => indexed.ffns.push(Override { level, field }),
                Some(index) if name.text == LOOP => match index.kind {
                    IndexKind::Every(_) => self.found.push(ResolveError::LoopNeedsLayers { at: index.span }),
                    IndexKind::One(_) | IndexKind::Range(..) => indexed.loops.push(Override { level, field }),
                },
                None if name.text == LOOP => {
                    self.found.push(ResolveError::LoopNeedsLayers { at: name.span });
                }
                Some(index) => {
                    self.found.push(ResolveError::NotPerLayer { field: name.text.clone(), at: index.span });
                }
                None => {
                    if let Some(first) = first[position].replace(name.span) {
                        let name_text = name.text.clone();
                        self.found.push(ResolveError::DuplicateField {
                            name: name_text,
                            first,
                            at: name.span,
                        });
                    }
                    args[position] = Some(&field.value);
                }
            }
        }
    }

    /// The fields that hold for all of the model.
    fn head(&mut self, call: &Call) -> Head {
        let mut gaps = Gaps::default();
        let is_of_layers = |name: &str| name == ATTENTION || name == FFN;
        let block = self.values_where(call, "", OfModel::default(), &mut gaps, |name| !is_of_layers(name));
        let violations = verify_head(&block);
        let wrong = violations.iter().map(|violation| violation.path.clone()).collect();
        self.accept(call, "", violations, &gaps);
        Head { block, gaps, wrong }
    }

    /// Which override each layer has. Nearer models win; within one model two are an error.
    pub(super) fn choose(
        &mut self,
        overrides: &[Override],
        layers: usize,
        layers_at: Option<Span>,
    ) -> Choice {
        let mut choice: Choice = vec![None; layers];
        for (i, o) in overrides.iter().enumerate() {
            let Some(range) = self.range(o.field, layers, layers_at) else { continue };
            let mut clash = false;
            for layer in range {
                let before = choice[layer].replace(i).map(|before| &overrides[before]);
                let Some(before) = before.filter(|before| before.level == o.level && !clash) else {
                    continue;
                };
                clash = true;
                let (Some(first), Some(at)) = (&before.field.index, &o.field.index) else { continue };
                let field = o.field.name.text.clone();
                let (first, at) = (first.span, at.span);
                self.found.push(ResolveError::OverlappingOverrides { field, layer, first, at });
            }
        }
        choice
    }

    /// The layers that run again, each loop with the place of its number. One of a nearer model stands for those that
    /// it shares layers with; within one model two may not.
    fn loops(&mut self, overrides: &[Override], layers: usize, layers_at: Option<Span>) -> Vec<(Loop, Span)> {
        let mut loops: Vec<(Loop, usize, &Field)> = Vec::new();
        for Override { level, field } in overrides {
            let range = self.range(field, layers, layers_at);
            let times = self.count_of(LOOP, &field.value);
            let (Some(range), Some(times)) = (range, times) else { continue };
            let Some(layers) = range.clone().min().zip(range.max()) else { continue };
            let one = Loop { start: layers.0, end: layers.1 + 1, times };
            if !(bounds::LOOP.min..=bounds::LOOP.max).contains(&(times as f64)) {
                let kind = ViolationKind::OutOfRange { value: times as f64, bounds: bounds::LOOP };
                let violation = Violation { place: Place::Model, path: LOOP.into(), kind };
                let at = field.value.span;
                self.found.push(VerifyError { violation, field: LOOP.into(), at, defaulted: false });
                continue;
            }
            let shares = |other: &Loop| other.start < one.end && one.start < other.end;
            let twice = loops.iter().find(|(other, at, _)| at == level && shares(other));
            if let Some((other, _, first)) = twice
                && let (Some(first), Some(at)) = (&first.index, &field.index)
            {
                let (field, layer) = (LOOP.to_owned(), one.start.max(other.start));
                let (first, at) = (first.span, at.span);
                self.found.push(ResolveError::OverlappingOverrides { field, layer, first, at });
                continue;
            }
            loops.retain(|(other, ..)| !shares(other));
            loops.push((one, *level, field));
        }
        loops.into_iter().map(|(one, _, field)| (one, field.value.span)).collect()
    }

    /// The layers an index names.
    fn range(
        &mut self,
        field: &Field,
        layers: usize,
        layers_at: Option<Span>,
    ) -> Option<std::iter::StepBy<std::ops::Range<usize>>> {
        let index = field.index.as_ref()?;
        let at = index.span;
        let (range, step) = match &index.kind {
            IndexKind::One(number) => {
                let layer = self.layer(number)?;
                (layer..layer.saturating_add(1), 1)
            }
            IndexKind::Every(number) => match self.layer(number)? {
                0 => {
                    self.found.push(ResolveError::EveryZero { at: number.span });
                    return None;
                }
                step => (0..layers, step),
            },
            IndexKind::Range(start, end) => {
                let (start, end) = (self.layer(start)?, self.layer(end)?);
                if start >= end {
                    self.found.push(ResolveError::EmptyRange { start, end, at });
                    return None;
                }
                (start..end, 1)
            }
        };
        if range.end > layers {
            let layer = range.start.max(layers);
            self.found.push(ResolveError::LayerOutOfRange { layer, layers, layers_at, at });
            return None;
        }
        Some(range.step_by(step))
    }

    fn layer(&mut self, number: &Number) -> Option<usize> {
        let value = Value { kind: ValueKind::Number(number.text.clone()), span: number.span };
        self.count_of("layer", &value)
    }

    /// Reports a violation of the block `call`, where the text says it.
    pub fn violation(&mut self, violation: Violation, prefix: &str, call: &Call) {
        let path: Vec<&str> = violation.path.split('.').collect();
        let Located { at, defaulted } = match path.first().and_then(|name| call.given(name)) {
            Some(value) => locate(self.scopes, value, &path[1..], &violation),
            None => Located { at: call.at, defaulted: true },
        };
        let dot = if prefix.is_empty() { "" } else { "." };
        let field = format!("{prefix}{dot}{}", violation.path);
        self.found.push(VerifyError { violation, field, at, defaulted });
    }
}
