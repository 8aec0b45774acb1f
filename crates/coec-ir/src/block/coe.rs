//! The Chain-of-Experts sublayer.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::words::words;
use crate::{
    Act, Balance, Flops, Init, Kept, NormAt, Param, Router, Score, Sublayer, binomials,
    params::{linear, mlp, router},
};

/// A pool of experts used in `iter` sequential iterations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coe {
    /// Iterations C.
    pub iter: usize,
    /// Experts selected per token, one entry per iteration.
    pub k: Vec<usize>,
    /// Routed experts E in the pool.
    pub experts: usize,
    /// Shared experts S, run unweighted where `shared_at` says.
    pub shared: usize,
    /// Width F of one expert.
    pub hidden: usize,
    /// Activation of every expert.
    pub act: Act,
    /// How iterations and the stream connect.
    pub residual: Residual,
    /// How many routers, and when they read.
    pub gate: Gate,
    /// Where the chain is normed.
    pub norm: ChainNorm,
    /// In which iterations the shared experts run.
    pub shared_at: SharedAt,
    /// What weighs their output.
    pub shared_gate: SharedGate,
    /// From logits to experts and weights.
    pub router: Router,
    /// Balance terms; empty for none.
    pub balance: Vec<Balance>,
    /// Biases on every projection of every expert.
    pub bias: bool,
    /// Whether the sublayer norms what its chain starts from, or what it adds to the stream.
    pub norm_at: NormAt,
    /// What it adds to the stream is multiplied with this.
    pub multiplier: f64,
}

/// How the iterations and the residual stream connect; see the table in the crate's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// Add inside the chain only.
    Inner,
    /// Add the stream to the last iteration's output.
    Outer,
    /// Both of the above.
    Both,
    /// Chain inside, add to the stream only what the experts made.
    Delta,
    /// Every iteration adds to the chain's start.
    Init,
    /// No addition anywhere.
    None,
}

/// How many routers a chain has, and when they read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// C routers, each reading its iteration's input.
    Independent,
    /// One router, read again in every iteration.
    Tied,
    /// One router, read once; the selection and the weights are reused.
    Frozen,
}

/// Where a chain is normed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainNorm {
    /// Once, before the first iteration.
    Once,
    /// Before every iteration, each with its own weights.
    Each,
    /// Before every iteration, with one set of weights.
    Tied,
}

/// In which iterations the shared experts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedAt {
    /// In all of them (the reference).
    Each,
    /// In the first only.
    First,
    /// In the last only.
    Last,
}

/// What weighs the output of the shared experts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedGate {
    /// Nothing: they are added as they are.
    None,
    /// `sigmoid(w . u_t)`, one `w` for all iterations (Qwen2-MoE).
    Sigmoid,
}

/// What one iteration carries to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carry {
    /// The state plus the experts' output.
    AddToState,
    /// The chain's start plus the experts' output.
    AddToStart,
    /// The experts' output alone.
    Replace,
}

/// What the experts' output is joined with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The state before the iteration.
    State,
    /// The chain's start.
    Start,
    /// Nothing: it stands alone.
    Nothing,
}

impl Carry {
    /// What the experts' output is joined with.
    pub fn joined(self) -> Joined {
        match self {
            Self::AddToState => Joined::State,
            Self::AddToStart => Joined::Start,
            Self::Replace => Joined::Nothing,
        }
    }
}

/// What the sublayer returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The chain's last state; the stream before the sublayer is dropped unless the chain holds it.
    State,
    /// The stream plus the last state.
    StreamPlusState,
    /// The stream plus what the chain added to its start.
    StreamPlusChange,
}

/// The data path of a chain, as `residual` and `norm` decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wiring {
    /// Whether the chain starts from `Norm(h)` (norm=once, norm_at=before) or from the stream `h` itself.
    pub starts_normed: bool,
    /// What one iteration carries to the next.
    pub carry: Carry,
    /// What the sublayer returns.
    pub output: Output,
}

impl Coe {
    /// A mixture in the ordinary block, `h + experts(Norm(h))`, that selects `k` of so many experts of a width by
    /// softmax, and nothing else.
    pub fn plain(k: usize, experts: usize, hidden: usize) -> Self {
        Self {
            iter: 1,
            k: vec![k],
            experts,
            shared: 0,
            hidden,
            act: Act::Swiglu,
            residual: Residual::Outer,
            gate: Gate::Independent,
            norm: ChainNorm::Once,
            shared_at: SharedAt::Each,
            shared_gate: SharedGate::None,
            router: Router::plain(Score::Softmax),
            balance: Vec::new(),
            bias: false,
            norm_at: NormAt::Before,
            multiplier: 1.0,
        }
    }

