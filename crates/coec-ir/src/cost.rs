//! Exact counts from the closed form.
//!
//! Conventions (one for every report): a multiply-add is 2 FLOPs, matrix
//! products only; figures of FLOPs are per token; `forward` is what the
//! mathematics needs (attention over the `(T+1)/2` positions a token sees on
//! average), `executed` what the implementation performs (the blocks of scores
//! that the diagonal runs through, whole); memory is bytes. k, M, G, T are decimal; Ki, Mi, Gi binary.

use std::collections::HashMap;
use std::ops::AddAssign;

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use crate::flops::of_a_token;
use crate::memory::{F32, Peak};
use crate::ranks::{Held, Units};
use crate::table::Described;
use crate::{Conditions, Figure, Flops, Layer, Model, Precision, Recompute, Shard, Verified};

/// What a figure is computed for, every condition explicit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Setting {
    /// Tokens per sequence T.
    pub context: usize,
    /// Sequences B.
    pub batch: usize,
    /// Arithmetic.
    pub precision: Precision,
    /// What the backward pass computes again.
    #[serde(default)]
    pub recompute: Recompute,
    /// Processes that train together, of which each computes B sequences. Figures of memory are those of one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: usize,
    /// What is divided among them.
    #[serde(default, skip_serializing_if = "Shard::is_none")]
    pub shard: Shard,
}

fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_one(ranks: &usize) -> bool {
    *ranks == 1
}

impl Setting {
    /// The setting of a rule on `model`: its conditions, else the model's context, one sequence, f32, nothing
    /// computed again, and one rank.
    pub fn of(model: &Model, conditions: &Conditions) -> Self {
        Self {
            context: conditions.context.unwrap_or(model.context),
            batch: conditions.batch.unwrap_or(1),
            precision: conditions.precision.unwrap_or(Precision::F32),
            recompute: conditions.recompute.unwrap_or_default(),
            ranks: conditions.ranks.unwrap_or(1),
            shard: conditions.shard.unwrap_or_default(),
        }
    }
}

/// The figures of one layer, or of the parts outside the layers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Part {
    /// Trained parameters.
    pub params: u128,
    /// Those a token can have used.
    pub active: u128,
    /// FLOPs of a sequence.
    pub flops: Flops,
    /// FLOPs of a sequence's forward pass that the backward pass performs again.
    pub again: u128,
    /// Expert calls per token.
    pub calls: u128,
    /// Paths through the experts; absent without experts.
    #[serde(serialize_with = "as_text")]
    pub paths: Option<BigUint>,
    /// Cached elements of a sequence.
    pub cache: u128,
}

fn as_text<S: serde::Serializer>(paths: &Option<BigUint>, serializer: S) -> Result<S::Ok, S::Error> {
    match paths {
        Some(paths) => serializer.serialize_some(&paths.to_string()),
        None => serializer.serialize_none(),
    }
}

impl AddAssign<&Part> for Part {
    fn add_assign(&mut self, other: &Part) {
        self.params += other.params;
        self.active += other.active;
        self.flops += other.flops;
        self.again += other.again;
        self.calls += other.calls;
        self.cache += other.cache;
        if let Some(paths) = &other.paths {
            *self.paths.get_or_insert_default() += paths;
        }
    }
}

impl Part {
    fn times(&self, n: usize) -> Part {
        let n = n as u128;
        Part {
            params: self.params * n,
            active: self.active * n,
            flops: self.flops * n,
            again: self.again * n,
            calls: self.calls * n,
            paths: self.paths.as_ref().map(|paths| paths * n),
            cache: self.cache * n,
        }
    }
}

/// Every figure of a model in one setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// What it was computed for.
    pub setting: Setting,
    /// Parameters of the token embedding and, when untied, the output head.
    pub embedding: u128,
    /// The parts outside the layers: embedding, final norm, head.
    pub outside: Part,
    /// One part per kind of layer, of those that run equally often.
    pub kinds: Vec<Part>,
    /// The part of each layer.
    pub order: Vec<usize>,
    /// The whole model.
    pub total: Part,
    /// Bytes kept for the backward pass at their peak.
    peak: u128,
    /// What one rank holds.
    held: Held,
}

impl Cost {
    /// Counts `model` in `setting`.
    pub fn of(model: &Verified<Model>, setting: Setting) -> Self {
        let (v, d) = (model.vocab as u128, model.dim as u128);
        let embedding = v * d * if model.embedding.tied { 1 } else { 2 };
        let outside = Part {
            params: embedding + d,
            active: embedding + d,
            flops: Flops::exact(2 * d * v, setting.context),
            ..Part::default()
        };
        let (kinds, order) = parts(model, setting);
        let mut total = outside.clone();
        for (kind, part) in kinds.iter().enumerate() {
            total += &part.times(order.iter().filter(|&&other| other == kind).count());
        }
        let Setting { context, batch, recompute, precision, ranks, shard } = setting;
        let tokens = batch as u128 * context as u128;
        let peak = Peak { model, context, tokens, recompute, precision }.bytes();
        let tied = model.embedding.tied;
        let units = Units {
            layer: kinds.iter().map(|part| part.params).max().unwrap_or_default(),
            embedding: v * d,
            head: d + if tied { 0 } else { v * d },
            tied,
        };
        let held = Held::of(total.params, ranks, shard, &units);
        Self { setting, embedding, outside, kinds, order, total, peak, held }
    }

