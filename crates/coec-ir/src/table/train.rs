//! `train { ... }` and its blocks.

use super::tabled::{block, tabled};
use super::value::{Held, Words, words};
use super::{Block, Default, Field, Kind, Table, Tabled, Value};
use crate::{
    AdamW, Bounds, Check, Data, Eval, LENGTHS, Loss, OnError, Precision, Recompute, SEED, Save, Schedule,
    ScheduleShape, Sources, Tokenizer, Train, ViolationKind, bounds,
};

/// `train { ... }`.
pub static TRAIN: Table = Train::TABLES[0];

/// The generators that `builtin` knows.
pub const BUILTINS: &[&str] = &["arithmetic"];

// What the quickstart trains with is what every spec without a block does.
words!(Loss, OnError);

tabled! { Train, Table::new("train"), {
    data: Kind::Blocks(Data::TABLES) => Default::Word("builtin"),
    weights: Kind::Reals(bounds::COEFFICIENT) => Default::Nothing,
    loss: Kind::Word(Loss::words) => Default::Word("all"),
    on_error: Kind::Word(OnError::words) => Default::Word("stop"),
    tokenizer: Kind::Block(Tokenizer::TABLES) => Default::Word("bytes"),
    steps: Kind::Count(bounds::STEPS) => Default::CountUnless(400, &LENGTHS),
    tokens: Kind::Count(bounds::TOKENS) => Default::Nothing,
    flops: Kind::Real(bounds::FLOPS) => Default::Nothing,
    batch: Kind::Count(bounds::BATCH) => Default::Count(16),
    context: Kind::Count(bounds::CONTEXT) => Default::OfModel("context"),
    accumulate: Kind::Count(bounds::BATCH) => Default::Count(1),
    // The quickstart is small and learns fast; `adamw()` written out is for larger models.
    optimizer: Kind::Block(AdamW::TABLES) => Default::Preset("adamw", &[("lr", 2e-3)]),
    schedule: Kind::Block(Schedule::TABLES) => Default::Word("cosine"),
    precision: Kind::Word(Precision::words) => Default::Word("f32"),
    recompute: Kind::Word(Recompute::words) => Default::Word("none"),
    seed: Kind::Count(Bounds::ANY) => Default::Count(SEED as usize),
    eval: Kind::Block(Eval::TABLES) => Default::Word("every"),
    save: Kind::Block(Save::TABLES) => Default::Word("minutes"),
    keep: Kind::Count(bounds::KEEP) => Default::Count(2),
}
    fn rules(&self, check: &mut Check) {
        let Self { batch, accumulate, .. } = *self;
        if check.holds(&["batch", "accumulate"]) && !batch.is_multiple_of(accumulate) {
            check.push("accumulate", ViolationKind::AccumulateDividesBatch { accumulate, batch });
        }
        let given = [self.steps.is_some(), self.tokens.is_some(), self.flops.is_some()];
        let given: Vec<&'static str> = std::iter::zip(LENGTHS, given).filter_map(|(name, is)| is.then_some(name)).collect();
        if given.len() != 1 {
            let at = given.last().copied().unwrap_or("steps");
            check.push(at, ViolationKind::OneLength { given });
        }
        let (weights, sources) = (self.weights.len(), self.data.0.len());
        if sources == 0 {
            check.push("data", ViolationKind::NoData);
        } else if weights > 0 && weights != sources {
            check.push("weights", ViolationKind::WeightsForSources { weights, sources });
        } else if weights > 0 && self.weights.iter().all(|&weight| weight == 0.0) {
            check.push("weights", ViolationKind::NoWeight);
        }
    }
}

tabled! { Data {
    Builtin, Table::new("builtin").bare(1), {
        name: Kind::Name(BUILTINS, "built-in data set") => Default::Text("arithmetic"),
    };
    Text, Table::new("text").bare(1).example("text(\"data/*.txt\")"), {
        glob: Kind::Texts => Default::Required,
    };
    Jsonl, Table { positional: 2, ..Table::new("jsonl").bare(1) }.example("jsonl(\"data/*.jsonl\")"), {
        glob: Kind::Texts => Default::Required,
        template: Kind::Text => Default::Nothing,
    };
    Parquet, Table { positional: 2, ..Table::new("parquet").bare(1) }.example("parquet(\"data/*.parquet\")"), {
        glob: Kind::Texts => Default::Required,
        template: Kind::Text => Default::Nothing,
    };
} }

