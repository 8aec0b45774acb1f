//! `coec generate`: text from a trained run.

use std::io::{self, Write};

use coec_lang::load_one;
use coec_train::{
    generate::{Generator, Options},
    run_dir::{RunDir, RunFile},
    sample::Sampler,
};
use serde_json::json;

use crate::{
    arguments::path_of,
    cli::GenerateArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{self, json::print_json},
};

pub fn run(args: &GenerateArgs) -> Result<Done, Failure> {
    let sampler = Sampler::new(args.temperature, args.top_p)?;
    let run = RunDir::open(&args.run)?;
    let spec = load_one(&path_of(&run.file(RunFile::Spec))?, &[], &Disk)?;
    let (generator, damaged) = Generator::open(&run, &spec.model, &args.backend.device()?)?;
    damaged.iter().for_each(render::damage);
    let options = Options { tokens: args.tokens, sampler, seed: args.seed };
    if args.json.json {
        let mut text = String::new();
        let tokens = generator.generate(&args.prompt, options, &mut |piece| text.push_str(piece))?;
        print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "prompt": args.prompt,
            "text": text,
            "tokens": tokens,
        }));
        return Ok(Done::Well);
    }
    let mut out = io::stdout();
    let mut write = |piece: &str| {
        let _ = out.write_all(piece.as_bytes()).and_then(|()| out.flush());
    };
    write(&args.prompt);
    generator.generate(&args.prompt, options, &mut write)?;
    write("\n");
    Ok(Done::Well)
}