    /// The data path of this chain.
    pub fn wiring(&self) -> Wiring {
        let (carry, output) = match self.residual {
            Residual::Inner => (Carry::AddToState, Output::State),
            Residual::Outer => (Carry::Replace, Output::StreamPlusState),
            Residual::Both => (Carry::AddToState, Output::StreamPlusState),
            Residual::Delta => (Carry::AddToState, Output::StreamPlusChange),
            Residual::Init => (Carry::AddToStart, Output::State),
            Residual::None => (Carry::Replace, Output::State),
        };
        let starts_normed = self.norm == ChainNorm::Once && self.norm_at == NormAt::Before;
        Wiring { starts_normed, carry, output }
    }

    /// Routers with weights of their own: C, or 1 for a tied or frozen gate.
    pub fn routers(&self) -> usize {
        match self.gate {
            Gate::Independent => self.iter,
            Gate::Tied | Gate::Frozen => 1,
        }
    }

    /// How often a router is evaluated per token.
    pub fn routings(&self) -> usize {
        match self.gate {
            Gate::Independent | Gate::Tied => self.iter,
            Gate::Frozen => 1,
        }
    }

    /// Norms with weights of their own.
    pub fn norms(&self) -> usize {
        match self.norm {
            ChainNorm::Once | ChainNorm::Tied => 1,
            ChainNorm::Each => self.iter,
        }
    }

    /// Whether the shared experts run in iteration `t`, counted from 0.
    pub fn runs_shared(&self, t: usize) -> bool {
        self.shared > 0
            && match self.shared_at {
                SharedAt::Each => true,
                SharedAt::First => t == 0,
                SharedAt::Last => t + 1 == self.iter,
            }
    }

    /// Iterations in which the shared experts run.
    pub fn shared_runs(&self) -> usize {
        (0..self.iter).filter(|&t| self.runs_shared(t)).count()
    }

    /// Whether the output of the shared experts is weighed.
    pub fn gates_shared(&self) -> bool {
        self.shared > 0 && self.shared_gate == SharedGate::Sigmoid
    }

    /// Whether a selection bias acts, and so whether each router carries one.
    pub fn has_bias(&self) -> bool {
        self.balance.iter().any(|b| matches!(b, Balance::Bias { .. }))
    }

    /// Expert calls per token: the sum over iterations of K and the shared experts run.
    pub fn calls(&self) -> u128 {
        self.k.iter().map(|&k| k as u128).sum::<u128>() + (self.shared * self.shared_runs()) as u128
    }

    /// Experts selected per token, over the routings.
    pub fn selections(&self) -> u128 {
        self.k.iter().take(self.routings()).map(|&k| k as u128).sum()
    }

    /// Paths of a token through the pool: the product over routings of `binomial(E, K)`.
    pub fn paths(&self) -> BigUint {
        let routings = self.routings().min(self.k.len());
        binomials(self.experts, &self.k[..routings])
    }

    /// Routed experts that a token can have used in `passes` passes: `min(E, passes * sum of K over the routings)`.
    pub fn active_experts(&self, passes: usize) -> usize {
        (passes * self.k.iter().take(self.routings()).sum::<usize>()).min(self.experts)
    }

    /// Parameters of one expert in a model of width `dim`.
    pub fn expert_params(&self, dim: usize) -> u128 {
        (self.act.projections() * dim) as u128 * self.hidden as u128 + self.expert_biases(dim, 1)
    }

    /// Parameters of the shared experts, which are one MLP.
    fn shared_params(&self, dim: usize) -> u128 {
        match self.shared {
            0 => 0,
            shared => {
                let weights = (self.act.projections() * dim * shared) as u128 * self.hidden as u128;
                weights + self.expert_biases(dim, shared)
            }
        }
    }

    /// Elements of the biases of so many experts side by side.
    fn expert_biases(&self, dim: usize, experts: usize) -> u128 {
        if self.bias { self.first_product() * experts as u128 + dim as u128 } else { 0 }
    }

    /// FLOPs per token of the expert products.
    pub fn product_flops(&self, dim: usize) -> u128 {
        self.calls() * 2 * (self.act.projections() * dim) as u128 * self.hidden as u128
    }

    /// Width of an expert's first product: gate and up, or up alone.
    fn first_product(&self) -> u128 {
        (self.act.projections() - 1) as u128 * self.hidden as u128
    }

    /// The name of router `t` under `prefix`: `mlp.gate`, or `mlp.gate.t` where there are several.
    pub fn router_name(&self, prefix: &str, t: usize) -> String {
        indexed(&format!("{prefix}.gate"), t, self.routers())
    }

