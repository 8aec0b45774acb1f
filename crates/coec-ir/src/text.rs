//! The canonical, fully explicit text of a model, its budgets and its training.
//!
//! Reading the text back gives the same model: no default hides in it.

use std::fmt::Write as _;

use crate::{
    Amount, Attention, Balance, Coe, Data, Dense, Ffn, Mha, Mla, Model, Rope, Rule, ScheduleShape, Target,
    Tokenizer, Train,
};

/// A model block.
pub fn model(model: &Model) -> String {
    let mut out = String::new();
    for line in model.doc.lines() {
        out.push_str(if line.is_empty() { "///" } else { "/// " });
        out.push_str(line);
        out.push('\n');
    }
    let _ = writeln!(out, "model {} {{", model.name);
    let mut field = |name: &str, value: String| {
        let _ = writeln!(out, "    {name:<9} = {value}");
    };
    field("vocab", model.vocab.to_string());
    field("context", model.context.to_string());
    field("dim", model.dim.to_string());
    field("layers", model.layers.len().to_string());
    field("norm", format!("rms(eps={:?})", model.norm.eps));
    field("embedding", format!("tokens(tied={})", model.embedding.tied));
    let attention: Vec<_> = model.layers.iter().map(|layer| &layer.attention).collect();
    for (name, value) in overrides("attention", &attention) {
        field(&name, self::attention(value));
    }
    let ffn: Vec<_> = model.layers.iter().map(|layer| &layer.ffn).collect();
    for (name, value) in overrides("ffn", &ffn) {
        field(&name, self::ffn(value));
    }
    out.push_str("}\n");
    out
}

/// The most common value as the base, every other run of layers as an override.
fn overrides<'a, T: PartialEq>(name: &str, values: &[&'a T]) -> Vec<(String, &'a T)> {
    let mut distinct: Vec<(&T, usize)> = Vec::new();
    for value in values {
        match distinct.iter_mut().find(|(seen, _)| seen == value) {
            Some((_, count)) => *count += 1,
            None => distinct.push((value, 1)),
        }
    }
    // The first of the most common: `max_by_key` would take the last.
    let Some(base) = distinct.iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| *value) else {
        return Vec::new();
    };
    let mut fields = vec![(name.to_string(), base)];
    let mut start = 0;
    while start < values.len() {
        let value = values[start];
        let run = values[start..].iter().take_while(|other| **other == value).count();
        if value != base {
            let index = if run == 1 { start.to_string() } else { format!("{start}..{}", start + run) };
            fields.push((format!("{name}[{index}]"), value));
        }
        start += run;
    }
    fields
}

/// An attention block.
pub fn attention(attention: &Attention) -> String {
    match attention {
        Attention::Mha(b) => mha(b),
        Attention::Mla(b) => mla(b),
    }
}

/// A feed-forward block.
pub fn ffn(ffn: &Ffn) -> String {
    match ffn {
        Ffn::Coe(b) => coe(b),
        Ffn::Dense(b) => dense(b),
    }
}

fn mha(b: &Mha) -> String {
    format!(
        "mha(heads={}, kv_heads={}, head_dim={}, rope={}, qk_norm={}, bias={})",
        b.heads,
        b.kv_heads,
        b.head_dim,
        rope(&b.rope),
        b.qk_norm.word(),
        b.bias
    )
}

fn mla(b: &Mla) -> String {
    let q_rank = b.q_rank.map_or("none".to_string(), |rank| rank.to_string());
    format!(
        "mla(heads={}, kv_rank={}, q_rank={q_rank}, nope={}, rope_dim={}, value={}, rope={})",
        b.heads,
        b.kv_rank,
        b.nope,
        b.rope_dim,
        b.value,
        rope(&b.rope)
    )
}

fn rope(rope: &Rope) -> String {
    match *rope {
        Rope::Rope { theta } => format!("rope(theta={theta:?})"),
        Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim } => format!(
            "yarn(theta={theta:?}, factor={factor:?}, original={original}, beta_fast={beta_fast:?}, \
             beta_slow={beta_slow:?}, mscale={mscale:?}, mscale_all_dim={mscale_all_dim:?})"
        ),
    }
}

fn dense(b: &Dense) -> String {
    format!("dense(hidden={}, act={})", b.hidden, b.act.word())
}

