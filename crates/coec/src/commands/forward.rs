//! `coec forward`: one pass with given weights.

use coec_lang::load_one;
use serde_json::json;

use crate::{
    arguments,
    cli::ForwardArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::json::print_json,
};

pub fn run(args: &ForwardArgs) -> Result<Done, Failure> {
    let spec = load_one(&arguments::spec(&args.spec)?, &args.set.sets, &Disk)?;
    let device = args.at.open()?;
    let precision = args.precision.precision();
    coec_train::pass::run(
        &spec.model,
        &args.weights,
        &args.tokens,
        &args.out,
        args.grads,
        precision,
        &device,
    )?;
    if args.json.json {
        print_json(&json!({ "schema": coec_ir::SCHEMA, "model": spec.model.name, "written": args.out }));
    }
    Ok(Done::Well)
}