    /// The name of norm `t`, `norm` itself where there is one.
    pub fn norm_name(&self, norm: &str, t: usize) -> String {
        indexed(norm, t, self.norms())
    }
}

impl Sublayer for Coe {
    fn params(&self, dim: usize, norm: &str, prefix: &str) -> Vec<Param> {
        let mut params = Vec::new();
        for t in 0..self.norms() {
            params.push(Param::new(format!("{}.weight", indexed(norm, t, self.norms())), [dim], Init::Ones));
        }
        for t in 0..self.routers() {
            let name = self.router_name(prefix, t);
            params.push(router(format!("{name}.weight"), self.experts, dim));
            if self.router.bias {
                params.push(Param::new(format!("{name}.bias"), [self.experts], Init::Zeros));
            }
        }
        for e in 0..self.experts {
            params.extend(mlp(&format!("{prefix}.experts.{e}"), self.act, [dim, self.hidden], self.bias));
        }
        if self.shared > 0 {
            let width = self.shared * self.hidden;
            params.extend(mlp(&format!("{prefix}.shared_experts"), self.act, [dim, width], self.bias));
        }
        if self.gates_shared() {
            params.push(linear(format!("{prefix}.shared_expert_gate.weight"), 1, dim));
        }
        params
    }

    /// The selection biases.
    fn state(&self, prefix: &str) -> Vec<Param> {
        if !self.has_bias() {
            return Vec::new();
        }
        (0..self.routers())
            .map(|t| {
                let name = format!("{}.e_score_correction_bias", self.router_name(prefix, t));
                Param::new(name, [self.experts], Init::Zeros)
            })
            .collect()
    }

    /// Norms, routers, routed and shared experts, the gate of the shared ones.
    fn param_count(&self, dim: usize) -> u128 {
        let (d, e) = (dim as u128, self.experts as u128);
        self.norms() as u128 * d
            + self.routers() as u128 * e * (d + u128::from(self.router.bias))
            + e * self.expert_params(dim)
            + self.shared_params(dim)
            + if self.gates_shared() { d } else { 0 }
    }

    fn idle_params(&self, dim: usize, passes: usize) -> u128 {
        (self.experts - self.active_experts(passes)) as u128 * self.expert_params(dim)
    }

    fn flops(&self, dim: usize, context: usize) -> Flops {
        let router = 2 * (dim * self.experts) as u128 * self.routings() as u128;
        let shared_gate = if self.gates_shared() { 2 * (dim * self.shared_runs()) as u128 } else { 0 };
        Flops::exact(router + shared_gate + self.product_flops(dim), context)
    }

    /// As factors the inputs of iterations that experts alone read; those that a router or the gate of the
    /// shared experts reads, which multiply in f32, the stream and, where each input is normed, the state
    /// before; scores, gates, the first product of every expert called, and, where it is weighed, the output of
    /// the shared ones.
    fn kept(&self, dim: usize, _: usize) -> Kept {
        let (d, e) = (dim as u128, self.experts as u128);
        let is_factor = |&t: &usize| !(t < self.routings() || self.gates_shared() && self.runs_shared(t));
        let factors = (0..self.iter).filter(is_factor).count() as u128;
        let read = self.iter as u128 - factors;
        let states = if self.norm == ChainNorm::Once { 1 } else { self.iter as u128 };
        let gates = 4 * self.selections();
        let weighed = if self.gates_shared() { self.shared_runs() as u128 * (d + 1) } else { 0 };
        let scores = self.routings() as u128 * 2 * e;
        let others = (read + states) * d + scores + gates + weighed + self.calls() * self.first_product();
        Kept { factors: factors * d, others }
    }

    /// Rows of the input and of both gradients, and the gradient of the first product.
    fn transient(&self, dim: usize, _: usize) -> u128 {
        let k = self.k.iter().copied().max().unwrap_or(0) as u128;
        k * (3 * dim as u128 + self.first_product() + self.hidden as u128)
    }
}

/// `name`, or `name.t` where there are several.
fn indexed(name: &str, t: usize, count: usize) -> String {
    if count > 1 { format!("{name}.{t}") } else { name.to_string() }
}

words!(Residual { Inner => "inner", Outer => "outer", Both => "both", Delta => "delta", Init => "init", None => "none" });
words!(Gate { Independent => "independent", Tied => "tied", Frozen => "frozen" });
words!(ChainNorm { Once => "once", Each => "each", Tied => "tied" });
words!(SharedAt { Each => "each", First => "first", Last => "last" });
words!(SharedGate { None => "none", Sigmoid => "sigmoid" });
