//! The blocks of a model as values of the language.

use super::value::{Block, Value};
use crate::{Attention, Balance, Coe, Dense, Ffn, Mha, Mla, Rope, Router};

/// An attention block, field by field.
pub fn attention_value(attention: &Attention) -> Value {
    match attention {
        Attention::Mha(b) => mha(b).into(),
        Attention::Mla(b) => mla(b).into(),
    }
}

/// A feed-forward block, field by field.
pub fn ffn_value(ffn: &Ffn) -> Value {
    match ffn {
        Ffn::Coe(b) => coe(b).into(),
        Ffn::Dense(b) => dense(b).into(),
    }
}

fn mha(b: &Mha) -> Block {
    Block::new("mha")
        .with("heads", Value::plain(b.heads))
        .with("kv_heads", Value::plain(b.kv_heads))
        .with("head_dim", Value::plain(b.head_dim))
        .with("rope", rope(&b.rope).into())
        .with("qk_norm", Value::plain(b.qk_norm.word()))
        .with("bias", Value::plain(b.bias))
}

fn mla(b: &Mla) -> Block {
    Block::new("mla")
        .with("heads", Value::plain(b.heads))
        .with("kv_rank", Value::plain(b.kv_rank))
        .with("q_rank", b.q_rank.map_or(Value::plain("none"), Value::plain))
        .with("nope", Value::plain(b.nope))
        .with("rope_dim", Value::plain(b.rope_dim))
        .with("value", Value::plain(b.value))
        .with("rope", rope(&b.rope).into())
}

fn rope(rope: &Rope) -> Block {
    match *rope {
        Rope::Rope { theta } => Block::new("rope").with("theta", Value::real(theta)),
        Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim } => {
            Block::new("yarn")
                .with("theta", Value::real(theta))
                .with("factor", Value::real(factor))
                .with("original", Value::plain(original))
                .with("beta_fast", Value::real(beta_fast))
                .with("beta_slow", Value::real(beta_slow))
                .with("mscale", Value::real(mscale))
                .with("mscale_all_dim", Value::real(mscale_all_dim))
        }
    }
}

fn dense(b: &Dense) -> Block {
    Block::new("dense").with("hidden", Value::plain(b.hidden)).with("act", Value::plain(b.act.word()))
}

fn coe(b: &Coe) -> Block {
    let k = match b.k.split_first() {
        Some((first, rest)) if rest.iter().all(|k| k == first) => Value::plain(first),
        _ => Value::List(b.k.iter().map(Value::plain).collect()),
    };
    Block::new("coe")
        .with("iter", Value::plain(b.iter))
        .with("k", k)
        .with("experts", Value::plain(b.experts))
        .with("shared", Value::plain(b.shared))
        .with("hidden", Value::plain(b.hidden))
        .with("act", Value::plain(b.act.word()))
        .with("residual", Value::plain(b.residual.word()))
        .with("gate", Value::plain(b.gate.word()))
        .with("norm", Value::plain(b.norm.word()))
        .with("shared_at", Value::plain(b.shared_at.word()))
        .with("shared_gate", Value::plain(b.shared_gate.word()))
        .with("router", router(&b.router).into())
        .with("balance", balances(&b.balance))
}

fn router(b: &Router) -> Block {
    let router =
        Block::new(b.score.word()).with("renorm", Value::plain(b.renorm)).with("scale", Value::real(b.scale));
    match b.groups {
        None => router,
        Some(groups) => router
            .with("groups", Value::plain(groups.groups))
            .with("keep", Value::plain(groups.keep))
            .with("group_score", Value::plain(groups.score.word())),
    }
}

fn balances(terms: &[Balance]) -> Value {
    match terms {
        [] => Value::plain("none"),
        [one] => balance(one).into(),
        several => Value::List(several.iter().map(|term| balance(term).into()).collect()),
    }
}

fn balance(balance: &Balance) -> Block {
    let block = Block::new(balance.word());
    match *balance {
        Balance::SeqAux { alpha } | Balance::SwitchAux { alpha } | Balance::ZLoss { alpha } => {
            block.with("alpha", Value::real(alpha))
        }
        Balance::Bias { rate } => block.with("rate", Value::real(rate)),
    }
}
