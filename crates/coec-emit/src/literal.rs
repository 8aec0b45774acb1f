//! The IR's structs as Rust literals, and the words that tell two of them apart.
//!
//! Every struct is taken apart field by field: a new field does not compile until it is written.

use coec_ir::{Act, Balance, Coe, Dense, Groups, Mha, Mla, Rope, Router};

use crate::print::Value;

/// A block as a literal, with its fields as words for names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    /// The IR's struct.
    pub value: Value,
    /// Each field and its value, as identifiers allow them.
    pub words: Vec<(&'static str, String)>,
    /// Names of the IR that the literal is written with.
    pub imports: Vec<&'static str>,
}

/// The variant of an enum whose variants are the words of the language.
fn variant(of: &str, word: &str) -> Value {
    Value::Plain(format!("{of}::{}", camel(word)))
}

/// `seq_aux` to `SeqAux`; `k4_2` to `K4_2`, for numbers would run together.
pub(crate) fn camel(word: &str) -> String {
    let mut out = String::new();
    for part in word.split('_') {
        let mut chars = part.chars();
        let first = chars.next();
        if out.ends_with(|c: char| c.is_ascii_digit()) && first.is_some_and(|c| c.is_ascii_digit()) {
            out.push('_');
        }
        out.extend(first.into_iter().flat_map(char::to_uppercase).chain(chars));
    }
    out
}

/// A number as part of a name: `1.5e-6` is `1p5em6`.
fn number(value: f64) -> String {
    let text =
        if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:?}") };
    text.replace('.', "p").replace('-', "m")
}

/// Collects a struct's fields, as literal and as words.
#[derive(Default)]
struct Fields {
    values: Vec<(&'static str, Value)>,
    words: Vec<(&'static str, String)>,
    imports: Vec<&'static str>,
}

impl Fields {
    fn integer(&mut self, name: &'static str, value: usize) {
        self.values.push((name, Value::plain(value)));
        self.words.push((name, value.to_string()));
    }

    fn flag(&mut self, name: &'static str, value: bool) {
        self.values.push((name, Value::plain(value)));
        self.words.push((name, value.to_string()));
    }

    fn word(&mut self, name: &'static str, of: &'static str, word: &str) {
        self.values.push((name, variant(of, word)));
        self.words.push((name, word.to_string()));
        self.imports.push(of);
    }

    fn rope(&mut self, rope: &Rope) {
        self.imports.push("Rope");
        let (value, word) = match *rope {
            Rope::Rope { theta } => {
                (Value::Struct("Rope::Rope".into(), vec![("theta", Value::float(theta))]), number(theta))
            }
            Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim } => {
                let fields = vec![
                    ("theta", Value::float(theta)),
                    ("factor", Value::float(factor)),
                    ("original", Value::plain(original)),
                    ("beta_fast", Value::float(beta_fast)),
                    ("beta_slow", Value::float(beta_slow)),
                    ("mscale", Value::float(mscale)),
                    ("mscale_all_dim", Value::float(mscale_all_dim)),
                ];
                let numbers = [theta, factor, original as f64, beta_fast, beta_slow, mscale, mscale_all_dim];
                let word = format!("yarn_{}", numbers.map(number).join("_"));
                (Value::Struct("Rope::Yarn".into(), fields), word)
            }
        };
        self.values.push(("rope", value));
        self.words.push(("rope", word));
    }

    fn literal(mut self, name: &'static str) -> Literal {
        self.imports.push(name);
        Literal { value: Value::Struct(name.into(), self.values), words: self.words, imports: self.imports }
    }
}

pub(crate) fn mha(block: &Mha) -> Literal {
    let Mha { heads, kv_heads, head_dim, rope, qk_norm, bias } = block;
    let mut fields = Fields::default();
    fields.integer("heads", *heads);
    fields.integer("kv_heads", *kv_heads);
    fields.integer("head_dim", *head_dim);
    fields.rope(rope);
    fields.word("qk_norm", "QkNorm", qk_norm.word());
    fields.flag("bias", *bias);
    fields.literal("Mha")
}

pub(crate) fn mla(block: &Mla) -> Literal {
    let Mla { heads, kv_rank, q_rank, nope, rope_dim, value, rope } = block;
    let mut fields = Fields::default();
    fields.integer("heads", *heads);
    fields.integer("kv_rank", *kv_rank);
    match q_rank {
        Some(rank) => {
            fields.values.push(("q_rank", Value::plain(format!("Some({rank})"))));
            fields.words.push(("q_rank", rank.to_string()));
        }
        None => {
            fields.values.push(("q_rank", Value::plain("None")));
            fields.words.push(("q_rank", "none".into()));
        }
    }
    fields.integer("nope", *nope);
    fields.integer("rope_dim", *rope_dim);
    fields.integer("value", *value);
    fields.rope(rope);
    fields.literal("Mla")
}

pub(crate) fn dense(block: &Dense) -> Literal {
    let Dense { hidden, act } = block;
    let mut fields = Fields::default();
    fields.integer("hidden", *hidden);
    fields.act(*act);
    fields.literal("Dense")
}

pub(crate) fn coe(block: &Coe) -> Literal {
    let Coe {
        iter,
        k,
        experts,
        shared,
        hidden,
        act,
        residual,
        gate,
        norm,
        shared_at,
        shared_gate,
        router,
        balance,
    } = block;
    let mut fields = Fields::default();
    fields.integer("iter", *iter);
    let same = k.windows(2).all(|pair| pair[0] == pair[1]);
    let (list, word) = match (same, k.as_slice()) {
        (true, [first, _, ..]) => (Value::plain(format!("vec![{first}; {}]", k.len())), first.to_string()),
        _ => {
            let word = k.iter().map(usize::to_string).collect::<Vec<_>>().join("_");
            (Value::List(k.iter().map(Value::plain).collect()), word)
        }
    };
    fields.values.push(("k", list));
    fields.words.push(("k", word));
    fields.integer("experts", *experts);
    fields.integer("shared", *shared);
    fields.integer("hidden", *hidden);
    fields.act(*act);
    fields.word("residual", "Residual", residual.word());
    fields.word("gate", "Gate", gate.word());
    fields.word("norm", "ChainNorm", norm.word());
    fields.word("shared_at", "SharedAt", shared_at.word());
    fields.word("shared_gate", "SharedGate", shared_gate.word());
    fields.router(router);
    fields.balance(balance);
    fields.literal("Coe")
}

impl Fields {
    fn act(&mut self, act: Act) {
        self.word("act", "Act", act.word());
    }

