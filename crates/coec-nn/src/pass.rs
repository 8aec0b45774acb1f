//! One forward pass: what its layers share, and what they leave behind.

use burn::tensor::{Int, Tensor};
use coec_ir::LOGIT_ROWS;
use coec_kernels::Precision;

use crate::{Cache, Embedding, Logits, positions::Positions};

/// What the layers of a model share during one pass.
#[derive(Debug)]
pub struct Pass<'a> {
    pub(crate) positions: Positions,
    /// Of the factors of every product but those of routers and of the gates of shared experts.
    pub(crate) precision: Precision,
    tokens: usize,
    cache: Option<&'a mut Cache>,
    /// Of the attention that comes next in the cache.
    slot: usize,
    aux_loss: Option<Tensor<1>>,
    loads: Vec<Load>,
    routes: Vec<Route>,
    /// Selections that were made before, `[N, K]` each, in the order of the routings.
    selections: std::vec::IntoIter<Tensor<2, Int>>,
}

/// Which experts an iteration selected, and how often.
#[derive(Debug, Clone)]
pub struct Load {
    /// Layer, from 0.
    pub layer: usize,
    /// How often it had run before: 0 but for one in a loop.
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Selections per expert over the batch, `[E]`.
    pub counts: Tensor<1>,
}

/// What one routing selected, where it can be counted: on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selections {
    /// Layer, from 0.
    pub layer: usize,
    /// How often it had run before: 0 but for one in a loop.
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Selections per expert, `[E]`.
    pub counts: Vec<u64>,
}

impl Load {
    /// The counts, read from the device. Who reads many numbers reads them together.
    pub fn selections(&self) -> Selections {
        let counts = self.counts.to_data().iter::<f64>().map(|count| count as u64).collect();
        Selections { layer: self.layer, pass: self.pass, iteration: self.iteration, counts }
    }
}

/// What a routing made of each token. It stays on the device until somebody looks.
#[derive(Debug, Clone)]
pub struct Route {
    /// Layer, from 0.
    pub layer: usize,
    /// How often it had run before: 0 but for one in a loop.
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// What each expert scored, `[N, E]`.
    pub scores: Tensor<2>,
    /// The experts selected, `[N, K]`.
    pub indices: Tensor<2, Int>,
}

/// The result of a forward pass.
#[derive(Debug, Clone)]
pub struct Forward {
    /// Of the next token.
    pub logits: Logits,
    /// The weighted balance losses of all layers and iterations, `[1]`; `None` if the model has none.
    pub aux_loss: Option<Tensor<1>>,
    /// How often each expert was selected, per layer and routing.
    pub loads: Vec<Load>,
    /// What was decided for each token, per layer and routing.
    pub routes: Vec<Route>,
}

/// What a layer tells of one routing.
pub(crate) struct Observed {
    /// Selections per expert, `[E]`.
    pub counts: Tensor<1>,
    /// `[N, E]`.
    pub scores: Tensor<2>,
    /// `[N, K]`.
    pub indices: Tensor<2, Int>,
}

impl<'a> Pass<'a> {
    /// A pass over `tokens` `[B, T]`, which follow those in `cache`: in the precision of the cache, or in f32.
    pub fn new(tokens: &Tensor<2, Int>, embedding: &Embedding, cache: Option<&'a mut Cache>) -> Self {
        let [_, tokens] = tokens.dims();
        let table = embedding.weight.val();
        let start = cache.as_ref().map_or(0, |cache| cache.seen);
        let positions = Positions::new(start, tokens, &table.device(), table.dtype());
        let precision = cache.as_ref().map_or(Precision::F32, |cache| cache.precision);
        Self { cache, ..Pass::over(positions, tokens) }.in_precision(precision)
    }

    /// The same in another precision.
    pub fn in_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    fn over(positions: Positions, tokens: usize) -> Self {
        let (loads, routes, selections) = (Vec::new(), Vec::new(), Vec::new().into_iter());
        let precision = Precision::F32;
        Self { positions, precision, tokens, cache: None, slot: 0, aux_loss: None, loads, routes, selections }
    }

