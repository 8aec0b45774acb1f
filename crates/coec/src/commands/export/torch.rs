//! The model as PyTorch code, with its weights, its budgets and its training.

use std::path::Path;

use coec_ir::cost::Cost;
use coec_ir::{Param, Tensors};
use coec_lang::{Report, Spec, check, load_one};
use coec_store::{
    atomic::AtomicFolder,
    folder::{self, Tensor, TokenizerFiles},
    weights::Weights,
};
use serde_json::{Value, json};

use super::{shard_size, weights};
use crate::{
    arguments::{self, path_of},
    cli::ExportArgs,
    disk::Disk,
    failure::{Done, Failure},
    render::{
        self,
        figure::{Figures, default_setting},
        json::print_json,
        number,
        progress::Progress,
        verdicts,
    },
};

/// What is exported.
enum Origin<'a> {
    /// A run, or an import, and its weights.
    Folder(&'a Path, Weights),
    /// A spec: the weights are those that a training begins with.
    Spec,
}

pub fn export(args: &ExportArgs) -> Result<Done, Failure> {
    let is_folder = args.run.join("spec.coe").is_file();
    let path = path_of(&if is_folder { args.run.join("spec.coe") } else { args.run.clone() })?;
    if !is_folder && args.run.is_dir() {
        return Err(Failure::input(
            "coec::cli::export",
            format!("{} is neither a run nor an import", args.run.display()),
            "`coec import DIR --out OUT` reads a folder of Hugging Face, and OUT can be exported",
        ));
    }
    let spec = load_one(&arguments::spec(&path)?, &[], &Disk)?;
    let report = check(&spec, &Disk)?;
    if report.is_violated() && !is_folder {
        match args.json.json {
            true => print_json(&json!({
                "schema": coec_ir::SCHEMA, "spec": verdicts::document(&spec, &report), "written": null,
            })),
            false => verdicts::show(&spec, &report),
        }
        return Ok(Done::BudgetFails);
    }
    let origin = match is_folder {
        true => Origin::Folder(&args.run, weights(&args.run)?),
        false => Origin::Spec,
    };
    let shard = shard_size(&args.shard_size)?;
    let all = Tensors::of(&spec.model);
    let all: Vec<&Param> = all.trained.iter().chain(&all.state).collect();
    let (tensors, dtype) = tensors(&spec, &origin, &all)?;

    let scratch = folder::begin(&args.out)?;
    let trained = training::write(&scratch, args, &spec, &report, &origin)?;
    let mut progress = Progress::new(args.json.json, "tensor");
    let mut tell = |done, all| progress.show(done, all);
    let (bytes, shards) = folder::write_shards(&tensors, shard, &scratch, &mut tell)?;
    progress.finish();
    for (name, text) in coec_torch::FILES {
        folder::write(&scratch, name, text.as_bytes())?;
    }
    let cost = Cost::of(&spec.model, default_setting(&spec));
    let budget = json!({
        "schema": coec_ir::SCHEMA,
        "convention": render::figure::CONVENTION,
        "setting": cost.setting,
        "figures": Figures(&cost),
        "torch": coec_torch::counts(&spec.model, &cost),
    });
    let train = trained.as_ref().map(|trained| &trained["train"]);
    let documents = [
        ("config.json", coec_torch::config(&spec.model, dtype)),
        ("budget.json", budget),
        ("ir.json", json!({ "schema": coec_ir::SCHEMA, "model": &*spec.model, "train": train })),
    ];
    let documents = documents.into_iter().chain(trained.clone().map(|trained| ("train.json", trained)));
    for (name, document) in documents {
        folder::write(&scratch, name, format!("{document:#}\n").as_bytes())?;
    }
    folder::write(&scratch, "README.md", coec_torch::readme(&spec.model, trained.is_some()).as_bytes())?;
    // A tokenizer of the origin, or what the training left here.
    let beside = match &origin {
        Origin::Folder(run, _) => TokenizerFiles::of(run)?,
        Origin::Spec => TokenizerFiles::of(scratch.scratch())?,
    };
    for (name, text) in beside.files(spec.model.context, true) {
        folder::write(&scratch, name, text.as_bytes())?;
    }
    folder::commit(scratch, &args.out)?;

    match args.json.json {
        true => print_json(&json!({
            "schema": coec_ir::SCHEMA,
            "model": spec.model.name,
            "tensors": tensors.len(),
            "bytes": bytes,
            "shards": shards,
            "trains": trained.is_some(),
            "written": args.out,
        })),
        false => render::line(&format!(
            "wrote {}: {} tensors, {} in {}{}; start with README.md",
            args.out.display(),
            number::grouped(tensors.len()),
            number::short(bytes as f64, coec_ir::Unit::Bytes),
            if shards == 1 { "one file".into() } else { format!("{shards} files") },
            if trained.is_some() { ", and the tokens of its training" } else { "" },
        )),
    }
    Ok(Done::Well)
}

/// The tensors of a model, and the precision that PyTorch should load them in.
fn tensors<'a>(
    spec: &Spec,
    origin: &'a Origin<'_>,
    all: &[&'a Param],
) -> Result<(Vec<Tensor<'a>>, &'static str), Failure> {
    match origin {
        Origin::Folder(_, weights) => {
            let expected: Vec<_> = all.iter().map(|param| (&param.name, &param.shape)).collect();
            weights.check(&expected)?;
            let dtype = folder::precision(weights, all.iter().map(|param| &param.name))?;
            let kept = all.iter().map(|param| Tensor::kept(param.name.clone(), weights, &param.name));
            Ok((kept.collect::<Result<_, _>>()?, dtype))
        }
        Origin::Spec => Ok((training::initial(spec, all)?, "float32")),
    }
}

