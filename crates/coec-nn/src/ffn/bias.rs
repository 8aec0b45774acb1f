//! The selection biases: balance without a loss.

use burn::tensor::Tensor;
use coec_ir::{Balance, Gate};

use super::{Chain, Ffn, Load};
use crate::model::LanguageModel;

impl LanguageModel {
    /// After an optimizer step, `b_e += rate * sign(mean count - count_e)` for every selection bias.
    ///
    /// `loads` are those of the step's batch. A tied gate's one bias sees the
    /// sum over its iterations.
    pub fn update_biases(mut self, loads: &[Load]) -> Self {
        for (l, layer) in self.layers.iter_mut().enumerate() {
            if let Ffn::Chain(chain) = &mut layer.ffn {
                let of_layer: Vec<&Load> = loads.iter().filter(|load| load.layer == l).collect();
                update(chain, &of_layer);
            }
        }
        self
    }
}

fn update(chain: &mut Chain, loads: &[&Load]) {
    let rate = chain.config.balance.iter().find_map(|term| match term {
        Balance::Bias { rate } => Some(*rate),
        _ => None,
    });
    let Some(rate) = rate else { return };
    let gate = chain.config.gate;
    for (r, router) in chain.routers.iter_mut().enumerate() {
        let counts = loads
            .iter()
            .filter(|load| gate != Gate::Independent || load.iteration == r)
            .map(|load| load.counts.clone())
            .reduce(|sum, counts| sum + counts);
        if let (Some(bias), Some(counts)) = (router.bias.take(), counts) {
            router.bias = Some(bias.map(|bias| {
                let counts = Tensor::from_data(counts.into_data(), (&bias.device(), bias.dtype()));
                let mean = counts.clone().mean_dim(0);
                (bias + (mean - counts).sign() * rate).detach().set_require_grad(false)
            }));
        }
    }
}
