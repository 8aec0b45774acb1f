//! The selection biases: balance without a loss.

use burn::tensor::Tensor;
use coec_ir::{Balance, Gate};

use super::chain::Chain;
use crate::Load;

impl Chain {
    /// After an optimizer step, `b_e += rate * sign(mean count - count_e)` for every selection bias.
    ///
    /// `loads` are those of the step's batch, of all layers. A tied gate's one bias sees the
    /// sum over its iterations.
    pub fn update_biases(&mut self, loads: &[Load]) {
        let rate = self.config.balance.iter().find_map(|term| match term {
            Balance::Bias { rate } => Some(*rate),
            _ => None,
        });
        let Some(rate) = rate else { return };
        let (layer, gate) = (self.layer, self.config.gate);
        for (r, router) in self.routers.iter_mut().enumerate() {
            let counts = loads
                .iter()
                .filter(|load| load.layer == layer && (gate != Gate::Independent || load.iteration == r))
                .map(|load| load.counts.clone())
                .reduce(|sum, counts| sum + counts);
            let Some(counts) = counts else { continue };
            router.bias = router.bias.take().map(|bias| {
                bias.map(|bias| {
                    let counts = Tensor::from_data(counts.into_data(), (&bias.device(), bias.dtype()));
                    let mean = counts.clone().mean_dim(0);
                    (bias + (mean - counts).sign() * rate).detach().set_require_grad(false)
                })
            });
        }
    }
}