/// A source alone, or a list.
impl Held for Sources {
    fn value(&self) -> Option<Value> {
        match self.0.as_slice() {
            [one] => one.value(),
            several => Some(Value::List(several.iter().filter_map(Held::value).collect())),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Word("none") => Some(Self(Vec::new())),
            Value::List(values) => values.iter().map(Data::of).collect::<Option<_>>().map(Self),
            value => Some(Self(vec![Data::of(value)?])),
        }
    }
}

tabled! { Tokenizer {
    Bytes, Table::new("bytes"), {};
    // The 256 bytes and the separator are always there.
    Bpe, Table::new("bpe").positional(1).example("bpe(vocab=4096)"), {
        vocab: Kind::Count(Bounds { min: 257.0, max: bounds::VOCAB.max }) => Default::Required,
    };
    File, Table::new("file").bare(1).example("file(\"tokenizer.json\")"), {
        path: Kind::Text => Default::Required,
    };
} }

tabled! { AdamW, Table::new("adamw"), {
    lr: Kind::Real(bounds::LR) => Default::Real(3e-4),
    betas: Kind::Pair(bounds::BETA) => Default::Pair([0.9, 0.95]),
    eps: Kind::Real(bounds::EPS) => Default::Real(1e-8),
    weight_decay: Kind::Real(bounds::COEFFICIENT) => Default::Real(0.01),
    clip: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
} }

tabled! { Eval, Table::new("every").bare(1), {
    every: Kind::Count(bounds::STEPS) => Default::Count(100),
    batches: Kind::Count(bounds::STEPS) => Default::Count(4),
} }

const WARMUP: Field = Field::new("warmup", Kind::Amount, Default::Steps(0.1));

/// By hand: every shape has the warm-up, which the struct holds once.
impl Tabled for Schedule {
    const TABLES: &'static [Table] = &[
        Table::new("constant").fields(&[WARMUP]),
        Table::new("linear").fields(&[WARMUP]),
        Table::new("cosine").fields(&[WARMUP]),
        Table::new("wsd").fields(&[WARMUP, Field::new("decay", Kind::Amount, Default::Steps(0.2))]),
    ];

    fn block(&self) -> Block {
        let warmup = self.warmup.value();
        match self.shape {
            ScheduleShape::Constant => block::<Self>("constant", vec![warmup]),
            ScheduleShape::Linear => block::<Self>("linear", vec![warmup]),
            ScheduleShape::Cosine => block::<Self>("cosine", vec![warmup]),
            ScheduleShape::Wsd { decay } => block::<Self>("wsd", vec![warmup, decay.value()]),
        }
    }

    fn read(block: &Block) -> Option<Self> {
        let shape = match block.table.word {
            "constant" => ScheduleShape::Constant,
            "linear" => ScheduleShape::Linear,
            "cosine" => ScheduleShape::Cosine,
            "wsd" => ScheduleShape::Wsd { decay: block.get("decay")? },
            _ => return None,
        };
        Some(Self { shape, warmup: block.get("warmup")? })
    }
}

/// By hand: the variants' fields have no names. Its `every` is another block than that of `eval`.
impl Tabled for Save {
    const TABLES: &'static [Table] = &[
        Table::new("minutes").bare(1).fields(&[Field::new(
            "minutes",
            Kind::Real(bounds::MINUTES),
            Default::Real(10.0),
        )]),
        Table::new("every").bare(1).example("every(100)").fields(&[Field::new(
            "steps",
            Kind::Count(bounds::STEPS),
            Default::Required,
        )]),
    ];

    fn block(&self) -> Block {
        match self {
            Self::Minutes(minutes) => block::<Self>("minutes", vec![minutes.value()]),
            Self::Every(steps) => block::<Self>("every", vec![steps.value()]),
        }
    }

    fn read(block: &Block) -> Option<Self> {
        match block.table.word {
            "minutes" => block.get("minutes").map(Self::Minutes),
            "every" => block.get("steps").map(Self::Every),
            _ => None,
        }
    }
}
