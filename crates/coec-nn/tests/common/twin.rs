//! The slow, obvious forward pass: one token at a time, one expert at a time.
//!
//! It shares nothing with the modules but their parameters: no kernels, no batching, no masks, no rotary
//! tables, no balance code. Gradients come from Burn's tape over its plain operations. It exists to be compared
//! with, and is no part of the crate.
//!
//! Tests across crates include this file by its path.
//!
//! In bf16 it rounds where the definition says so, product by product; how a number is rounded, it asks the
//! kernels.

use std::f64::consts::TAU;

use burn::module::Param as Slot;
use burn::tensor::{Int, Tensor, activation, s};
use coec_ir::{
    Act, Balance, ChainNorm, Coe, Gate, GroupScore, LatentProjection, Mha, Mla, NormAt, Pairs, Projection,
    QkNorm, Residual, Rope, Score,
};
use coec_kernels::{Precision, rounded, with_rounded_gradient};
use coec_nn::{
    Attention, Chain, Ffn, LanguageModel, LatentAttention, Mlp, MultiHeadAttention, RmsNorm, Router, factors,
};

/// A row: one token's vector, `[1, width]`.
type Row = Tensor<2>;

/// What a pass comes to.
#[derive(Debug, Clone)]
pub struct Forward {
    /// `[B, T, V]`.
    pub logits: Tensor<3>,
    /// The weighted balance losses, `[1]`; `None` if the model has none.
    pub aux_loss: Option<Tensor<1>>,
}

/// Logits and balance losses for `tokens` `[B, T]`, computed row by row.
pub fn forward(model: &LanguageModel, tokens: Tensor<2, Int>, precision: coec_ir::Precision) -> Forward {
    let [batch, length] = tokens.dims();
    let ids: Vec<i64> = tokens.into_data().iter::<i64>().collect();
    let embedding = model.embedding.weight.val();
    let [_, d] = embedding.dims();
    let config = model.embedding.config;
    // h[b][t] is the stream of token t of sequence b.
    let mut h: Vec<Vec<Row>> = ids
        .chunks(length)
        .map(|ids| ids.iter().map(|&id| row(&embedding, id as usize) * config.multiplier).collect())
        .collect();

    let product = Product(factors(precision));
    let mut aux_loss: Option<Tensor<1>> = None;
    for &layer in model.passes() {
        let layer = &model.layers[layer];
        for sequence in &mut h {
            *sequence = match &layer.attention {
                Attention::MultiHead(block) => multi_head(block, sequence, product),
                Attention::Latent(block) => latent(block, sequence, product),
            };
        }
        match &layer.ffn {
            Ffn::Dense(dense) => {
                for h in h.iter_mut().flatten() {
                    let at = dense.config.norm_at;
                    let y = mlp(&dense.mlp, before(&dense.norm, h.clone(), at), product);
                    *h = h.clone() + after(&dense.norm, y, at) * dense.config.multiplier;
                }
            }
            Ffn::Chain(block) => {
                for loss in chain(block, &mut h, product) {
                    aux_loss = Some(match aux_loss {
                        Some(sum) => sum + loss,
                        None => loss,
                    });
                }
            }
        }
    }
    let head = model.head.weight.as_ref().map_or(embedding, |head| head.val());
    let rows = h
        .into_iter()
        .flatten()
        .map(|h| product.apply(&head, norm(&model.head.norm, h)) / config.logits_scaling)
        .collect();
    let vocab = head.dims()[0];
    let logits = Tensor::cat(rows, 0).reshape([batch, length, vocab]);
    debug_assert_eq!(head.dims()[1], d);
    Forward { logits, aux_loss }
}

fn row(matrix: &Tensor<2>, index: usize) -> Row {
    matrix.clone().slice(s![index..index + 1, ..])
}

/// `W x` for a weight `[out, in]` and a row `[1, in]`, all in f32.
fn apply(weight: &Tensor<2>, x: Row) -> Row {
    (weight.clone() * x).sum_dim(1).transpose() // each output is one dot product
}