    fn router(&mut self, router: &Router) {
        let Router { score, renorm, scale, groups } = router;
        self.imports.extend(["Router", "Score"]);
        let mut word = format!("{}_{renorm}_{}", score.word(), number(*scale));
        let limited = match groups {
            None => Value::plain("None"),
            Some(Groups { groups, keep, score }) => {
                self.imports.extend(["Groups", "GroupScore"]);
                word.push_str(&format!("_{groups}_{keep}_{}", score.word()));
                let fields = vec![
                    ("groups", Value::plain(groups)),
                    ("keep", Value::plain(keep)),
                    ("score", variant("GroupScore", score.word())),
                ];
                Value::Call("Some".into(), vec![Value::Struct("Groups".into(), fields)])
            }
        };
        let fields = vec![
            ("score", variant("Score", score.word())),
            ("renorm", Value::plain(renorm)),
            ("scale", Value::float(*scale)),
            ("groups", limited),
        ];
        self.values.push(("router", Value::Struct("Router".into(), fields)));
        self.words.push(("router", word));
    }

    fn balance(&mut self, terms: &[Balance]) {
        let mut words = Vec::new();
        let mut literals = Vec::new();
        for term in terms {
            self.imports.push("Balance");
            let (field, coefficient) = match *term {
                Balance::SeqAux { alpha } | Balance::SwitchAux { alpha } | Balance::ZLoss { alpha } => {
                    ("alpha", alpha)
                }
                Balance::Bias { rate } => ("rate", rate),
            };
            let name = format!("Balance::{}", camel(term.word()));
            literals.push(Value::Struct(name, vec![(field, Value::float(coefficient))]));
            words.push(format!("{}_{}", term.word(), number(coefficient)));
        }
        self.values.push(("balance", Value::List(literals)));
        self.words.push(("balance", if words.is_empty() { "none".into() } else { words.join("_") }));
    }
}