fn coe(b: &Coe) -> String {
    let k = match b.k.split_first() {
        Some((first, rest)) if rest.iter().all(|k| k == first) => first.to_string(),
        _ => format!("[{}]", b.k.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut router =
        format!("{}(renorm={}, scale={:?}", b.router.score.word(), b.router.renorm, b.router.scale);
    if let Some(groups) = b.router.groups {
        let _ = write!(
            router,
            ", groups={}, keep={}, group_score={}",
            groups.groups,
            groups.keep,
            groups.score.word()
        );
    }
    router.push(')');
    let terms: Vec<String> = b.balance.iter().map(balance).collect();
    let balance = match terms.as_slice() {
        [] => "none".to_string(),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    format!(
        "coe(iter={}, k={k}, experts={}, shared={}, hidden={}, act={}, residual={}, gate={}, norm={}, \
         shared_at={}, shared_gate={}, router={router}, balance={balance})",
        b.iter,
        b.experts,
        b.shared,
        b.hidden,
        b.act.word(),
        b.residual.word(),
        b.gate.word(),
        b.norm.word(),
        b.shared_at.word(),
        b.shared_gate.word()
    )
}

fn balance(balance: &Balance) -> String {
    match balance {
        Balance::SeqAux { alpha } | Balance::SwitchAux { alpha } | Balance::ZLoss { alpha } => {
            format!("{}(alpha={alpha:?})", balance.word())
        }
        Balance::Bias { rate } => format!("bias(rate={rate:?})"),
    }
}

/// A budget block for one model; empty without rules.
pub fn budget(rules: &[Rule]) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let lines: String = rules.iter().map(|r| format!("    {}\n", rule(r))).collect();
    format!("budget {{\n{lines}}}\n")
}

/// One line of a budget.
pub fn rule(rule: &Rule) -> String {
    let mut out = String::new();
    if rule.warn {
        out.push_str("warn ");
    }
    let _ = write!(out, "{} {} ", rule.figure.name(), rule.comparison.symbol());
    match &rule.target {
        Target::Number(number) => out.push_str(number.text()),
        Target::Figure { figure, spec } => {
            out.push_str(figure.name());
            if let Some(spec) = spec {
                let _ = write!(out, "({})", string(spec));
            }
        }
    }
    if let Some(tolerance) = &rule.tolerance {
        let _ = write!(out, " +- {tolerance}");
    }
    if rule.per_layer {
        out.push_str(" per layer");
    }
    let mut conditions = Vec::new();
    let at = &rule.conditions;
    conditions.extend(at.context.map(|v| format!("context={v}")));
    conditions.extend(at.batch.map(|v| format!("batch={v}")));
    conditions.extend(at.precision.map(|v| format!("precision={}", v.word())));
    conditions.extend(at.backend.as_ref().map(|v| format!("backend={v}")));
    if !conditions.is_empty() {
        let _ = write!(out, " @ {}", conditions.join(", "));
    }
    out
}

/// A training block.
pub fn train(train: &Train) -> String {
    let mut out = String::from("train {\n");
    let mut field = |name: &str, value: String| {
        let _ = writeln!(out, "    {name:<10} = {value}");
    };
    field(
        "data",
        match &train.data {
            Data::Builtin { name } => format!("builtin({})", string(name)),
            Data::Text { glob } => format!("text({})", string(glob)),
            Data::Jsonl { glob, template } => {
                format!("jsonl({}, template={})", string(glob), string(template))
            }
        },
    );
    field(
        "tokenizer",
        match &train.tokenizer {
            Tokenizer::Bytes => "bytes".into(),
            Tokenizer::Bpe { vocab } => format!("bpe(vocab={vocab})"),
            Tokenizer::File { path } => format!("file({})", string(path)),
        },
    );
    field("steps", train.steps.to_string());
    field("batch", train.batch.to_string());
    field("context", train.context.to_string());
    field("accumulate", train.accumulate.to_string());
    let o = &train.optimizer;
    field(
        "optimizer",
        format!(
            "adamw(lr={:?}, betas=[{:?}, {:?}], eps={:?}, weight_decay={:?}, clip={:?})",
            o.lr, o.betas[0], o.betas[1], o.eps, o.weight_decay, o.clip
        ),
    );
    let warmup = amount(train.schedule.warmup);
    field(
        "schedule",
        match train.schedule.shape {
            ScheduleShape::Constant => format!("constant(warmup={warmup})"),
            ScheduleShape::Linear => format!("linear(warmup={warmup})"),
            ScheduleShape::Cosine => format!("cosine(warmup={warmup})"),
            ScheduleShape::Wsd { decay } => format!("wsd(warmup={warmup}, decay={})", amount(decay)),
        },
    );
    field("precision", train.precision.word().into());
    field("seed", train.seed.to_string());
    field("eval", format!("every({}, batches={})", train.eval.every, train.eval.batches));
    out.push_str("}\n");
    out
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Steps(steps) => steps.to_string(),
        // A share with a point stays a share when read back: `0.1`, not `1`.
        Amount::Share(share) => format!("{share:?}"),
    }
}

/// A string literal of the language, escapes included.
pub fn string(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