/// How products are made: those of routers and of the gates of shared experts are not.
#[derive(Clone, Copy)]
struct Product(Precision);

impl Product {
    /// What is multiplied.
    fn factor(self, x: &Tensor<2>) -> Tensor<2> {
        rounded(x.clone(), self.0)
    }

    /// What came of it: on the way back it is a factor itself.
    fn result(self, y: Tensor<2>) -> Tensor<2> {
        with_rounded_gradient(y, self.0)
    }

    /// `W x`.
    fn apply(self, weight: &Tensor<2>, x: Row) -> Row {
        self.result(apply(&self.factor(weight), self.factor(&x)))
    }
}

fn norm(norm: &RmsNorm, x: Row) -> Row {
    let width = x.dims()[1] as f64;
    let mean = x.clone().powf_scalar(2.0).sum_dim(1) / width;
    x / (mean + norm.eps).sqrt() * norm.weight.val().unsqueeze()
}

/// What a sublayer reads.
fn before(by: &RmsNorm, h: Row, at: NormAt) -> Row {
    if at == NormAt::Before { norm(by, h) } else { h }
}

/// What it gives.
fn after(by: &RmsNorm, y: Row, at: NormAt) -> Row {
    if at == NormAt::After { norm(by, y) } else { y }
}

fn columns(x: &Row, start: usize, count: usize) -> Row {
    x.clone().slice(s![.., start..start + count])
}

/// Radians per position of pair `i` of `width / 2`.
fn frequency(rope: &Rope, width: usize, i: usize) -> f64 {
    let d = width as f64;
    let plain = |theta: f64| 1.0 / theta.powf(2.0 * i as f64 / d);
    match *rope {
        Rope::Rope { theta, .. } => plain(theta),
        Rope::Yarn { theta, factor, original, beta_fast, beta_slow, truncate, .. } => {
            let turning = |beta: f64| d * (original as f64 / (beta * TAU)).ln() / (2.0 * theta.ln());
            let (mut low, mut high) = (turning(beta_fast), turning(beta_slow));
            if truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            let (low, high) = (low.max(0.0), high.min(d - 1.0));
            let ramp = (i as f64 - low) / if low == high { 0.001 } else { high - low };
            let ramp = ramp.clamp(0.0, 1.0);
            plain(theta) * (1.0 - ramp) + plain(theta) / factor * ramp
        }
    }
}

/// YaRN's factor of the softmax scale.
fn softmax_factor(rope: &Rope) -> f64 {
    match *rope {
        Rope::Rope { .. } => 1.0,
        Rope::Yarn { factor, mscale_all_dim, .. } => (0.1 * mscale_all_dim * factor.ln() + 1.0).powi(2),
    }
}

/// The two dimensions of pair `i`, of so many.
fn paired(pairs: Pairs, width: usize, i: usize) -> (usize, usize) {
    match pairs {
        Pairs::Halves => (i, i + width / 2),
        Pairs::Neighbours => (2 * i, 2 * i + 1),
    }
}

/// Rotates the pairs that `pair(i)` names by position times frequency.
fn rotate(x: Row, position: usize, rope: &Rope, pair: impl Fn(usize, usize) -> (usize, usize)) -> Row {
    let whole = x.dims()[1];
    let (Rope::Rope { dim, .. } | Rope::Yarn { dim, .. }) = *rope;
    let width = dim.unwrap_or(whole);
    let magnitude = match *rope {
        Rope::Rope { .. } => 1.0,
        Rope::Yarn { factor, mscale, mscale_all_dim, .. } => {
            (0.1 * mscale * factor.ln() + 1.0) / (0.1 * mscale_all_dim * factor.ln() + 1.0)
        }
    };
    let mut out: Vec<Option<Row>> = (0..whole).map(|i| (i >= width).then(|| columns(&x, i, 1))).collect();
    for i in 0..width / 2 {
        let (sin, cos) = (position as f64 * frequency(rope, width, i)).sin_cos();
        let (first, second) = pair(width, i);
        let (a, b) = (columns(&x, first, 1), columns(&x, second, 1));
        out[first] = Some((a.clone() * cos - b.clone() * sin) * magnitude);
        out[second] = Some((b * cos + a * sin) * magnitude);
    }
    Tensor::cat(out.into_iter().flatten().collect(), 1)
}

