//! The Chain-of-Experts sublayer: score, route, dispatch, combine, C times.

use burn::module::{Module, Param as Slot};
use burn::tensor::{Tensor, activation};
use coec_ir::{Carry, ChainNorm, Coe, Gate, Output, Site, Sublayer};
use coec_kernels::Precision;

use super::{
    balance,
    mlp::{Experts, Mlp},
    router::{Router, Routing},
};
use crate::{Maker, Pass, RmsNorm, maker::Params, pass};

/// A pool of experts used in sequence, see [`Coe`].
#[derive(Module, Debug)]
pub struct Chain {
    /// What it is.
    #[module(skip)]
    pub config: Coe,
    #[module(skip)]
    pub(super) layer: usize,
    /// One, or one per iteration for norm=each.
    pub norms: Vec<RmsNorm>,
    /// One, or one per iteration for gate=independent.
    pub routers: Vec<Router>,
    /// The routed experts.
    pub experts: Experts,
    /// The shared experts as one MLP of width S*F.
    pub shared: Option<Mlp>,
    /// What weighs them, `[1, D]`.
    pub shared_gate: Option<Slot<Tensor<2>>>,
}

/// What the sublayer tells the pass.
#[derive(Default)]
struct Observed {
    /// The weighted balance losses, `[1]`.
    aux_loss: Option<Tensor<1>>,
    /// One entry per routing.
    routings: Vec<pass::Observed>,
}

impl Chain {
    /// The block at `site`.
    pub fn new(make: &mut Maker, site: &Site, block: &Coe) -> Self {
        let mut params = Params::new(block.params(make.dim, &site.norm, &site.prefix));
        let mut biases = Params::new(block.state(&site.prefix));
        let norms = (0..block.norms()).map(|_| RmsNorm::new(make, params.next())).collect();
        let routers = (0..block.routers())
            .map(|_| Router {
                config: block.router.clone(),
                weight: make.one(params.next()),
                logits_bias: block.router.bias.then(|| make.one(params.next())),
                bias: block.has_bias().then(|| make.state(biases.next())),
            })
            .collect();
        let experts = Experts::new(make, &mut params, block.act, [block.experts, block.hidden], block.bias);
        let shared = (block.shared > 0).then(|| Mlp::new(make, &mut params, block.act, block.bias));
        let shared_gate = block.gates_shared().then(|| make.one(params.next()));
        Self { config: block.clone(), layer: site.layer, norms, routers, experts, shared, shared_gate }
    }

    /// The stream after the sublayer, `[B, T, D]`.
    pub fn forward(&self, h: Tensor<3>, pass: &mut Pass) -> Tensor<3> {
        let [b, t, d] = h.dims();
        let (config, precision) = (&self.config, pass.precision);
        let wiring = config.wiring();
        let stream = h.reshape([b * t, d]); // [N, D]
        let start = if wiring.starts_normed { self.norms[0].forward(stream.clone()) } else { stream.clone() };

        let mut observed = Observed::default();
        let mut state = start.clone();
        let mut change: Option<Tensor<2>> = None;
        let mut routing: Option<Routing> = None;
        for iteration in 0..config.iter {
            let u = if config.norm == ChainNorm::Once {
                state.clone()
            } else {
                self.norms[iteration.min(self.norms.len() - 1)].forward(state.clone())
            };
            let routing = match (&mut routing, config.gate) {
                (Some(first), Gate::Frozen) => first,
                (slot, _) => {
                    let router = &self.routers[iteration.min(self.routers.len() - 1)];
                    let new = router.forward(u.clone(), config.k[iteration], pass.selection());
                    observed.add(config, &new, b);
                    slot.insert(new)
                }
            };
            let (indices, gates) = (routing.indices.clone(), routing.gates.clone());
            let mut y = self.experts.forward(u.clone(), indices, gates, precision);
            if config.runs_shared(iteration)
                && let Some(shared) = self.shared(u, precision)
            {
                y = coec_kernels::add(y, shared);
            }
            if wiring.output == Output::StreamPlusChange {
                // Summed rather than taken as a difference: exact for one iteration.
                change = Some(match change {
                    Some(sum) => coec_kernels::add(sum, y.clone()),
                    None => y.clone(),
                });
                if iteration + 1 == config.iter {
                    break; // nobody reads the state any more
                }
            }
            state = match wiring.carry {
                Carry::AddToState => coec_kernels::add(state, y),
                Carry::AddToStart => coec_kernels::add(start.clone(), y),
                Carry::Replace => y,
            };
        }
        let out = match wiring.output {
            Output::State => state,
            Output::StreamPlusState => self.joined(stream, state),
            Output::StreamPlusChange => match change {
                Some(change) => self.joined(stream, change),
                None => stream,
            },
        };
        pass.observe(self.layer, observed.aux_loss, observed.routings);
        out.reshape([b, t, d])
    }

    /// The stream after the sublayer that made `change` of it, both `[N, D]`.
    fn joined(&self, stream: Tensor<2>, change: Tensor<2>) -> Tensor<2> {
        self.norms[0].joined(stream, change, self.config.norm_at, self.config.multiplier)
    }

    /// The output of the shared experts for u `[N, D]`, weighed where they have a gate, which is f32 as routers
    /// are.
    fn shared(&self, u: Tensor<2>, precision: Precision) -> Option<Tensor<2>> {
        let y = self.shared.as_ref()?.forward(u.clone(), precision); // [N, D]
        Some(match &self.shared_gate {
            Some(gate) => {
                let logits = coec_kernels::linear(u, gate.val(), Precision::F32); // [N, 1]
                y * activation::sigmoid(logits)
            }
            None => y,
        })
    }
}

impl Observed {
    fn add(&mut self, config: &Coe, routing: &Routing, batch: usize) {
        let counts = balance::counts(routing, batch); // [B, E]
        let loss = balance::loss(&config.balance, routing, config.router.score, &counts);
        self.aux_loss = match (self.aux_loss.take(), loss) {
            (Some(sum), Some(loss)) => Some(sum + loss),
            (sum, loss) => sum.or(loss),
        };
        self.routings.push(pass::Observed {
            counts: counts.sum_dim(0).reshape([config.experts]),
            scores: routing.scores.clone(),
            indices: routing.indices.clone(),
        });
    }
}
