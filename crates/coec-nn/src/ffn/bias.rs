//! The selection biases: balance without a loss.

use burn::tensor::{Tensor, TensorData};
use coec_ir::{Balance, Gate};

use super::chain::Chain;
use crate::Selections;

impl Chain {
    /// After an optimizer step, `b_e += rate * sign(mean count - count_e)` for every selection bias.
    ///
    /// `selections` are those of the step's batch, of all layers. A tied gate's one bias sees the
    /// sum over its iterations.
    pub fn update_biases(&mut self, selections: &[Selections]) {
        let rate = self.config.balance.iter().find_map(|term| match term {
            Balance::Bias { rate } => Some(*rate),
            _ => None,
        });
        let Some(rate) = rate else { return };
        let (layer, gate) = (self.layer, self.config.gate);
        for (r, router) in self.routers.iter_mut().enumerate() {
            let own = selections.iter().filter(|selections| {
                selections.layer == layer && (gate != Gate::Independent || selections.iteration == r)
            });
            let Some(directions) = directions(own) else { continue };
            router.bias = router.bias.take().map(|bias| {
                bias.map(|bias| {
                    let directions = TensorData::from(directions.as_slice()).convert_dtype(bias.dtype());
                    let directions = Tensor::<1>::from_data(directions, (&bias.device(), bias.dtype()));
                    (bias + directions * rate).detach().set_require_grad(false)
                })
            });
        }
    }
}

/// `sign(mean count - count_e)` over the summed `selections`; `None` without one. Counts are whole
/// numbers, so that nothing is rounded however many they are.
fn directions<'a>(selections: impl Iterator<Item = &'a Selections>) -> Option<Vec<f32>> {
    let counts = selections.map(|selections| selections.counts.iter().map(|&count| count as i64).collect());
    let sums = counts.reduce(|mut sums: Vec<i64>, counts| {
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sums
    })?;
    let (total, experts) = (sums.iter().sum::<i64>(), sums.len() as i64);
    Some(sums.into_iter().map(|count| (total - experts * count).signum() as f32).collect())
}
