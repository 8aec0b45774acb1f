//! Balance losses.

use burn::tensor::{IndexingUpdateOp, Tensor};
use coec_ir::{Balance, Score};

use super::router::Routing;

/// How often each expert was selected, per sequence: `[B, E]`.
pub fn counts(routing: &Routing, batch: usize) -> Tensor<2> {
    let ([n, k], [_, experts]) = (routing.indices.dims(), routing.scores.dims());
    let options = (&routing.indices.device(), routing.scores.dtype());
    let per_sequence = n / batch * k;
    let ones = Tensor::<2>::ones([batch, per_sequence], options);
    let indices = routing.indices.clone().reshape([batch, per_sequence]);
    Tensor::<2>::zeros([batch, experts], options).scatter(1, indices, ones, IndexingUpdateOp::Add)
}

/// The weighted sum of the balance losses of one routing, `[1]`; `None` if there is none.
///
/// `counts` is `[B, E]`.
pub fn loss(terms: &[Balance], routing: &Routing, score: Score, counts: &Tensor<2>) -> Option<Tensor<1>> {
    let ([n, e], [_, k], [b, _]) = (routing.scores.dims(), routing.indices.dims(), counts.dims());
    // P_e before its mean: the score, or its share for scores that do not sum to one.
    let share = || match score {
        Score::Softmax => routing.scores.clone(),
        Score::Sigmoid => routing.scores.clone() / (routing.scores.clone().sum_dim(1) + 1e-20),
    };
    terms
        .iter()
        .filter_map(|term| match *term {
            Balance::SeqAux { alpha } => {
                let t = n / b;
                let f = counts.clone() * (e as f64 / (k * t) as f64); // [B, E]
                let p = share().reshape([b, t, e]).mean_dim(1).reshape([b, e]);
                Some((f * p).sum_dim(1).mean_dim(0).reshape([1]) * alpha)
            }
            Balance::SwitchAux { alpha } => {
                let f = counts.clone().sum_dim(0) * (e as f64 / (k * n) as f64); // [1, E]
                let p = share().mean_dim(0); // [1, E]
                Some((f * p).sum_dim(1).reshape([1]) * alpha)
            }
            Balance::ZLoss { alpha } => {
                let max = routing.logits.clone().detach().max_dim(1); // [N, 1]
                let sum = (routing.logits.clone() - max.clone()).exp().sum_dim(1);
                Some((sum.log() + max).square().mean_dim(0).reshape([1]) * alpha)
            }
            Balance::Bias { .. } => None,
        })
        .reduce(|sum, term| sum + term)
}