/// One query against the keys and values so far.
fn attend(
    q: Row,
    keys: &[Row],
    values: &[Row],
    (scale, window, sink): (f64, Option<usize>, Option<Row>),
    product: Product,
) -> Row {
    let unseen = keys.len().saturating_sub(window.unwrap_or(keys.len()));
    let (keys, values) = (&keys[unseen..], &values[unseen..]);
    let q = product.factor(&q);
    let score = |k: &Row| product.result((q.clone() * product.factor(k)).sum_dim(1)) * scale;
    let scores = keys.iter().map(score).chain(sink).collect();
    let weights = activation::softmax(Tensor::cat(scores, 1), 1);
    let weights = product.factor(&weights);
    let mixed = values.iter().enumerate().map(|(s, v)| product.factor(v) * columns(&weights, s, 1));
    product.result(mixed.reduce(|sum, v| sum + v).expect("a token sees itself"))
}

/// The sink of a head, if there is one.
fn sink_of(sinks: &Option<Slot<Tensor<1>>>, head: usize) -> Option<Row> {
    sinks.as_ref().map(|sinks| sinks.val().slice(s![head..head + 1]).unsqueeze())
}

fn multi_head(block: &MultiHeadAttention, h: &[Row], product: Product) -> Vec<Row> {
    let Mha { heads, kv_heads, head_dim: d, rope, qk_norm, qk_norm_at, pairs, .. } = &block.config;
    let scale = softmax_factor(rope) * block.config.scale.unwrap_or(1.0 / (*d as f64).sqrt());
    let biased = |y: Row, which: Projection| match block.config.bias.iter().position(|p| *p == which) {
        Some(i) => y + block.biases[i].val().unsqueeze(),
        None => y,
    };
    let pair = |width: usize, i: usize| paired(*pairs, width, i);
    let (mut keys, mut values) = (vec![Vec::new(); *kv_heads], vec![Vec::new(); *kv_heads]);
    let mut out = Vec::new();
    for (t, stream) in h.iter().enumerate() {
        let x = before(&block.norm, stream.clone(), block.config.norm_at);
        let q = biased(product.apply(&block.q_proj.val(), x.clone()), Projection::Q);
        let k = biased(product.apply(&block.k_proj.val(), x.clone()), Projection::K);
        let v = biased(product.apply(&block.v_proj.val(), x), Projection::V);
        let norms = block.q_norm.as_ref().zip(block.k_norm.as_ref());
        let heads_of = |x: &Row, count: usize| (0..count).map(|j| columns(x, j * d, *d)).collect::<Vec<_>>();
        let turned =
            |heads: Vec<Row>| heads.into_iter().map(|x| rotate(x, t, rope, pair)).collect::<Vec<_>>();
        let normed = |heads: Vec<Row>, by: Option<&RmsNorm>| match (qk_norm, by) {
            (QkNorm::Full, Some(by)) => {
                let count = heads.len();
                heads_of(&norm(by, Tensor::cat(heads, 1)), count)
            }
            (QkNorm::Head, Some(by)) => heads.into_iter().map(|x| norm(by, x)).collect(),
            _ => heads,
        };
        let prepared = |x: &Row, count: usize, by: Option<&RmsNorm>| match qk_norm_at {
            NormAt::Before => turned(normed(heads_of(x, count), by)),
            NormAt::After => normed(turned(heads_of(x, count)), by),
        };
        let queries = prepared(&q, *heads, norms.map(|(q, _)| q));
        let new_keys = prepared(&k, *kv_heads, norms.map(|(_, k)| k));
        for (j, k) in new_keys.into_iter().enumerate() {
            keys[j].push(k);
            values[j].push(columns(&v, j * d, *d));
        }
        let mixed = queries.into_iter().enumerate().map(|(j, q)| {
            let kv = j / (heads / kv_heads);
            attend(q, &keys[kv], &values[kv], (scale, block.config.window, sink_of(&block.sinks, j)), product)
        });
        let y = product.apply(&block.o_proj.val(), Tensor::cat(mixed.collect(), 1));
        let y = after(&block.norm, biased(y, Projection::O), block.config.norm_at);
        out.push(stream.clone() + y * block.config.multiplier);
    }
    out
}

