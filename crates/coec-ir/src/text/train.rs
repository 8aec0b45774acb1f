//! Training as values of the language.

use super::value::{Block, Value};
use crate::{Amount, Data, Save, ScheduleShape, Tokenizer, Train};

/// The fields of a training block, in the order of the language reference.
pub fn train_fields(train: &Train) -> Vec<(&'static str, Value)> {
    let o = &train.optimizer;
    let optimizer = Block::new("adamw")
        .with("lr", Value::real(o.lr))
        .with("betas", Value::List(o.betas.iter().map(|&beta| Value::real(beta)).collect()))
        .with("eps", Value::real(o.eps))
        .with("weight_decay", Value::real(o.weight_decay))
        .with("clip", Value::real(o.clip));
    let eval = Block::new("every")
        .bare("every", Value::plain(train.eval.every))
        .with("batches", Value::plain(train.eval.batches));
    vec![
        ("data", data(&train.data).into()),
        ("tokenizer", tokenizer(&train.tokenizer).into()),
        ("steps", Value::plain(train.steps)),
        ("batch", Value::plain(train.batch)),
        ("context", Value::plain(train.context)),
        ("accumulate", Value::plain(train.accumulate)),
        ("optimizer", optimizer.into()),
        ("schedule", schedule(train).into()),
        ("precision", Value::plain(train.precision.word())),
        ("seed", Value::plain(train.seed)),
        ("eval", eval.into()),
        ("save", save(train.save).into()),
        ("keep", Value::plain(train.keep)),
    ]
}

fn data(data: &Data) -> Block {
    match data {
        Data::Builtin { name } => Block::new("builtin").bare("name", Value::string(name)),
        Data::Text { glob } => Block::new("text").bare("glob", Value::string(glob)),
        Data::Jsonl { glob, template } => {
            Block::new("jsonl").bare("glob", Value::string(glob)).with("template", Value::string(template))
        }
    }
}

fn tokenizer(tokenizer: &Tokenizer) -> Block {
    match tokenizer {
        Tokenizer::Bytes => Block::new("bytes"),
        Tokenizer::Bpe { vocab } => Block::new("bpe").with("vocab", Value::plain(vocab)),
        Tokenizer::File { path } => Block::new("file").bare("path", Value::string(path)),
    }
}

fn schedule(train: &Train) -> Block {
    let warmup = amount(train.schedule.warmup);
    match train.schedule.shape {
        ScheduleShape::Constant => Block::new("constant").with("warmup", warmup),
        ScheduleShape::Linear => Block::new("linear").with("warmup", warmup),
        ScheduleShape::Cosine => Block::new("cosine").with("warmup", warmup),
        ScheduleShape::Wsd { decay } => Block::new("wsd").with("warmup", warmup).with("decay", amount(decay)),
    }
}

fn save(save: Save) -> Block {
    match save {
        Save::Minutes(minutes) => Block::new("minutes").bare("minutes", Value::real(minutes)),
        Save::Every(steps) => Block::new("every").bare("steps", Value::plain(steps)),
    }
}

fn amount(amount: Amount) -> Value {
    match amount {
        Amount::Steps(steps) => Value::plain(steps),
        // A share with a point stays a share when read back: `0.1`, not `1`.
        Amount::Share(share) => Value::real(share),
    }
}
