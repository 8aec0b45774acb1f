//! Score and select.

use burn::module::{Module, Param as Slot};
use burn::tensor::{Int, Tensor, activation};
use coec_ir::{GroupScore, Groups, Router as Config, Score};
use coec_kernels::Precision;

/// One router of a chain.
#[derive(Module, Debug)]
pub struct Router {
    /// How it scores, selects and weighs.
    #[module(skip)]
    pub config: Config,
    /// `[E, D]`.
    pub weight: Slot<Tensor<2>>,
    /// Added to the logits, `[E]`, if it has one.
    pub logits_bias: Option<Slot<Tensor<1>>>,
    /// Added to the scores for the selection only, `[E]`; never trained by gradient.
    pub bias: Option<Slot<Tensor<1>>>,
}

/// What a router decided for a batch of tokens.
#[derive(Debug, Clone)]
pub struct Routing {
    /// Before the scoring function, `[N, E]`.
    pub logits: Tensor<2>,
    /// After it, `[N, E]`.
    pub scores: Tensor<2>,
    /// The selected experts, `[N, K]`.
    pub indices: Tensor<2, Int>,
    /// Their weights, `[N, K]`.
    pub gates: Tensor<2>,
}

impl Router {
    /// Scores `u` `[N, D]` and selects `k` experts per token, unless the `selection` `[N, K]` was made before.
    pub fn forward(&self, u: Tensor<2>, k: usize, selection: Option<Tensor<2, Int>>) -> Routing {
        let mut logits = coec_kernels::linear(u, self.weight.val(), Precision::F32); // [N, E]
        if let Some(bias) = &self.logits_bias {
            logits = logits + bias.val().unsqueeze();
        }
        let scores = match self.config.score {
            Score::Softmax => coec_kernels::softmax(logits.clone()),
            Score::Sigmoid => activation::sigmoid(logits.clone()),
        };
        let indices = selection.unwrap_or_else(|| self.select(scores.clone().detach(), k)); // [N, K]
        let mut gates = scores.clone().gather(1, indices.clone()); // [N, K]
        if self.config.renorm {
            gates = gates.clone() / (gates.sum_dim(1) + 1e-20);
        }
        if self.config.scale != 1.0 {
            gates = gates * self.config.scale;
        }
        Routing { logits, scores, indices, gates }
    }

    /// The `k` best experts of each token by their scores `[N, E]`, `[N, K]`: not differentiated, and the bias
    /// takes part in nothing else.
    fn select(&self, mut ranked: Tensor<2>, k: usize) -> Tensor<2, Int> {
        if let Some(bias) = &self.bias {
            ranked = ranked + bias.val().detach().unsqueeze();
        }
        if let Some(groups) = &self.config.groups {
            ranked = keep_best_groups(ranked, groups);
        }
        coec_kernels::select_top_k(ranked, k)
    }
}

/// Scores outside the best groups become -inf.
fn keep_best_groups(scores: Tensor<2>, groups: &Groups) -> Tensor<2> {
    let [n, e] = scores.dims();
    let (g, size) = (groups.groups, e / groups.groups);
    let grouped = scores.clone().reshape([n * g, size]);
    let group_scores = match groups.score {
        GroupScore::Max => grouped.max_dim(1),
        GroupScore::Top2 => {
            let best = coec_kernels::select_top_k(grouped.clone(), 2);
            grouped.gather(1, best).sum_dim(1)
        }
    };
    let kept = coec_kernels::select_top_k(group_scores.reshape([n, g]), groups.keep); // [N, M]
    let device = scores.device();
    let ids = Tensor::<1, Int>::arange(0..g as i64, &device).reshape([1, g, 1]);
    let kept = kept.reshape([n, 1, groups.keep]);
    let is_kept = ids.expand([n, g, groups.keep]).equal(kept.expand([n, g, groups.keep])); // [N, G, M]
    let dropped = is_kept.int().sum_dim(2).equal_elem(0); // [N, G, 1]
    let dropped = dropped.expand([n, g, size]).reshape([n, e]);
    scores.mask_fill(dropped, f64::NEG_INFINITY)
}
