//! The spec of a run: as it was asked for, as the run keeps it, and as a resumed run has it.

use std::path::{Path, PathBuf};

use coec_ir::{Data, Globs, Sources, Tokenizer, Train};
use coec_lang::{Spec, load_one};
use coec_train::{
    TrainError,
    run::{FREE, is_free, is_length},
    run_dir::{RunDir, RunFile},
    tokenizer,
};

use crate::{
    arguments::{self, path_of},
    cli::TrainArgs,
    data::{data_setting, sources, with_input},
    disk::{Disk, QUICKSTART},
    failure::Failure,
};

/// The field that `--weights` says too.
const TOKENIZER: &str = "train.tokenizer";

/// The spec that a new run is of, and the data that came from standard input. A run that starts from weights
/// has their tokenizer, and one of several ranks as many parts of a batch, where the spec says nothing else.
pub fn asked_for(args: &TrainArgs, ranks: usize) -> Result<(Spec, Option<PathBuf>), Failure> {
    let mut sets = args.set.sets.clone();
    if ranks > 1 && (args.spec.as_deref() == Some("-") || args.data.iter().any(|path| path == "-")) {
        return Err(Failure::input(
            "coec::ranks::input",
            format!("{ranks} ranks cannot all read standard input"),
            "name a file that each of them can read",
        ));
    }
    let path = args.spec.as_deref().map_or(Ok(QUICKSTART.into()), arguments::spec)?;
    let mut kept = None;
    if !args.data.is_empty() {
        let (paths, input) = with_input(&args.data)?;
        sets.push(data_setting(&sources(&paths, None)?));
        kept = input;
    }
    let of_sets = |sets: &[String]| match &args.weights {
        Some(weights) => of_weights(&path, sets, weights),
        None => Ok(load_one(&path, sets, &Disk)?),
    };
    let spec = of_sets(&sets)?;
    let Train { accumulate, batch, .. } = spec.train_or_default()?;
    if ranks == 1 || accumulate > 1 {
        return Ok((spec, kept));
    }
    if !batch.is_multiple_of(ranks) {
        return Err(Failure::input(
            "coec::ranks::parts",
            format!("a batch of {batch} does not split into {ranks} equal parts, one for each rank"),
            format!("--set train.batch={}, or another number of ranks", batch.next_multiple_of(ranks)),
        ));
    }
    sets.push(format!("train.accumulate={ranks}"));
    Ok((of_sets(&sets)?, kept))
}

/// The training as the run directory says it, which keeps `input` itself.
pub fn kept(train: &Train, input: Option<&Path>) -> Train {
    let mut train = train.clone();
    let Some(input) = input.and_then(Path::to_str) else { return train };
    for data in &mut train.data.0 {
        for glob in data.files_mut().into_iter().flat_map(|globs| &mut globs.0).filter(|glob| *glob == input)
        {
            *glob = RunFile::Input.name().into();
        }
    }
    train
}

/// A spec with the tokenizer of some weights: it numbers the tokens that they know.
fn of_weights(path: &str, sets: &[String], weights: &Path) -> Result<Spec, Failure> {
    let sets_it = sets.iter().any(|set| {
        let field = set.split('=').next().unwrap_or_default().trim();
        field == TOKENIZER || field.strip_prefix(TOKENIZER).is_some_and(|rest| rest.starts_with('.'))
    });
    let Some(own_path) = tokenizer::beside(weights) else {
        let spec = load_one(path, sets, &Disk)?;
        let is_named = sets_it || spec.train_has("tokenizer");
        let learns = matches!(spec.train_or_default()?.tokenizer, Tokenizer::Bpe { .. });
        // Weights that are not there are an error of their own.
        return match weights.is_file() && (learns || !is_named) {
            true => Err(no_tokenizer(weights)),
            false => Ok(spec),
        };
    };
    let own = tokenizer::Tokenizer::load(&own_path).map_err(TrainError::from)?;
    let said = match &own {
        tokenizer::Tokenizer::Bytes => "bytes".to_owned(),
        tokenizer::Tokenizer::Hf(_) => {
            let absolute = std::path::absolute(&own_path).unwrap_or_else(|_| own_path.clone());
            format!("file({})", coec_ir::text::string(&path_of(&absolute)?))
        }
    };
    let with_own = load_one(path, &[sets, &[format!("{TOKENIZER}={said}")]].concat(), &Disk)?;
    if !sets_it && !with_own.train_has("tokenizer") {
        return Ok(with_own);
    }
    let spec = load_one(path, sets, &Disk)?;
    let named = spec.train_or_default()?.tokenizer;
    tokenizer::check_is(&own, &own_path, &named, &spec.bases.tokenizer).map_err(TrainError::from)?;
    Ok(with_own)
}

fn no_tokenizer(weights: &Path) -> Failure {
    Failure::input(
        "coec::train::no_tokenizer",
        format!("{} has no tokenizer.json beside it, and the spec names none", weights.display()),
        "put the tokenizer.json of the weights beside them, or name it: \
         --set 'train.tokenizer=file(\"tokenizer.json\")', or `bytes`",
    )
}

/// The spec of a run that goes on: its own, with what may change.
pub fn of_run(dir: &RunDir, args: &TrainArgs) -> Result<Spec, Failure> {
    let path = path_of(&dir.file(RunFile::Spec))?;
    let mut sets = args.set.sets.clone();
    for set in &sets {
        let field = set.split('=').next().unwrap_or_default().trim();
        if !is_length(field) && !is_free(field) {
            return Err(Failure::input(
                "coec::train::resume",
                format!("`--set {field}` would make it another run"),
                format!(
                    "a run that goes on may be given another length (train.steps, tokens or flops), and other values \
                     of {}",
                    FREE.join(", ")
                ),
            ));
        }
    }
    if !args.data.is_empty() {
        let train = load_one(&path, &[], &Disk)?.train_or_default()?;
        sets.push(data_setting(&moved(train.data, &args.data)?));
    }
    Ok(load_one(&path, &sets, &Disk)?)
}

/// Data that is now where `paths` say. The files of one source are all of them; of several sources that are
/// read from files each is one, in their order.
fn moved(mut data: Sources, paths: &[String]) -> Result<Sources, Failure> {
    let mut from_files: Vec<&mut Globs> = data.0.iter_mut().filter_map(Data::files_mut).collect();
    match from_files.as_mut_slice() {
        // It was no file: what differs is said when both are compared.
        [] => return sources(paths, None),
        [one] => one.0 = paths.to_vec(),
        several if several.len() == paths.len() => {
            several.iter_mut().zip(paths).for_each(|(globs, path)| globs.0 = vec![path.clone()]);
        }
        several => {
            return Err(Failure::input(
                "coec::train::resume",
                format!(
                    "the run has {} sources that are read from files, and --data names {}",
                    several.len(),
                    paths.len()
                ),
                "name one path or glob for each, in the order of the spec: --data A --data B",
            ));
        }
    }
    Ok(data)
}
