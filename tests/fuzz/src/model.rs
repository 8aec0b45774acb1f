//! Any model at all, the larger part of them meaningless.

use arbitrary::{Result, Unstructured};
use coec_ir::{
    Act, Attention, Balance, ChainNorm, Coe, Dense, Ffn, Gate, GroupScore, Groups, Layer, Mha, Mla, Model,
    QkNorm, Residual, Rms, Rope, Router, Score, SharedAt, SharedGate, Stack, Tokens,
};

/// A model made of the fuzzer's bytes.
pub fn model(u: &mut Unstructured) -> Result<Model> {
    let kinds: Vec<Layer> = (0..u.int_in_range(1..=4)?).map(|_| layer(u)).collect::<Result<_>>()?;
    let order: Vec<&Layer> = (0..u.int_in_range(0..=12)?).map(|_| u.choose(&kinds)).collect::<Result<_>>()?;
    Ok(Model {
        name: "fuzzed".into(),
        doc: u.arbitrary::<&str>()?.replace('\r', "").trim_matches('\n').into(),
        vocab: size(u, 1 << 24)?,
        context: size(u, 1 << 24)?,
        dim: size(u, 1 << 17)?,
        norm: Rms { eps: real(u)? },
        embedding: Tokens { tied: u.arbitrary()? },
        layers: Stack::from_layers(order),
    })
}

fn layer(u: &mut Unstructured) -> Result<Layer> {
    let attention = if u.arbitrary()? { Attention::Mha(mha(u)?) } else { Attention::Mla(mla(u)?) };
    let ffn = if u.ratio(3, 4)? { Ffn::Coe(coe(u)?) } else { Ffn::Dense(dense(u)?) };
    Ok(Layer { attention, ffn })
}

fn mha(u: &mut Unstructured) -> Result<Mha> {
    let (heads, kv_heads) = match u.ratio(3, 4)? {
        true => {
            let kv_heads = u.int_in_range(1..=64)?;
            (kv_heads * u.int_in_range(1..=64)?, kv_heads)
        }
        false => (size(u, 4096)?, size(u, 4096)?),
    };
    let head_dim = width(u)?;
    Ok(Mha {
        heads,
        kv_heads,
        head_dim,
        rope: rope(u)?,
        qk_norm: *u.choose(QkNorm::ALL)?,
        bias: u.arbitrary()?,
    })
}

fn mla(u: &mut Unstructured) -> Result<Mla> {
    Ok(Mla {
        heads: size(u, 4096)?,
        kv_rank: size(u, 1 << 20)?,
        q_rank: if u.arbitrary()? { Some(size(u, 1 << 20)?) } else { None },
        nope: size(u, 1 << 20)?,
        rope_dim: width(u)?,
        value: size(u, 1 << 20)?,
        rope: rope(u)?,
    })
}

fn rope(u: &mut Unstructured) -> Result<Rope> {
    Ok(match u.arbitrary()? {
        true => Rope::Rope { theta: real(u)? },
        false => Rope::Yarn {
            theta: real(u)?,
            factor: real(u)?,
            original: size(u, 1 << 24)?,
            beta_fast: real(u)?,
            beta_slow: real(u)?,
            mscale: real(u)?,
            mscale_all_dim: real(u)?,
        },
    })
}

fn dense(u: &mut Unstructured) -> Result<Dense> {
    Ok(Dense { hidden: size(u, 1 << 20)?, act: *u.choose(&Act::ALL)? })
}

fn coe(u: &mut Unstructured) -> Result<Coe> {
    let iter = size(u, 64)?;
    let experts = size(u, 1 << 14)?;
    let entries = if u.ratio(9, 10)? { iter.min(64) } else { u.int_in_range(0..=65)? };
    let k = match u.arbitrary()? {
        true => vec![size(u, experts.min(1 << 14))?; entries],
        false => (0..entries).map(|_| size(u, experts.min(1 << 14))).collect::<Result<_>>()?,
    };
    let balance = (0..u.int_in_range(0..=4)?).map(|_| balance(u)).collect::<Result<_>>()?;
    Ok(Coe {
        iter,
        k,
        experts,
        shared: size(u, 1024)?,
        hidden: size(u, 1 << 20)?,
        act: *u.choose(&Act::ALL)?,
        residual: *u.choose(Residual::ALL)?,
        gate: *u.choose(Gate::ALL)?,
        norm: *u.choose(ChainNorm::ALL)?,
        shared_at: *u.choose(SharedAt::ALL)?,
        shared_gate: *u.choose(SharedGate::ALL)?,
        router: router(u, experts)?,
        balance,
    })
}

fn router(u: &mut Unstructured, experts: usize) -> Result<Router> {
    let groups = match u.int_in_range(0..=2)? {
        0 => None,
        1 => {
            let groups = (experts >> u.int_in_range(0..=4)?).max(1);
            Some(Groups { groups, keep: u.int_in_range(1..=groups)?, score: *u.choose(GroupScore::ALL)? })
        }
        _ => Some(Groups {
            groups: size(u, 1 << 14)?,
            keep: size(u, 1 << 14)?,
            score: *u.choose(GroupScore::ALL)?,
        }),
    };
    Ok(Router { score: *u.choose(Score::ALL)?, renorm: u.arbitrary()?, scale: real(u)?, groups })
}

fn balance(u: &mut Unstructured) -> Result<Balance> {
    let number = real(u)?;
    Ok(match u.int_in_range(0..=3)? {
        0 => Balance::SeqAux { alpha: number },
        1 => Balance::SwitchAux { alpha: number },
        2 => Balance::ZLoss { alpha: number },
        _ => Balance::Bias { rate: number },
    })
}

/// A count: mostly small, at times at a bound or beyond it.
fn size(u: &mut Unstructured, most: usize) -> Result<usize> {
    Ok(match u.int_in_range(0..=15)? {
        0 => 0,
        1 => most,
        2 => most.saturating_add(1),
        3 => u.arbitrary()?,
        4..=6 => u.int_in_range(1..=most.max(1))?,
        _ => u.int_in_range(1..=64.min(most.max(1)))?,
    })
}

/// The width of something rotary: mostly even.
fn width(u: &mut Unstructured) -> Result<usize> {
    Ok(if u.ratio(7, 8)? { 2 * u.int_in_range(1..=256)? } else { size(u, 1 << 20)? })
}

/// A number: mostly a sensible one, at times any.
fn real(u: &mut Unstructured) -> Result<f64> {
    Ok(match u.int_in_range(0..=7)? {
        0 => u.arbitrary()?,
        1 => *u.choose(&[0.0, -0.0, 1e-30, 1e6, 1e12, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE])?,
        2..=4 => f64::from(u.arbitrary::<u16>()?) / 65_535.0,
        _ => f64::from(u.arbitrary::<u16>()?) + 1.0,
    })
}