    /// A pass through a part of the model alone, over the same tokens. Its first routings have the
    /// `selections` that were made before.
    pub(crate) fn apart(&self, selections: Vec<Tensor<2, Int>>) -> Pass<'static> {
        let pass = Pass::over(self.positions.clone(), self.tokens).in_precision(self.precision);
        Pass { selections: selections.into_iter(), ..pass }
    }

    /// Takes over what was noted in a pass [`apart`](Self::apart), but for its balance losses: these are
    /// returned, with its selections.
    pub(crate) fn join(&mut self, apart: Pass<'_>) -> (Option<Tensor<1>>, Vec<Tensor<2, Int>>) {
        let selections = apart.routes.iter().map(|route| route.indices.clone()).collect();
        self.positions = apart.positions;
        // It ran one layer, and did not know of what was before.
        let pass = apart.loads.first().map_or(0, |load| self.passes_of(load.layer));
        self.loads.extend(apart.loads.into_iter().map(|load| Load { pass, ..load }));
        self.routes.extend(apart.routes.into_iter().map(|route| Route { pass, ..route }));
        (apart.aux_loss, selections)
    }

    /// The selection `[N, K]` of the next routing, where it was made before.
    pub(crate) fn selection(&mut self) -> Option<Tensor<2, Int>> {
        self.selections.next()
    }

    pub(crate) fn has_cache(&self) -> bool {
        self.cache.is_some()
    }

    /// What the next attention needs of the tokens so far: `a` and `b` joined to those in the cache along
    /// dimension 1, at least those within its `window`. Each attention asks once, in the order they run, and so has
    /// its slot.
    pub(crate) fn recall(
        &mut self,
        a: Tensor<4>,
        b: Tensor<4>,
        window: Option<usize>,
    ) -> (Tensor<4>, Tensor<4>) {
        match &mut self.cache {
            Some(cache) => {
                self.slot += 1;
                cache.layers[self.slot - 1].append(a, b, window)
            }
            None => (a, b),
        }
    }

    /// Notes the balance losses of a layer, and of each routing its selections.
    pub(crate) fn observe(&mut self, layer: usize, aux_loss: Option<Tensor<1>>, observed: Vec<Observed>) {
        self.add_aux_loss(aux_loss);
        let pass = self.passes_of(layer);
        for (iteration, Observed { counts, scores, indices }) in observed.into_iter().enumerate() {
            self.loads.push(Load { layer, pass, iteration, counts });
            self.routes.push(Route { layer, pass, iteration, scores, indices });
        }
    }

    /// How often a layer with experts has run.
    fn passes_of(&self, layer: usize) -> usize {
        let seen = |load: &&Load| load.layer == layer && load.iteration == 0;
        self.loads.iter().filter(seen).count()
    }

    pub(crate) fn add_aux_loss(&mut self, aux_loss: Option<Tensor<1>>) {
        self.aux_loss = match (self.aux_loss.take(), aux_loss) {
            (Some(sum), Some(loss)) => Some(sum + loss),
            (sum, loss) => sum.or(loss),
        };
    }

    /// The balance losses alone, `[1]`.
    pub(crate) fn into_aux_loss(self) -> Option<Tensor<1>> {
        self.aux_loss
    }

    /// The result, whose logits are made in the precision of the pass; and the tokens are seen.
    pub fn finish(self, logits: Logits) -> Forward {
        if let Some(cache) = self.cache {
            cache.seen += self.tokens;
        }
        let logits = Logits { precision: self.precision, ..logits };
        Forward { logits, aux_loss: self.aux_loss, loads: self.loads, routes: self.routes }
    }
}

impl Forward {
    /// What training minimises, `[1]`: the cross-entropy against `targets` `[B, T]` and the balance losses.
    pub fn loss(&self, targets: Tensor<2, Int>) -> Tensor<1> {
        let loss = cross_entropy(self.logits.clone(), targets);
        match &self.aux_loss {
            Some(aux) => loss + aux.clone(),
            None => loss,
        }
    }
}

/// Mean cross-entropy in nats of `logits` against `targets` `[B, T]`, `[1]`.
pub fn cross_entropy(logits: Logits, targets: Tensor<2, Int>) -> Tensor<1> {
    let [b, t] = targets.dims();
    let weight = 1.0 / (b * t) as f64;
    let weights = Tensor::<2>::full([b, t], weight, (&logits.x.device(), logits.x.dtype()));
    weighted_cross_entropy(logits, targets, weights)
}

/// The sum of each token's cross-entropy in nats times its weight: `targets` and `weights` `[B, T]`, `[1]`.
pub fn weighted_cross_entropy(logits: Logits, targets: Tensor<2, Int>, weights: Tensor<2>) -> Tensor<1> {
    let Logits { x, weight, shape: [b, t], precision, scale } = logits;
    coec_kernels::head_cross_entropy(
        x,
        weight,
        targets.reshape([b * t]),
        weights.reshape([b * t]),
        LOGIT_ROWS,
        precision,
        scale,
    )
}

/// Cross-entropy in nats of each token against `targets` `[B, T]`, `[B, T]`. Without a tape.
pub fn token_losses(logits: Logits, targets: Tensor<2, Int>) -> Tensor<2> {
    let Logits { x, weight, shape: [b, t], precision, scale } = logits;
    coec_kernels::head_losses(x, weight, targets.reshape([b * t]), LOGIT_ROWS, precision, scale)
        .reshape([b, t])
}