fn latent(block: &LatentAttention, h: &[Row], product: Product) -> Vec<Row> {
    let Mla { heads, kv_rank, nope, rope_dim, value, rope, pairs, .. } = &block.config;
    let scale = softmax_factor(rope) * block.config.scale.unwrap_or(1.0 / ((nope + rope_dim) as f64).sqrt());
    let pair = |width: usize, i: usize| paired(*pairs, width, i);
    let biased = |y: Row, which: LatentProjection| match block.config.biased().position(|p| p == which) {
        Some(i) => y + block.biases[i].val().unsqueeze(),
        None => y,
    };
    let (mut keys, mut values) = (vec![Vec::new(); *heads], vec![Vec::new(); *heads]);
    let mut out = Vec::new();
    for (t, stream) in h.iter().enumerate() {
        let x = before(&block.norm, stream.clone(), block.config.norm_at);
        let q = match (&block.q_a_proj, &block.q_a_layernorm) {
            (Some(down), Some(down_norm)) => {
                norm(down_norm, biased(product.apply(&down.val(), x.clone()), LatentProjection::QA))
            }
            _ => x.clone(),
        };
        let q = product.apply(&block.q_proj.val(), q);
        let down = biased(product.apply(&block.kv_a_proj_with_mqa.val(), x), LatentProjection::KvA);
        let key = rotate(columns(&down, *kv_rank, *rope_dim), t, rope, pair);
        let normed = norm(&block.kv_a_layernorm, columns(&down, 0, *kv_rank));
        let kv = product.apply(&block.kv_b_proj.val(), normed);
        let mut mixed = Vec::new();
        for j in 0..*heads {
            let kv = columns(&kv, j * (nope + value), nope + value);
            keys[j].push(Tensor::cat(vec![columns(&kv, 0, *nope), key.clone()], 1));
            values[j].push(columns(&kv, *nope, *value));
            let q = columns(&q, j * (nope + rope_dim), nope + rope_dim);
            let rotated = rotate(columns(&q, *nope, *rope_dim), t, rope, pair);
            let q = Tensor::cat(vec![columns(&q, 0, *nope), rotated], 1);
            mixed.push(attend(
                q,
                &keys[j],
                &values[j],
                (scale, block.config.window, sink_of(&block.sinks, j)),
                product,
            ));
        }
        let y = product.apply(&block.o_proj.val(), Tensor::cat(mixed, 1));
        let y = after(&block.norm, biased(y, LatentProjection::O), block.config.norm_at);
        out.push(stream.clone() + y * block.config.multiplier);
    }
    out
}

fn act(act: Act, wide: Row) -> Row {
    let gelu = |x: Row| {
        let cdf = ((x.clone() / 2f64.sqrt()).erf() + 1.0) / 2.0;
        x * cdf
    };
    let f = wide.dims()[1] / 2;
    match act {
        Act::Swiglu => {
            let gate = columns(&wide, 0, f);
            let silu = gate.clone() / ((-gate).exp() + 1.0);
            silu * columns(&wide, f, f)
        }
        Act::Geglu => gelu(columns(&wide, 0, f)) * columns(&wide, f, f),
        Act::Clamped => {
            let (gate, up) = (columns(&wide, 0, f), columns(&wide, f, f));
            // Beyond the clamp nothing flows back.
            let gate = gate.clone().mask_fill(gate.greater_elem(7.0), 7.0);
            let up =
                up.clone().mask_fill(up.clone().greater_elem(7.0), 7.0).mask_fill(up.lower_elem(-7.0), -7.0);
            gate.clone() / ((gate * -1.702).exp() + 1.0) * (up + 1.0)
        }
        Act::Gelu => gelu(wide),
        // Negative values become 0; NaN is not one of them.
        Act::Relu2 => wide.clone().mask_fill(wide.lower_elem(0.0), 0.0).powf_scalar(2.0),
    }
}

