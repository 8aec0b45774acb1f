//! `coec generate`: text from a trained run.

use std::ops::ControlFlow;

use coec_lang::load_one;
use coec_train::{
    generate::{Generated, Generator, Options},
    run_dir::{RunDir, RunFile},
    sample::Sampler,
};
use serde_json::json;

use crate::{
    arguments::path_of,
    cli::GenerateArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{self, json::print_json, streams},
};

pub fn run(args: &GenerateArgs) -> Result<Done, Failure> {
    let sampler = Sampler::new(args.temperature, args.top_p)?;
    let run = RunDir::open(&args.run)?;
    let spec = load_one(&path_of(&run.file(RunFile::Spec))?, &[], &Disk)?;
    let (generator, damaged) = Generator::open(&run, &spec.model, &args.at.open()?)?;
    damaged.iter().for_each(render::damage);
    let (stops, precision) = (args.stops.clone(), args.precision.precision());
    let options = Options { tokens: args.tokens, sampler, seed: args.seed, stops, precision };
    if args.json.json {
        let mut whole = String::new();
        let Generated { text, tokens, ended } = generator.generate(&args.prompt, &options, &mut |piece| {
            whole.push_str(piece);
            ControlFlow::Continue(())
        })?;
        print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "prompt": args.prompt,
            "text": text,
            "decoded": whole,
            "tokens": tokens,
            "ended": ended,
        }));
        return Ok(Done::Well);
    }
    // Text that nobody gets is not sampled.
    let write = |piece: &str| {
        render::text(piece);
        match streams::lost() {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    };
    generator.generate(&args.prompt, &options, &mut { write })?;
    render::line("");
    Ok(Done::Well)
}