    /// A figure that can be computed before training; `None` for measured ones.
    pub fn figure(&self, figure: Figure) -> Option<BigUint> {
        let Held { parameters, gathered, exchanged } = self.held;
        let weights = (parameters + gathered) * F32;
        let gradients = (parameters + gathered) * F32;
        let optimizer = parameters * OPTIMIZER_BYTES;
        let activations = self.peak;
        let exchange = exchanged * F32;
        Some(match figure {
            Figure::ParamsEmbedding => self.embedding.into(),
            Figure::ParamsNonEmbedding => (self.total.params - self.embedding).into(),
            Figure::ParamsActiveNonEmbedding => (self.total.active - self.embedding).into(),
            Figure::MemoryWeights => weights.into(),
            Figure::MemoryGradients => gradients.into(),
            Figure::MemoryOptimizer => optimizer.into(),
            Figure::MemoryActivations => activations.into(),
            Figure::MemoryExchange => exchange.into(),
            Figure::MemoryTrain => {
                // Whole gradients are exchanged when the backward pass is over, and with it the activations; the
                // weights of a layer are gathered in the middle of it.
                let passing = match self.setting.shard {
                    Shard::None => activations.max(exchange),
                    Shard::Full => activations + exchange,
                };
                (weights + gradients + optimizer + passing).into()
            }
            _ => return self.of_part(&self.total, figure),
        })
    }

    /// Every figure that can be computed before training and is worth a look: on one rank nothing is exchanged.
    pub fn figures(&self) -> impl Iterator<Item = (Figure, BigUint)> + '_ {
        let shown = |figure: &Figure| *figure != Figure::MemoryExchange || self.setting.ranks > 1;
        Figure::ALL.into_iter().filter(shown).filter_map(|figure| Some((figure, self.figure(figure)?)))
    }

    /// The figure of every layer that has experts, with the first layer of each value.
    pub fn per_expert_layer(&self, figure: Figure) -> Option<Vec<(usize, BigUint)>> {
        let mut seen = vec![false; self.kinds.len()];
        let mut values = Vec::new();
        for (layer, &kind) in self.order.iter().enumerate() {
            if !std::mem::replace(&mut seen[kind], true) && self.kinds[kind].paths.is_some() {
                values.push((layer, self.of_part(&self.kinds[kind], figure)?));
            }
        }
        Some(values)
    }

    /// A figure of one part; `None` for figures that do not split over layers.
    pub fn of_part(&self, part: &Part, figure: Figure) -> Option<BigUint> {
        let Setting { context, batch, precision, .. } = self.setting;
        let of_a_token = |flops| of_a_token(flops, context);
        Some(match figure {
            Figure::ParamsTotal | Figure::ParamsNonEmbedding => part.params.into(),
            Figure::ParamsActive | Figure::ParamsActiveNonEmbedding => part.active.into(),
            Figure::FlopsForward => of_a_token(part.flops.forward).into(),
            Figure::FlopsExecuted => of_a_token(part.flops.executed).into(),
            Figure::FlopsTrain => (3 * of_a_token(part.flops.forward)).into(),
            Figure::FlopsExecutedTrain => {
                (3 * of_a_token(part.flops.executed) + of_a_token(part.again)).into()
            }
            Figure::MemoryKvCache => (part.cache * batch as u128 * precision.bytes()).into(),
            Figure::ExpertsCalls => part.calls.into(),
            Figure::ExpertsPaths => part.paths.clone().unwrap_or_default(),
            _ => return None,
        })
    }
}

/// Bytes of AdamW's two f32 moments per parameter.
const OPTIMIZER_BYTES: u128 = 8;

/// Of layers of one kind that run equally often, one part; and the part of each layer.
fn parts(model: &Model, setting: Setting) -> (Vec<Part>, Vec<usize>) {
    let (mut parts, mut order) = (Vec::new(), Vec::with_capacity(model.layers.len()));
    let mut known: HashMap<(usize, usize), usize> = HashMap::new();
    for (layer, &kind) in model.layers.order().iter().enumerate() {
        let times = model.layers.times(layer);
        let part = *known.entry((kind, times)).or_insert_with(|| {
            parts.push(layer_part(model, &model.layers.kinds()[kind], setting, times));
            parts.len() - 1
        });
        order.push(part);
    }
    (parts, order)
}

/// A layer that runs so many times: its weights are there once, and what it computes and keeps is each pass's.
fn layer_part(model: &Model, layer: &Layer, setting: Setting, times: usize) -> Part {
    let passes = times as u128;
    let part = |sublayer: &dyn Described| {
        let params = sublayer.param_count(model.dim);
        Part {
            params,
            active: params - sublayer.idle_params(model.dim, times),
            flops: sublayer.flops(model.dim, setting.context) * passes,
            cache: sublayer.cache(setting.context) * passes,
            ..Part::default()
        }
    };
    let mut whole = part(layer.attention.sublayer());
    whole += &part(layer.ffn.sublayer());
    whole.again = setting.recompute.flops(layer, model.dim, setting.context) * passes;
    if let Some(coe) = layer.ffn.as_coe() {
        whole.calls = coe.calls() * passes;
        whole.paths = Some(coe.paths().pow(times as u32));
    }
    whole
}
