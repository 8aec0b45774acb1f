//! Data as the command line names it, and the cache that its tokens are kept in.

use std::mem::discriminant;
use std::path::{Path, PathBuf};

use coec_ir::{Data, Globs, Sources, Unit};
use coec_train::{
    TrainError,
    data::{self, Cache, FileKind, kind_of},
};
use serde_json::{Value, json};

use crate::{
    arguments::{path_of, twice},
    disk,
    failure::Failure,
    render::{self, number},
};

/// `--data PATH...` as a training names it. What the files are is found out by what stands in them; records
/// are put into `template` where there is one.
pub fn sources(paths: &[String], template: Option<&str>) -> Result<Sources, Failure> {
    let template = || template.map(str::to_owned);
    let mut sources: Vec<Data> = Vec::new();
    for path in paths {
        let glob = Globs(vec![path.clone()]);
        let data = match kind_of(path).map_err(TrainError::from)? {
            FileKind::Text => Data::Text { glob },
            FileKind::Lines => Data::Jsonl { glob, template: template() },
            FileKind::Parquet => Data::Parquet { glob, template: template() },
        };
        let same = sources.iter_mut().find(|other| discriminant(*other) == discriminant(&data));
        match same.and_then(Data::files_mut) {
            Some(glob) => glob.0.push(path.clone()),
            None => sources.push(data),
        }
    }
    Ok(Sources(sources))
}

/// The setting that makes `sources` the data of a training.
pub fn data_setting(sources: &Sources) -> String {
    format!("train.data={}", coec_ir::text::sources(sources))
}

/// `paths` with what can be read once, standard input (`-`) or a pipe, as the file that it is kept in, which
/// is said besides.
pub fn with_input(paths: &[String]) -> Result<(Vec<String>, Option<PathBuf>), Failure> {
    let mut kept: Option<(&String, PathBuf)> = None;
    let mut all = Vec::new();
    for path in paths {
        if path != "-" && !is_stream(Path::new(path)) {
            all.push(path.clone());
            continue;
        }
        if path == "-" && disk::is_input_taken() {
            return Err(twice("save the spec or the data as a file, and name that"));
        }
        let file = match kept.take() {
            Some((stream, file)) if stream == path => file,
            Some((stream, _)) => {
                return Err(Failure::input(
                    "coec::cli::standard_input",
                    format!(
                        "`{stream}` and `{path}` can both be read only once, and a run keeps one of them"
                    ),
                    "save one of them as a file, and name that",
                ));
            }
            None => kept_stream(path)?,
        };
        all.push(path_of(&file)?);
        kept = Some((path, file));
    }
    Ok((all, kept.map(|(_, file)| file)))
}

/// Reads a stream to its end, into a file that is kept.
fn kept_stream(path: &str) -> Result<PathBuf, Failure> {
    let file = match path {
        "-" => data::kept(&mut std::io::stdin().lock()),
        path => data::kept_file(Path::new(path)),
    };
    Ok(file.map_err(TrainError::from)?)
}

/// Whether a path names a pipe, as `<(...)` of a shell does.
#[cfg(unix)]
fn is_stream(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo())
}

#[cfg(not(unix))]
fn is_stream(_: &Path) -> bool {
    false
}

/// Where tokens are kept, for `--json`.
pub fn cache_document() -> Result<Value, Failure> {
    let Cache { folder, bytes, most_bytes } = Cache::now().map_err(TrainError::from)?;
    Ok(json!({ "folder": folder, "bytes": bytes, "most_bytes": most_bytes }))
}

/// The same for people.
pub fn show_cache() -> Result<(), Failure> {
    let Cache { folder, bytes, most_bytes } = Cache::now().map_err(TrainError::from)?;
    let short = |bytes: u64| number::short(bytes as f64, Unit::Bytes);
    let folder = folder.display();
    let (bytes, most) = (short(bytes), short(most_bytes));
    render::line(&format!("cache    {folder}: tokens of text, {bytes} of at most {most}"));
    Ok(())
}
