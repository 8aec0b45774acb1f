//! Any model at all, the larger part of them meaningless.

use arbitrary::{Error, Result, Unstructured};
use coec_ir::table::{Block, Default, Field, Kind, Table, Tabled, Value};
use coec_ir::{Attention, Coe, Ffn, Groups, Layer, Loop, Mha, Mla, Model, Rms, Stack, Tokens};

/// A model made of the fuzzer's bytes.
pub fn model(u: &mut Unstructured) -> Result<Model> {
    let kinds: Vec<Layer> = (0..u.int_in_range(1..=4)?).map(|_| layer(u)).collect::<Result<_>>()?;
    let order: Vec<&Layer> = (0..u.int_in_range(0..=12)?).map(|_| u.choose(&kinds)).collect::<Result<_>>()?;
    let a_loop = |u: &mut Unstructured| {
        let (start, more) = (u.int_in_range(0..=12)?, u.int_in_range(0..=4)?);
        Ok(Loop { start, end: start + more, times: size(u, 64)? })
    };
    let loops = (0..u.int_in_range(0..=2)?).map(|_| a_loop(u)).collect::<Result<Vec<_>>>()?;
    Ok(Model {
        name: "fuzzed".into(),
        doc: u.arbitrary::<&str>()?.replace('\r', "").trim_matches('\n').into(),
        vocab: size(u, 1 << 24)?,
        context: size(u, 1 << 24)?,
        dim: size(u, 1 << 17)?,
        norm: Rms { eps: real(u)? },
        embedding: Tokens { tied: u.arbitrary()?, multiplier: real(u)?, logits_scaling: real(u)? },
        layers: Stack::from_layers(order).with_loops(loops),
    })
}

fn layer(u: &mut Unstructured) -> Result<Layer> {
    let attention = Attention::read(&block(u, Attention::TABLES)?).ok_or(Error::IncorrectFormat)?;
    let ffn = Ffn::read(&block(u, Ffn::TABLES)?).ok_or(Error::IncorrectFormat)?;
    Ok(Layer { attention: sensible_attention(u, attention)?, ffn: sensible_ffn(u, ffn)? })
}

/// A block of one of the words, its values as their tables have them or beyond their bounds.
fn block(u: &mut Unstructured, tables: &'static [Table]) -> Result<Block> {
    let table = u.choose(tables)?;
    let values = table.fields.iter().map(|field| field_value(u, table, field)).collect::<Result<_>>()?;
    Ok(Block { table, values })
}

fn field_value(u: &mut Unstructured, table: &Table, field: &Field) -> Result<Option<Value>> {
    if field.default == Default::Nothing && u.arbitrary()? {
        return Ok(None);
    }
    let is_fixed = table.fixed.iter().any(|(name, _)| *name == field.name);
    Ok(Some(match (field.kind, table.default(field)) {
        (_, Default::Count(n)) if is_fixed => Value::Count(n),
        (_, Default::Word(word)) if is_fixed => Value::Word(word),
        (Kind::Count(bounds), _) => Value::Count(size(u, bounds.max as usize)?),
        (Kind::OptionalCount(bounds), _) => match u.arbitrary()? {
            true => Value::Count(size(u, bounds.max as usize)?),
            false => Value::Word("none"),
        },
        (Kind::Counts(bounds, _), _) => {
            let entries = if u.arbitrary()? { 1 } else { u.int_in_range(0..=65)? };
            let count = |_| size(u, bounds.max as usize).map(Value::Count);
            Value::List((0..entries).map(count).collect::<Result<_>>()?)
        }
        (Kind::Real(_), _) => Value::Real(real(u)?),
        (Kind::Pair(_), _) => Value::List(vec![Value::Real(real(u)?), Value::Real(real(u)?)]),
        (Kind::Reals(_), _) => Value::List(vec![Value::Real(real(u)?)]),
        (Kind::Texts, _) => Value::List(vec![Value::Text(u.arbitrary::<&str>()?.into())]),
        (Kind::Amount, _) => {
            if u.arbitrary()? {
                Value::Count(u.arbitrary()?)
            } else {
                Value::Real(real(u)?)
            }
        }
        (Kind::Flag, _) => Value::Flag(u.arbitrary()?),
        (Kind::Text, _) => Value::Text(u.arbitrary::<&str>()?.into()),
        (Kind::Name(names, _), _) => Value::Text((*u.choose(names)?).into()),
        (Kind::Word(words), _) => Value::Word(*u.choose(&words())?),
        (Kind::Words(words), _) => {
            let mut some = words();
            some.retain(|_| u.arbitrary().unwrap_or_default());
            Value::List(some.into_iter().map(Value::Word).collect())
        }
        (Kind::Block(tables), _) => Value::Block(block(u, tables)?),
        (Kind::Blocks(tables), _) => {
            let terms = u.int_in_range(0..=4)?;
            let blocks = (0..terms).map(|_| block(u, tables).map(Value::Block));
            Value::List(blocks.collect::<Result<_>>()?)
        }
    }))
}

/// The same, mostly with fields that agree with each other.
fn sensible_attention(u: &mut Unstructured, attention: Attention) -> Result<Attention> {
    Ok(match attention {
        Attention::Mha(b) if u.ratio(3, 4)? => {
            let kv_heads = u.int_in_range(1..=64)?;
            let heads = kv_heads * u.int_in_range(1..=64)?;
            Attention::Mha(Mha { heads, kv_heads, head_dim: width(u)?, ..b })
        }
        Attention::Mla(b) if u.ratio(7, 8)? => Attention::Mla(Mla { rope_dim: width(u)?, ..b }),
        other => other,
    })
}

/// The same, mostly with fields that agree with each other.
fn sensible_ffn(u: &mut Unstructured, ffn: Ffn) -> Result<Ffn> {
    let Ffn::Coe(b) = ffn else { return Ok(ffn) };
    if u.ratio(1, 8)? {
        return Ok(Ffn::Coe(b));
    }
    let least = b.experts.clamp(1, 1 << 14);
    let given: Vec<usize> = b.k.iter().map(|k| (*k).clamp(1, least)).collect();
    let k = (0..b.iter.min(64)).map(|t| given.get(t % given.len().max(1)).copied().unwrap_or(1)).collect();
    let mut router = b.router;
    if let Some(groups) = &mut router.groups
        && u.arbitrary()?
    {
        let count = (b.experts >> u.int_in_range(0..=4)?).max(1);
        *groups = Groups { groups: count, keep: u.int_in_range(1..=count)?, ..*groups };
    }
    Ok(Ffn::Coe(Coe { k, router, ..b }))
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