/// What a training begins with and learns from.
#[cfg(feature = "train")]
mod training {
    use std::fs;
    use std::io::{BufWriter, Write};

    use coec_store::folder::FolderError;
    use coec_train::data::{Tokens, ValidationBatches};
    use coec_train::run::{Bases, Corpus, Event, Numbered};
    use coec_train::run_dir::{RunDir, train_of};

    use super::*;
    use crate::{render::reading::Reading, run_spec};

    /// Tokens copied at once.
    const AT_ONCE: usize = 1 << 20;

    /// The weights that a training of the spec begins with.
    pub fn initial<'a>(spec: &Spec, all: &[&'a Param]) -> Result<Vec<Tensor<'a>>, Failure> {
        let seed = spec.train.as_ref().map_or(coec_ir::SEED, |train| train.seed);
        let made = |param: &&'a Param| {
            let param = *param;
            Tensor::made(param.name.clone(), param.shape.clone(), move || {
                coec_nn::initial_values(param, seed)
            })
        };
        Ok(all.iter().map(made).collect())
    }

    /// Writes the spec, and of one that says how it is trained the tokens; `train.json`, if there are some.
    pub fn write(
        scratch: &AtomicFolder,
        args: &ExportArgs,
        spec: &Spec,
        report: &Report,
        origin: &Origin<'_>,
    ) -> Result<Option<Value>, Failure> {
        let Some(train) = spec.train.clone() else {
            folder::write(scratch, "spec.coe", spec.explicit_text().as_bytes())?;
            return Ok(None);
        };
        let train = run_spec::located(spec, train);
        let kept = train_of(&train);
        let explicit = run_spec::explicit(spec, report, &kept);
        folder::write(scratch, "spec.coe", explicit.as_bytes())?;
        let bases = Bases { data: &spec.bases.data, tokenizer: &spec.bases.tokenizer };
        let run = match origin {
            Origin::Folder(run, _) => Some(RunDir::read_only(run)?),
            Origin::Spec => None,
        };
        let numbered = run.as_ref().map_or(Numbered::BySpec, Numbered::AsIn);
        let mut reading = Reading::new(args.json.json, false);
        let mut tell = |event| {
            if let Event::Reading(progress) = event {
                reading.show(progress);
            }
        };
        let corpus = Corpus::read(&spec.model, &train, bases, numbered, &mut tell);
        reading.finish();
        let corpus = match corpus {
            Ok(corpus) => corpus,
            // Of a run the weights are worth having without its data.
            Err(error) if run.is_some() => {
                render::error_line(&format!(
                    "warning: without the run's data there is no train.json, and train_torch.py has nothing to learn \
                     from: {}",
                    Failure::from(error).one_line()
                ));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if run.is_none() {
            folder::write(scratch, "tokenizer.json", corpus.tokenizer_json.as_bytes())?;
            for (name, text) in corpus.tokenizer.companions() {
                folder::write(scratch, name, text.as_bytes())?;
            }
        }
        let parts = [("train", &corpus.learned), ("validation", &corpus.held_out)];
        for (part, sources) in parts {
            for (source, tokens) in sources.iter().enumerate() {
                copy(tokens, &scratch.scratch().join(coec_torch::tokens(source, part)))?;
            }
        }
        let (sources, held_out) = (corpus.learned.len(), corpus.held_out);
        let validation = ValidationBatches::new(held_out, train.batch, train.context, train.eval.batches)?;
        let bytes_per_token = validation.bytes_per_token();
        Ok(Some(coec_torch::training(&spec.model, &kept, sources, bytes_per_token)))
    }

    /// Copies tokens to a file of their own.
    fn copy(tokens: &Tokens, path: &Path) -> Result<(), Failure> {
        let unwritable = |source| FolderError::Unwritable { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        let mut file = BufWriter::new(fs::File::create(path).map_err(unwritable)?);
        for start in (0..tokens.len()).step_by(AT_ONCE) {
            let ids = tokens.read(start, AT_ONCE.min(tokens.len() - start))?;
            let bytes: Vec<u8> = ids.into_iter().flat_map(u32::to_le_bytes).collect();
            file.write_all(&bytes).map_err(unwritable)?;
        }
        Ok(file
            .into_inner()
            .map_err(|error| unwritable(error.into_error()))?
            .sync_all()
            .map_err(unwritable)?)
    }
}

/// The compiler alone makes no weights and reads no data.
#[cfg(not(feature = "train"))]
mod training {
    use super::*;

    pub fn initial<'a>(_: &Spec, _: &[&'a Param]) -> Result<Vec<Tensor<'a>>, Failure> {
        Err(crate::failure::compiler_alone())
    }

    pub fn write(
        scratch: &AtomicFolder,
        _: &ExportArgs,
        spec: &Spec,
        _: &Report,
        _: &Origin<'_>,
    ) -> Result<Option<Value>, Failure> {
        folder::write(scratch, "spec.coe", spec.explicit_text().as_bytes())?;
        Ok(None)
    }
}
