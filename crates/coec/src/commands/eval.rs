//! `coec eval`: how well a trained model predicts other text.

use burn::module::Module;
use coec_lang::load_one;
use coec_train::{
    eval::Text,
    load_model,
    run_dir::{RunDir, RunFile},
    tokenizer::Tokenizer,
};
use serde_json::json;

use crate::{
    arguments::path_of,
    cli::EvalArgs,
    data::{data_setting, sources, with_input},
    disk::Disk,
    failure::{Done, Failure},
    render::{self, json::print_json, number, progress::Progress, reading::Reading},
};

/// Tokens computed at once, unless one sequence has more.
const AT_ONCE: usize = 2048;

pub fn run(args: &EvalArgs) -> Result<Done, Failure> {
    let run = RunDir::open(&args.run)?;
    let path = path_of(&run.file(RunFile::Spec))?;
    let own = load_one(&path, &[], &Disk)?;
    let own = own.train_or_default()?.data;
    let template = match own.0.as_slice() {
        [data] => data.template(),
        _ => None,
    };
    let data = sources(&with_input(&args.data)?.0, template)?;
    let spec = load_one(&path, &[data_setting(&data)], &Disk)?;
    let train = spec.train_or_default()?;
    let context = args.context.map_or(train.context, |context| context as usize);
    if context > spec.model.context {
        return Err(Failure::input(
            "coec::cli::context",
            format!("the model looks back on {} tokens, not on {context}", spec.model.context),
            "name a smaller --context",
        ));
    }
    let tokenizer = Tokenizer::load(&run.file(RunFile::Tokenizer)).map_err(coec_train::TrainError::from)?;
    let batch = (AT_ONCE / context).max(1);
    let mut reading = Reading::new(args.json.json, false);
    let tell = &mut |progress| reading.show(progress);
    let text = Text::load(&train, &spec.bases.data, &tokenizer, context, batch, tell);
    reading.finish();
    let text = text?;
    let (weights, damaged) = run.weights()?;
    damaged.iter().for_each(render::damage);
    let model = load_model(&spec.model, &weights, &args.at.open()?)?.valid();

    let mut progress = Progress::new(args.json.json, "batch");
    let (mut done, all) = (0, text.batches());
    let found = text.measure(&model, train.precision, || {
        done += 1;
        progress.show(done, all);
    });
    progress.finish();
    let found = found?;
    if args.json.json {
        print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "run": args.run,
            "data": args.data,
            "context": context,
            "documents": found.documents,
            "tokens": found.tokens,
            "bytes": found.bytes,
            "loss": found.loss,
            "nats_per_byte": found.nats_per_byte,
            "lost": found.lost,
        }));
    } else {
        if let Some(words) = found.lost.words() {
            render::line(&format!("note: {words}"));
        }
        render::line(&format!(
            "{}: loss {:.4} nats a token, {:.4} a byte; {} tokens, {} bytes, {} at a time",
            args.data.join(", "),
            found.loss,
            found.nats_per_byte,
            number::grouped(found.tokens),
            number::grouped(found.bytes),
            number::grouped(context)
        ));
    }
    Ok(Done::Well)
}
