//! The words of the language: every block, its fields, their kinds and defaults.
//!
//! A new word is added here and in the IR; neither the grammar nor the resolver
//! knows it otherwise.

use std::collections::HashSet;
use std::sync::LazyLock;

use coec_ir::{Act, ChainNorm, Gate, GroupScore, Precision, QkNorm, Residual, SharedAt, SharedGate};

/// A block: `word(fields)`, or `model` and `train` with braces.
#[derive(Debug)]
pub struct Block {
    /// Its word.
    pub word: &'static str,
    /// Its fields, in the order of the language reference.
    pub fields: &'static [Field],
    /// How many of the first fields may be given without a key.
    pub positional: usize,
}

/// A field of a block.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it holds when left out.
    pub default: Default,
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number.
    Count,
    /// A whole number or `none`.
    OptionalCount,
    /// A whole number, or a list of them.
    Counts,
    /// A number.
    Real,
    /// A list of two numbers.
    Pair,
    /// A number of steps, or a share of them.
    Amount,
    /// `true` or `false`.
    Flag,
    /// A string.
    Text,
    /// One of these words.
    Word(fn() -> Vec<&'static str>),
    /// One of these blocks.
    Block(&'static [Block]),
    /// `none`, one of these blocks, or a list of them.
    Blocks(&'static [Block]),
}

/// What a field holds when it is left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// It cannot be left out.
    Required,
    /// Nothing: the field is optional.
    Nothing,
    /// What other fields say; the text is for readers.
    Derived(&'static str),
    /// A whole number.
    Count(usize),
    /// A number.
    Real(f64),
    /// A pair of numbers.
    Pair([f64; 2]),
    /// A share of all steps.
    Share(f64),
    /// A truth value.
    Flag(bool),
    /// A string.
    Text(&'static str),
    /// A word, or a block with its own defaults.
    Word(&'static str),
    /// A block with numbers of its fields that differ from the block's own defaults.
    Preset(&'static str, &'static [(&'static str, f64)]),
}

/// Values of the IR that have a word.
pub(crate) trait Words: Copy + 'static {
    /// All of them.
    fn all() -> &'static [Self];
    /// The word.
    fn word(self) -> &'static str;
}

macro_rules! words {
    ($($type:ty),*) => {
        $(impl Words for $type {
            fn all() -> &'static [Self] {
                &Self::ALL
            }
            fn word(self) -> &'static str {
                self.word()
            }
        })*
    };
}
words!(Act, ChainNorm, Gate, GroupScore, Precision, QkNorm, Residual, SharedAt, SharedGate);

/// Every word of an enum.
pub(crate) fn words<T: Words>() -> Vec<&'static str> {
    T::all().iter().map(|value| value.word()).collect()
}

const fn field(name: &'static str, kind: Kind, default: Default) -> Field {
    Field { name, kind, default }
}

const fn block(word: &'static str, fields: &'static [Field]) -> Block {
    Block { word, fields, positional: 0 }
}

/// A block whose first fields may be given without a key.
const fn positional(word: &'static str, positional: usize, fields: &'static [Field]) -> Block {
    Block { word, fields, positional }
}

use self::Default::{Derived, Nothing, Required};
use self::Kind::{Amount, Count, Counts, Flag, OptionalCount, Pair, Real, Text};

/// `model NAME { ... }`.
pub static MODEL: Block = block(
    "model",
    &[
        field("vocab", Count, Default::Count(102_400)),
        field("context", Count, Default::Count(512)),
        field("dim", Count, Default::Count(1024)),
        field("layers", Count, Default::Count(4)),
        field("norm", Kind::Block(NORMS), Default::Word("rms")),
        field("embedding", Kind::Block(EMBEDDINGS), Default::Word("tokens")),
        field(ATTENTION, Kind::Block(ATTENTIONS), Default::Word("mla")),
        field(FFN, Kind::Block(FFNS), Required),
    ],
);

/// The field of the attention sublayers, which may differ between layers.
pub(crate) const ATTENTION: &str = "attention";
/// The field of the feed-forward sublayers, which may differ between layers.
pub(crate) const FFN: &str = "ffn";

/// `norm`.
pub static NORMS: &[Block] = &[positional("rms", 1, &[field("eps", Real, Default::Real(1e-6))])];

/// `embedding`.
pub static EMBEDDINGS: &[Block] = &[block("tokens", &[field("tied", Flag, Default::Flag(false))])];

/// `attention`.
pub static ATTENTIONS: &[Block] = &[
    block(
        "mha",
        &[
            field("heads", Count, Required),
            field("kv_heads", Count, Derived("heads")),
            field("head_dim", Count, Derived("dim / heads")),
            field("rope", Kind::Block(ROPES), Default::Word("rope")),
            field("qk_norm", Kind::Word(words::<QkNorm>), Default::Word("none")),
            field("bias", Flag, Default::Flag(false)),
        ],
    ),
    block(
        "mla",
        &[
            field("heads", Count, Default::Count(8)),
            field("kv_rank", Count, Default::Count(512)),
            field("q_rank", OptionalCount, Default::Word("none")),
            field("nope", Count, Default::Count(128)),
            field("rope_dim", Count, Default::Count(64)),
            field("value", Count, Default::Count(128)),
            field("rope", Kind::Block(ROPES), Default::Word("rope")),
        ],
    ),
];

/// `rope`.
pub static ROPES: &[Block] = &[
    positional("rope", 1, &[field("theta", Real, Default::Real(10_000.0))]),
    block(
        "yarn",
        &[
            field("theta", Real, Default::Real(10_000.0)),
            field("factor", Real, Required),
            field("original", Count, Required),
            field("beta_fast", Real, Default::Real(32.0)),
            field("beta_slow", Real, Default::Real(1.0)),
            field("mscale", Real, Default::Real(1.0)),
            field("mscale_all_dim", Real, Default::Real(0.0)),
        ],
    ),
];

/// `ffn`.
pub static FFNS: &[Block] = &[
    block(
        "coe",
        &[
            field("iter", Count, Required),
            field("k", Counts, Required),
            field("experts", Count, Required),
            field("shared", Count, Default::Count(0)),
            field("hidden", Count, HIDDEN),
            field("act", Kind::Word(words::<Act>), ACT),
            field("residual", Kind::Word(words::<Residual>), Default::Word("inner")),
            field("gate", Kind::Word(words::<Gate>), Default::Word("independent")),
            field("norm", Kind::Word(words::<ChainNorm>), Default::Word("once")),
            field("shared_at", Kind::Word(words::<SharedAt>), Default::Word("each")),
            field("shared_gate", Kind::Word(words::<SharedGate>), Default::Word("none")),
            field("router", Kind::Block(ROUTERS), Default::Word("softmax")),
            field("balance", Kind::Blocks(BALANCES), Default::Word("none")),
        ],
    ),
    block(
        "moe",
        &[
            field("k", Counts, Required),
            field("experts", Count, Required),
            field("shared", Count, Default::Count(0)),
            field("hidden", Count, HIDDEN),
            field("act", Kind::Word(words::<Act>), ACT),
            field("shared_at", Kind::Word(words::<SharedAt>), Default::Word("each")),
            field("shared_gate", Kind::Word(words::<SharedGate>), Default::Word("none")),
            field("router", Kind::Block(ROUTERS), Default::Word("softmax")),
            field("balance", Kind::Blocks(BALANCES), Default::Word("none")),
        ],
    ),
    positional("dense", 1, &[field("hidden", Count, HIDDEN), field("act", Kind::Word(words::<Act>), ACT)]),
];

const HIDDEN: Default = Default::Count(704);
const ACT: Default = Default::Word("swiglu");

/// `router`: one word for each [`coec_ir::Score`].
pub static ROUTERS: &[Block] = &[block("softmax", ROUTER_FIELDS), block("sigmoid", ROUTER_FIELDS)];

static ROUTER_FIELDS: &[Field] = &[
    field("renorm", Flag, Default::Flag(false)),
    field("scale", Real, Default::Real(1.0)),
    field("groups", Count, Nothing),
    field("keep", Count, Nothing),
    field("group_score", Kind::Word(words::<GroupScore>), Default::Word("max")),
];

/// `balance`.
pub static BALANCES: &[Block] = &[
    positional("seq_aux", 1, &[field("alpha", Real, Required)]),
    positional("switch_aux", 1, &[field("alpha", Real, Required)]),
    positional("z_loss", 1, &[field("alpha", Real, Required)]),
    positional("bias", 1, &[field("rate", Real, Required)]),
];

/// `train { ... }`. What the quickstart trains with is what every spec without a block does.
pub static TRAIN: Block = block(
    "train",
    &[
        field("data", Kind::Block(DATA), Default::Word("builtin")),
        field("tokenizer", Kind::Block(TOKENIZERS), Default::Word("bytes")),
        field("steps", Count, Default::Count(400)),
        field("batch", Count, Default::Count(16)),
        field("context", Count, Derived("the model's context")),
        field("accumulate", Count, Default::Count(1)),
        // The quickstart is small and learns fast; `adamw()` written out is for larger models.
        field("optimizer", Kind::Block(OPTIMIZERS), Default::Preset("adamw", &[("lr", 2e-3)])),
        field("schedule", Kind::Block(SCHEDULES), Default::Word("cosine")),
        field("precision", Kind::Word(words::<Precision>), Default::Word("f32")),
        field("seed", Count, Default::Count(42)),
        field("eval", Kind::Block(EVALS), Default::Word("every")),
        field("save", Kind::Block(SAVES), Default::Word("minutes")),
        field("keep", Count, Default::Count(2)),
    ],
);

/// `data`.
pub static DATA: &[Block] = &[
    positional("builtin", 1, &[field("name", Kind::Text, Default::Text("arithmetic"))]),
    positional("text", 1, &[field("glob", Text, Required)]),
    positional("jsonl", 2, &[field("glob", Text, Required), field("template", Text, Required)]),
];

/// The generators that `builtin` knows.
pub static BUILTINS: &[&str] = &["arithmetic"];

/// `tokenizer`.
pub static TOKENIZERS: &[Block] = &[
    block("bytes", &[]),
    positional("bpe", 1, &[field("vocab", Count, Required)]),
    positional("file", 1, &[field("path", Text, Required)]),
];

/// `optimizer`.
pub static OPTIMIZERS: &[Block] = &[block(
    "adamw",
    &[
        field("lr", Real, Default::Real(3e-4)),
        field("betas", Pair, Default::Pair([0.9, 0.95])),
        field("eps", Real, Default::Real(1e-8)),
        field("weight_decay", Real, Default::Real(0.01)),
        field("clip", Real, Default::Real(1.0)),
    ],
)];

/// `schedule`.
pub static SCHEDULES: &[Block] = &[
    block("constant", WARMUP),
    block("linear", WARMUP),
    block("cosine", WARMUP),
    block(
        "wsd",
        &[field("warmup", Amount, Default::Share(0.1)), field("decay", Amount, Default::Share(0.2))],
    ),
];

static WARMUP: &[Field] = &[field("warmup", Amount, Default::Share(0.1))];

/// `eval`.
pub static EVALS: &[Block] = &[positional(
    "every",
    1,
    &[field("every", Count, Default::Count(100)), field("batches", Count, Default::Count(4))],
)];

/// `save`. Its `every` is another block than that of `eval`.
pub static SAVES: &[Block] = &[
    positional("minutes", 1, &[field("minutes", Real, Default::Real(10.0))]),
    positional("every", 1, &[field("steps", Count, Required)]),
];

/// The backends that a measured rule may be for, as `--backend` names them.
pub static BACKENDS: &[&str] = &["cpu", "ndarray", "cuda"];

/// The conditions of a budget rule.
pub static CONDITIONS: &[&str] = &["context", "batch", "precision", "backend"];

impl Block {
    /// The place of a field.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }
}

static ALL: &[&[Block]] = &[
    NORMS, EMBEDDINGS, ATTENTIONS, ROPES, FFNS, ROUTERS, BALANCES, DATA, TOKENIZERS, OPTIMIZERS, SCHEDULES,
    EVALS, SAVES,
];

/// The place of a field in the blocks of a word, where one has it. Blocks that share a word share
/// no name of a field.
pub fn position(word: &str, field: &str) -> Option<usize> {
    let mut blocks = ALL.iter().copied().flatten().filter(|block| block.word == word);
    blocks.find_map(|block| block.position(field))
}

/// Whether a word has a meaning somewhere, so that no `let` may take it.
pub fn is_word(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let blocks = || ALL.iter().copied().flatten();
        let mut words: HashSet<&str> = blocks().map(|block| block.word).collect();
        words.extend(["none", "true", "false"]);
        for field in blocks().chain([&TRAIN, &MODEL]).flat_map(|block| block.fields) {
            if let Kind::Word(all) = field.kind {
                words.extend(all());
            }
        }
        words
    });
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_and_a_field_name_one_block() {
        let blocks = ALL.iter().copied().flatten();
        let fields = blocks.flat_map(|block| block.fields.iter().map(|field| (block.word, field.name)));
        let mut fields: Vec<_> = fields.collect();
        let all = fields.len();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), all);
    }

    #[test]
    fn a_field_has_one_block_of_a_word() {
        for field in ALL.iter().copied().flatten().chain([&TRAIN, &MODEL]).flat_map(|block| block.fields) {
            let (Kind::Block(blocks) | Kind::Blocks(blocks)) = field.kind else { continue };
            let mut words: Vec<_> = blocks.iter().map(|block| block.word).collect();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), blocks.len(), "{}", field.name);
        }
    }

    #[test]
    fn every_default_fits_its_kind() {
        for block in ALL.iter().copied().flatten().chain([&TRAIN, &MODEL]) {
            assert!(block.positional <= block.fields.len());
            for field in block.fields {
                let fits = match (field.kind, field.default) {
                    (_, Required | Derived(_) | Nothing) => true,
                    (Count | Counts, Default::Count(_)) => true,
                    (OptionalCount, Default::Word("none")) => true,
                    (Real, Default::Real(_)) | (Pair, Default::Pair(_)) => true,
                    (Amount, Default::Share(_)) | (Flag, Default::Flag(_)) => true,
                    (Text, Default::Text(_)) => true,
                    (Kind::Word(words), Default::Word(word)) => words().contains(&word),
                    (Kind::Block(blocks), Default::Word(word)) => blocks.iter().any(|b| b.word == word),
                    (Kind::Block(blocks), Default::Preset(word, preset)) => {
                        let block = blocks.iter().find(|block| block.word == word).unwrap();
                        preset.iter().all(|(name, _)| {
                            let kind = block.position(name).map(|at| block.fields[at].kind);
                            matches!(kind, Some(Real))
                        })
                    }
                    (Kind::Blocks(_), Default::Word("none")) => true,
                    _ => false,
                };
                assert!(fits, "{}.{}", block.word, field.name);
            }
        }
    }

    #[test]
    fn routers_are_the_scores() {
        let words: Vec<_> = coec_ir::Score::ALL.iter().map(|score| score.word()).collect();
        assert_eq!(words, ROUTERS.iter().map(|block| block.word).collect::<Vec<_>>());
    }
}
