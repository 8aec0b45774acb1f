//! `coec export`: a run, an import or a spec becomes a folder that others read.

#[cfg(feature = "train")]
mod events;
mod torch;

use std::path::Path;

use coec_hf::Family;
use coec_ir::Quantity;
use coec_lang::load_one;
use coec_store::{folder, weights::Weights};
use serde_json::json;

use crate::{
    arguments::path_of,
    cli::{ExportArgs, ExportFormat},
    disk::Disk,
    failure::{Done, Failure},
    render::{self, json::print_json, number, progress::Progress},
};

pub fn run(args: &ExportArgs) -> Result<Done, Failure> {
    match args.format {
        ExportFormat::Hf => hf(args),
        ExportFormat::Torch => torch::export(args),
        #[cfg(feature = "train")]
        ExportFormat::Tensorboard => events::export(args),
        #[cfg(not(feature = "train"))]
        ExportFormat::Tensorboard => Err(crate::failure::compiler_alone()),
    }
}

/// A folder that others load the model from.
fn hf(args: &ExportArgs) -> Result<Done, Failure> {
    let spec = load_one(&path_of(&args.run.join("spec.coe"))?, &[], &Disk)?;
    let family = args.family.as_deref().map(family).transpose()?;
    let shard = shard_size(&args.shard_size)?;
    let mut progress = Progress::new(args.json.json, "tensor");
    let mut tell = |done, all| progress.show(done, all);
    let weights = weights(&args.run)?;
    let exported = folder::export(&args.run, &weights, &spec.model, family, shard, &args.out, &mut tell)?;
    progress.finish();
    if args.json.json {
        print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "model": spec.model.name,
            "family": exported.family,
            "tensors": exported.tensors,
            "bytes": exported.bytes,
            "shards": exported.shards,
            "written": args.out,
        }));
    } else {
        render::line(&format!(
            "wrote {}: {}, {} tensors, {} in {}",
            args.out.display(),
            exported.family,
            number::grouped(exported.tensors),
            number::short(exported.bytes as f64, coec_ir::Unit::Bytes),
            if exported.shards == 1 { "one file".into() } else { format!("{} files", exported.shards) }
        ));
    }
    Ok(Done::Well)
}

/// The newest weights of a run, or those of an import.
#[cfg(feature = "train")]
fn weights(run: &Path) -> Result<Weights, Failure> {
    let (weights, damaged) = coec_train::run_dir::RunDir::read_only(run)?.weights()?;
    damaged.iter().for_each(render::damage);
    Ok(weights)
}

/// The weights that a run shows, or those of an import. The compiler alone knows nothing of commits.
#[cfg(not(feature = "train"))]
fn weights(run: &Path) -> Result<Weights, Failure> {
    Ok(Weights::open(&run.join("model.safetensors"))?)
}

fn family(name: &str) -> Result<Family, Failure> {
    Family::of_model_type(name).ok_or_else(|| {
        let known: Vec<_> = Family::ALL.iter().map(|family| family.model_type()).collect();
        let message = format!("there is no family `{name}`");
        Failure::input("coec::cli::family", message, format!("known are {}", known.join(", ")))
    })
}

fn shard_size(text: &str) -> Result<u64, Failure> {
    let size = Quantity::parse(text).ok().and_then(|size| size.to_u64()).filter(|&size| size > 0);
    size.ok_or_else(|| {
        Failure::input(
            "coec::cli::shard_size",
            format!("`{text}` is no size of a file"),
            "for example 5GB or 500MiB",
        )
    })
}
