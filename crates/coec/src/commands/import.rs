//! `coec import`: a Hugging Face folder becomes a spec and weights.

use coec_hf::Import;
use coec_store::{
    folder::{self, Folder},
    weights::Dtype,
};
use serde_json::json;

use crate::{
    cli::{ImportArgs, Stored},
    failure::{Done, Failure},
    render::{self, json::print_json, number, progress::Progress},
};

pub fn run(args: &ImportArgs) -> Result<Done, Failure> {
    let folder = Folder::open(&args.dir)?;
    let named = std::path::absolute(&args.dir).unwrap_or_else(|_| args.dir.clone());
    let name = named.file_name().map(|name| coec_hf::model_name(&name.to_string_lossy()));
    let name = name.unwrap_or_else(|| "model".into());
    let mut progress = Progress::new(args.json.json, "tensor");
    let dtype = args.dtype.map(|dtype| match dtype {
        Stored::F32 => Dtype::F32,
        Stored::Bf16 => Dtype::BF16,
        Stored::F16 => Dtype::F16,
    });
    let imported =
        folder::import(&folder, &name, dtype, &args.out, spec, &mut |done, all| progress.show(done, all))?;
    progress.finish();
    let Import { family, model, notes, inert, .. } = &imported.import;
    if args.json.json {
        print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "model": model.name,
            "family": family,
            "tensors": imported.tensors,
            "bytes": imported.bytes,
            "converted": imported.is_converted,
            "notes": notes.iter().map(|n| json!({ "key": n.key, "text": n.text })).collect::<Vec<_>>(),
            "inert": inert.iter().map(|i| json!({ "key": i.key, "value": i.value, "why": i.why })).collect::<Vec<_>>(),
            "carried": imported.carried.iter().map(|c| json!({ "tensor": c.hf, "why": c.why.words() })).collect::<Vec<_>>(),
            "written": args.out,
        }));
        return Ok(Done::Well);
    }
    render::line(&format!(
        "{}: {family}, {} tensors, {}",
        model.name,
        number::grouped(imported.tensors),
        number::short(imported.bytes as f64, coec_ir::Unit::Bytes)
    ));
    for note in notes {
        render::line(&format!("{}: {}", note.key, note.text));
    }
    if imported.is_converted {
        render::line("weights were converted: an export of them is not the folder they are from");
    }
    if !imported.carried.is_empty() {
        let why: std::collections::BTreeSet<_> = imported.carried.iter().map(|c| c.why.words()).collect();
        let why = why.into_iter().collect::<Vec<_>>().join("; ");
        render::line(&format!("{} tensors kept for the way back only: {why}", imported.carried.len()));
    }
    let out = args.out.display();
    render::line(&format!(
        "wrote {out}: spec.coe, model.safetensors{}",
        match imported.has_tokenizer {
            true => ", tokenizer.json",
            false => "; there is no tokenizer.json, so `coec generate` cannot read it",
        }
    ));
    Ok(Done::Well)
}

/// Tokens a training sequence has where the model allows more.
const TRAIN_CONTEXT: usize = 512;

/// The spec of an import: the model in full, and how to train it on, gently.
fn spec(import: &Import, has_tokenizer: bool) -> String {
    let mut text = format!("// Imported from a folder of the family {}.\n", import.family);
    for note in &import.notes {
        text.push_str(&format!("// {}: {}\n", note.key, note.text.replace('\n', " ")));
    }
    text.push_str(&coec_ir::text::model(&import.model));
    if has_tokenizer {
        text.push_str(&format!(
            "\ntrain {{\n    tokenizer = file(\"tokenizer.json\")\n    context   = {}\n    \
             optimizer = adamw(lr=1e-5)\n}}\n",
            import.model.context.min(TRAIN_CONTEXT)
        ));
    }
    // One layout for every spec; a text of ours always has one.
    coec_lang::format("spec.coe", &text).unwrap_or(text)
}