fn mlp(block: &Mlp, x: Row, product: Product) -> Row {
    let biased = |y: Row, i: usize| match &block.biases {
        Some(biases) => y + biases[i].val().unsqueeze(),
        None => y,
    };
    let hidden = act(block.act, biased(product.apply(&block.w_in.val(), x), 0));
    biased(product.apply(&block.w_out.val(), hidden), 1)
}

/// One token's routing: the scores, and the selected experts with their weights.
struct Routed {
    logits: Row,
    scores: Row,
    chosen: Vec<(usize, Row)>,
}

fn route(router: &Router, u: Row, k: usize) -> Routed {
    let mut logits = apply(&router.weight.val(), u);
    if let Some(bias) = &router.logits_bias {
        logits = logits + bias.val().unsqueeze();
    }
    let exp = logits.clone().exp();
    let scores = match router.config.score {
        Score::Softmax => exp.clone() / exp.sum_dim(1),
        Score::Sigmoid => exp.clone() / (exp + 1.0),
    };
    let values = |x: &Row| x.clone().into_data().iter::<f64>().collect::<Vec<_>>();
    let mut ranked = values(&scores);
    if let Some(bias) = &router.bias {
        let bias: Vec<f64> = bias.val().into_data().iter::<f64>().collect();
        ranked.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
    }
    let best = |values: &[f64], count: usize| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));
        order.truncate(count);
        order
    };
    if let Some(groups) = &router.config.groups {
        let size = ranked.len() / groups.groups;
        let of_group: Vec<f64> = ranked
            .chunks(size)
            .map(|group| {
                let top = best(group, 2);
                match groups.score {
                    GroupScore::Max => group[top[0]],
                    GroupScore::Top2 => group[top[0]] + group[top[1]],
                }
            })
            .collect();
        let kept = best(&of_group, groups.keep);
        for (e, score) in ranked.iter_mut().enumerate() {
            if !kept.contains(&(e / size)) {
                *score = f64::NEG_INFINITY;
            }
        }
    }
    let chosen = best(&ranked, k);
    let mut gates: Vec<Row> = chosen.iter().map(|&e| columns(&scores, e, 1)).collect();
    if router.config.renorm {
        let sum = gates.iter().cloned().reduce(|a, b| a + b).expect("k is at least 1") + 1e-20;
        gates = gates.into_iter().map(|gate| gate / sum.clone()).collect();
    }
    let gates = gates.into_iter().map(|gate| gate * router.config.scale);
    Routed { logits, scores, chosen: chosen.iter().copied().zip(gates).collect() }
}

