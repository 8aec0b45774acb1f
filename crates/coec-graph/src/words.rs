//! Blocks in words: what both pictures say of them.

use coec_ir::table::Described;
use coec_ir::{
    Balance, ChainNorm, Coe, Dense, Gate, Groups, Loop, Model, SharedAt, SharedGate, counted, grouped,
};

use crate::plan::{Kind, Share};

/// A title and what there is to say below it, in parts that a line may break between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    pub title: String,
    pub details: Vec<String>,
}

impl Words {
    fn new(title: impl Into<String>, details: impl IntoIterator<Item = String>) -> Self {
        Self { title: title.into(), details: details.into_iter().collect() }
    }
}

/// `780.9 M`: four digits at most, by integers alone, so that every machine writes the same.
pub(crate) fn short(number: u128) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let mut unit = 1u128;
    let mut prefix = 0;
    while prefix + 1 < PREFIXES.len() && number / unit >= 1000 {
        unit *= 1000;
        prefix += 1;
    }
    if prefix == 0 {
        return number.to_string();
    }
    let decimals = match number / unit {
        0..10 => 3,
        10..100 => 2,
        _ => 1,
    };
    let scale = 10u128.pow(decimals);
    let step = unit / scale;
    let scaled = (number + step / 2) / step;
    format!("{}.{:0width$}{}", scaled / scale, scaled % scale, PREFIXES[prefix], width = decimals as usize)
}

/// A share of a whole in thousandths, rounded to the nearest.
pub(crate) fn thousandths(part: u128, whole: u128) -> u128 {
    (part * 1000 + whole / 2).checked_div(whole).unwrap_or(0)
}

/// `73.1%`; of what is there and yet too little to show, `<0.1%`.
pub(crate) fn percent(part: u128, whole: u128) -> String {
    match thousandths(part, whole) {
        0 if part == 0 => "0%".into(),
        0 => "<0.1%".into(),
        share => format!("{}.{}%", share / 10, share % 10),
    }
}

/// `params 73.1%, FLOPs 51.0%`.
pub(crate) fn shares(share: Share, total: Share) -> String {
    format!("params {}, FLOPs {}", percent(share.params, total.params), percent(share.flops, total.flops))
}

/// What the model is, in one line.
pub(crate) fn model(model: &Model, total: Share) -> String {
    format!(
        "{}, width {}, context {} · {} parameters, {}FLOP a token forward",
        counted(model.layers.len(), "layer"),
        grouped(model.dim),
        grouped(model.context),
        short(total.params),
        spaced(short(total.flops)),
    )
}

/// A number ready for a unit: `423.1 M` before `FLOP`, `12 ` otherwise.
fn spaced(number: String) -> String {
    if number.contains(' ') { number } else { format!("{number} ") }
}

pub(crate) fn embedding(model: &Model, tied: bool) -> Words {
    let table = format!("{} tokens × {}", grouped(model.vocab), grouped(model.dim));
    Words::new("Token embedding", [table].into_iter().chain(tied.then(|| "shared with the head".into())))
}

pub(crate) fn head(model: &Model, tied: bool) -> Words {
    let table = match tied {
        true => "the embedding's table".into(),
        false => format!("{} → {} logits", grouped(model.dim), grouped(model.vocab)),
    };
    Words::new("Output head", ["final norm".to_string(), table])
}

/// `Layers 0 to 3`; numbers of long lists are left out, their count is said elsewhere.
pub(crate) fn layers(kind: &Kind) -> String {
    const MOST: usize = 6;
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &layer in &kind.layers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == layer => *last = layer,
            _ => runs.push((layer, layer)),
        }
    }
    let mut parts: Vec<String> = runs
        .iter()
        .take(MOST)
        .map(|&(first, last)| match last - first {
            0 => first.to_string(),
            1 => format!("{first}, {last}"),
            _ => format!("{first} to {last}"),
        })
        .collect();
    if runs.len() > MOST {
        parts.push("…".into());
    }
    let which = if kind.layers.len() == 1 { "Layer" } else { "Layers" };
    let looped = kind.looped.map_or_else(String::new, |Loop { start, end, times }| match end - start {
        1 => format!(", run {times} times"),
        _ => format!(", in a loop of layers {start} to {}, run {times} times", end - 1),
    });
    format!("{which} {}{looped}", parts.join(", "))
}

