//! What arguments are short for.

use std::path::Path;

use crate::{
    disk::{self, STDIN},
    failure::Failure,
};

/// Specs as a loader finds them. `-`, or `-#model`, is standard input, which is read here.
pub fn specs(arguments: &[String]) -> Result<Vec<String>, Failure> {
    let mut named = 0;
    let spec = |argument: &String| match argument.strip_prefix('-') {
        Some(model) if model.is_empty() || model.starts_with('#') => {
            named += 1;
            format!("{STDIN}{model}")
        }
        _ => argument.clone(),
    };
    let specs = arguments.iter().map(spec).collect();
    match named {
        0 => {}
        1 => disk::take_input(),
        _ => return Err(twice("save one of the specs as a file, and name that")),
    }
    Ok(specs)
}

fn twice(help: &str) -> Failure {
    Failure::input(
        "coec::cli::standard_input",
        "`-` is named twice, and standard input can be read once",
        help,
    )
}

/// The same for a single spec.
pub fn spec(argument: &str) -> Result<String, Failure> {
    Ok(specs(&[argument.into()])?.concat())
}

/// A path as a spec's; one with `#` in it would be read as `path#model`.
pub fn path_of(path: &Path) -> Result<String, Failure> {
    match path.to_str() {
        Some(path) => Ok(path.to_string()),
        None => Err(Failure::input(
            "coec::cli::path",
            format!("{} is not UTF-8", path.display()),
            "rename the folder",
        )),
    }
}

/// `--data PATH...` as the setting it is short for. What the files are is found out by what stands in them;
/// records are put into `template` where there is one.
#[cfg(feature = "train")]
pub fn data_setting(paths: &[String], template: Option<&str>) -> Result<String, Failure> {
    use coec_train::data::FileKind;
    let kinds: Vec<(FileKind, &String)> = paths
        .iter()
        .map(|path| coec_train::data::kind_of(path).map(|kind| (kind, path)))
        .collect::<Result<_, _>>()
        .map_err(coec_train::TrainError::from)?;
    let of = |wanted: FileKind| {
        let paths: Vec<String> =
            kinds.iter().filter(|(kind, _)| *kind == wanted).map(|(_, path)| (*path).clone()).collect();
        (!paths.is_empty()).then(|| globs(&paths))
    };
    let text = of(FileKind::Text).map(|globs| format!("text({globs})"));
    let records = of(FileKind::Records).map(|globs| self::records(&globs, template));
    let sources: Vec<String> = text.into_iter().chain(records).collect();
    match sources.as_slice() {
        [one] => Ok(format!("train.data={one}")),
        several => Ok(format!("train.data=[{}]", several.join(", "))),
    }
}

/// Records of these files as a spec says them.
#[cfg(feature = "train")]
pub fn records(globs: &str, template: Option<&str>) -> String {
    match template {
        Some(template) => format!("jsonl({globs}, template={})", coec_ir::text::string(template)),
        None => format!("jsonl({globs})"),
    }
}

/// Paths as a spec lists them.
#[cfg(feature = "train")]
pub fn globs(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| coec_ir::text::string(path)).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// `paths` with standard input, `-`, as the file that it is kept in, which is said besides.
#[cfg(feature = "train")]
pub fn with_input(paths: &[String]) -> Result<(Vec<String>, Option<std::path::PathBuf>), Failure> {
    let mut kept = None;
    let mut all = Vec::new();
    for path in paths {
        if path != "-" {
            all.push(path.clone());
            continue;
        }
        if disk::is_input_taken() {
            return Err(twice("save the spec or the data as a file, and name that"));
        }
        if kept.is_none() {
            let input = coec_train::data::kept(&mut std::io::stdin().lock());
            kept = Some(input.map_err(coec_train::TrainError::from)?);
        }
        all.push(path_of(kept.as_deref().unwrap_or(Path::new("")))?);
    }
    Ok((all, kept))
}