/// Runs the chain on every token; returns the balance losses.
fn chain(block: &Chain, h: &mut [Vec<Row>], product: Product) -> Vec<Tensor<1>> {
    let config = &block.config;
    let experts = &block.experts;
    let (w_in, w_out) = (experts.w_in.val(), experts.w_out.val());
    let expert = |e: usize, u: Row| {
        let weight = |w: &Tensor<3>| w.clone().slice(s![e..e + 1, .., ..]).squeeze_dim::<2>(0);
        let biases = experts.biases.as_ref();
        let biased = |y: Row, i: usize| match biases {
            Some(biases) => y + biases[i].val().slice(s![e..e + 1, ..]),
            None => y,
        };
        let hidden = act(experts.act, biased(product.apply(&weight(&w_in), u), 0));
        biased(product.apply(&weight(&w_out), hidden), 1)
    };
    // routings[iteration][sequence][token]
    let mut routings: Vec<Vec<Vec<Routed>>> =
        (0..config.routings()).map(|_| h.iter().map(|_| Vec::new()).collect()).collect();
    for (b, sequence) in h.iter_mut().enumerate() {
        for (t, stream) in sequence.iter_mut().enumerate() {
            let once = config.norm == ChainNorm::Once;
            let at = config.norm_at;
            let z0 = if once { before(&block.norms[0], stream.clone(), at) } else { stream.clone() };
            let mut z = z0.clone();
            for c in 0..config.iter {
                let u = match config.norm {
                    ChainNorm::Once => z.clone(),
                    ChainNorm::Each => norm(&block.norms[c], z.clone()),
                    ChainNorm::Tied => norm(&block.norms[0], z.clone()),
                };
                if c == 0 || config.gate != Gate::Frozen {
                    let router = if config.gate == Gate::Independent { c } else { 0 };
                    let routed = route(&block.routers[router], u.clone(), config.k[c]);
                    routings[c][b].push(routed);
                }
                let routed = &routings[if config.gate == Gate::Frozen { 0 } else { c }][b][t];
                let mut y = z.zeros_like();
                for (e, gate) in &routed.chosen {
                    y = y + expert(*e, u.clone()) * gate.clone();
                }
                if let Some(shared) = block.shared.as_ref().filter(|_| config.runs_shared(c)) {
                    let mut shared = mlp(shared, u.clone(), product);
                    if let Some(gate) = &block.shared_gate {
                        shared = shared / ((-apply(&gate.val(), u)).exp() + 1.0);
                    }
                    y = y + shared;
                }
                z = match config.residual {
                    Residual::Inner | Residual::Both | Residual::Delta => z + y,
                    Residual::Init => z0.clone() + y,
                    Residual::Outer | Residual::None => y,
                };
            }
            *stream = match config.residual {
                Residual::Inner | Residual::Init | Residual::None => z,
                Residual::Outer | Residual::Both => {
                    stream.clone() + after(&block.norms[0], z, at) * config.multiplier
                }
                Residual::Delta => stream.clone() + after(&block.norms[0], z - z0, at) * config.multiplier,
            };
        }
    }
    routings.iter().flat_map(|routing| balance(config, routing)).collect()
}

/// The balance losses of one iteration.
fn balance(config: &Coe, routing: &[Vec<Routed>]) -> Vec<Tensor<1>> {
    let share = |routed: &Routed| match config.router.score {
        Score::Softmax => routed.scores.clone(),
        Score::Sigmoid => routed.scores.clone() / routed.scores.clone().sum_dim(1),
    };
    // sum_e f_e P_e over some tokens
    let evenness = |tokens: &[&Routed]| {
        let mut f = vec![0.0; config.experts];
        for (e, _) in tokens.iter().flat_map(|routed| &routed.chosen) {
            f[*e] += config.experts as f64 / (tokens[0].chosen.len() * tokens.len()) as f64;
        }
        let shares = tokens.iter().map(|routed| share(routed)).reduce(|a, b| a + b);
        let p = shares.expect("there are tokens") / tokens.len() as f64;
        let terms = f.into_iter().enumerate().map(|(e, f)| columns(&p, e, 1) * f);
        terms.reduce(|a, b| a + b).expect("there are experts").reshape([1])
    };
    let all: Vec<&Routed> = routing.iter().flatten().collect();
    let mut losses = Vec::new();
    for term in &config.balance {
        match *term {
            Balance::SeqAux { alpha } => {
                for sequence in routing {
                    let tokens: Vec<&Routed> = sequence.iter().collect();
                    losses.push(evenness(&tokens) * (alpha / routing.len() as f64));
                }
            }
            Balance::SwitchAux { alpha } => losses.push(evenness(&all) * alpha),
            Balance::ZLoss { alpha } => {
                for routed in &all {
                    let log_sum = routed.logits.clone().exp().sum_dim(1).log();
                    losses.push(log_sum.square().reshape([1]) * (alpha / all.len() as f64));
                }
            }
            Balance::Bias { .. } => {}
        }
    }
    losses
}