/// A sublayer in words.
pub(crate) fn sublayer(sublayer: &dyn Described) -> Words {
    Words::new(sublayer.title(), sublayer.details())
}

/// The MLP of a dense sublayer.
pub(crate) fn dense(b: &Dense, dim: usize) -> Words {
    Words::new("MLP", [widths(dim, b.hidden), b.act.word().to_string()])
}

fn widths(dim: usize, hidden: usize) -> String {
    let (dim, hidden) = (grouped(dim), grouped(hidden));
    format!("{dim} → {hidden} → {dim}")
}

/// The routers of a chain: how many, when they read, how they score and select.
pub(crate) fn router(b: &Coe) -> Words {
    let title = match (b.gate, b.iter) {
        (_, 1) => "Router".to_string(),
        (Gate::Independent, n) => format!("{n} routers, one per iteration"),
        (Gate::Tied, _) => "1 router, read in every iteration".into(),
        (Gate::Frozen, _) => "1 router, read once".into(),
    };
    let r = &b.router;
    let groups = r.groups.map(|Groups { groups, keep, .. }| format!("{keep} of {groups} groups"));
    let renorm = r.renorm.then(|| "renormed".to_string());
    #[allow(clippy::float_cmp, reason = "1 is the factor that changes nothing")]
    let scale = (r.scale != 1.0).then(|| format!("×{}", r.scale));
    let balance = b.balance.iter().map(|term: &Balance| match term {
        Balance::Bias { .. } => "selection bias".to_string(),
        loss => format!("{} loss", loss.word()),
    });
    let score = r.score.word().to_string();
    Words::new(title, [score].into_iter().chain(groups).chain(renorm).chain(scale).chain(balance))
}

/// The pool of routed experts.
pub(crate) fn experts(b: &Coe, dim: usize) -> Words {
    let pool = match b.iter {
        1 => counted(b.experts, "expert"),
        _ => format!("Pool of {}", counted(b.experts, "expert")),
    };
    Words::new(pool, [widths(dim, b.hidden), b.act.word().to_string()])
}

/// `4 of 63`: what is selected, from a router to the experts.
pub(crate) fn selected(b: &Coe) -> String {
    match b.k.split_first() {
        Some((first, rest)) if rest.iter().any(|k| k != first) => {
            const MOST: usize = 8;
            let mut ks: Vec<String> = b.k.iter().take(MOST).map(usize::to_string).collect();
            if b.k.len() > MOST {
                ks.push("…".into());
            }
            format!("{} of {}", ks.join(", "), b.experts)
        }
        Some((first, _)) => format!("{first} of {}", b.experts),
        None => String::new(),
    }
}

/// The shared experts, where there are any.
pub(crate) fn shared(b: &Coe) -> Option<Words> {
    let when = match (b.shared_at, b.iter) {
        (_, 1) | (SharedAt::Each, _) => None,
        (SharedAt::First, _) => Some("in the first iteration only".to_string()),
        (SharedAt::Last, _) => Some("in the last iteration only".to_string()),
    };
    let gate = match b.shared_gate {
        SharedGate::None => None,
        SharedGate::Sigmoid => Some("weighed by a sigmoid".to_string()),
    };
    let title = counted(b.shared, "shared expert");
    (b.shared > 0).then(|| Words::new(title, when.into_iter().chain(gate)))
}

/// The norms inside a chain, where it is normed there.
pub(crate) fn chain_norm(b: &Coe) -> Option<&'static str> {
    match b.norm {
        ChainNorm::Once => None,
        ChainNorm::Each if b.iter > 1 => Some("one each"),
        ChainNorm::Each | ChainNorm::Tied => Some("one for all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_pictures() {
        assert_eq!(short(780_930_048), "780.9 M");
        assert_eq!(short(1_234_567), "1.235 M");
        assert_eq!(short(999), "999");
        assert_eq!(short(1000), "1.000 k");
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(0, 3), "0%");
        assert_eq!(percent(1, 100_000), "<0.1%");
        assert_eq!(percent(3, 3), "100.0%");
    }
}
