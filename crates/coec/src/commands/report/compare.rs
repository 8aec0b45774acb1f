//! What `coec compare` leaves: `compare.json`, and beside it the runs that it names.

use std::fs;
use std::path::{Component, Path, PathBuf};

use coec_report::values::{Arm, AtEqual, Difference, Pair, Spread, Verdict};
use serde::{Deserialize, de::DeserializeOwned};

use super::found::{Found, note};
use super::read;
use crate::failure::Failure;

/// The list of arms and pairs.
const FILE: &str = "compare.json";

/// What of pairs depends on the clock.
const TIMINGS: &str = "timings.json";

/// Whether a comparison is in the directory.
pub fn is_one(path: &Path) -> bool {
    path.join(FILE).is_file()
}

/// As far as it is read here; what a version of coec does not say is left out.
#[derive(Deserialize)]
struct Document {
    arms: Vec<ArmDocument>,
    #[serde(default)]
    pairs: Vec<PairDocument>,
}

#[derive(Deserialize)]
struct ArmDocument {
    name: String,
    /// Directories of runs, from that of the comparison.
    #[serde(default)]
    runs: Vec<PathBuf>,
    val_loss: Option<SpreadDocument>,
}

#[derive(Deserialize)]
struct SpreadDocument {
    mean: Option<f64>,
    std: Option<f64>,
}

#[derive(Deserialize)]
struct PairDocument {
    a: String,
    b: String,
    sentence: Option<String>,
    difference: Option<DifferenceDocument>,
    #[serde(default)]
    at_equal: Vec<AtEqualDocument>,
    verdict: Option<String>,
    /// A comparison that does not say so is not taken for fair.
    #[serde(default)]
    fair: bool,
    /// The figures, and with how much.
    #[serde(default)]
    differs: Vec<String>,
    #[serde(default)]
    differs_by: Vec<String>,
}

#[derive(Deserialize)]
struct DifferenceDocument {
    mean: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    confidence: Option<f64>,
}

/// The differences at equal wall time.
#[derive(Deserialize)]
struct Timings {
    pairs: Vec<TimedPair>,
}

#[derive(Deserialize)]
struct TimedPair {
    a: String,
    b: String,
    at_equal: Option<AtEqualDocument>,
}

#[derive(Deserialize)]
struct AtEqualDocument {
    axis: String,
    spent: f64,
    difference: Option<DifferenceDocument>,
}

/// Adds the comparison in `dir`; `prefix` goes in front of the names of its arms.
pub fn add(dir: &Path, prefix: Option<&str>, to: &mut Found) -> Result<(), Failure> {
    let file = dir.join(FILE);
    let mut document: Document = read_document(&file)?;
    let timings = dir.join(TIMINGS);
    if timings.is_file() {
        for timed in read_document::<Timings>(&timings)?.pairs {
            if let Some(pair) = document.pairs.iter_mut().find(|pair| pair.a == timed.a && pair.b == timed.b)
            {
                pair.at_equal.extend(timed.at_equal);
            }
        }
    }
    let named = |name: &str| prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}/{name}"));
    for arm in document.arms {
        to.arms.push(arm_of(dir, &file, &named(&arm.name), arm, &mut to.notes)?);
    }
    to.pairs.extend(document.pairs.into_iter().map(|pair| pair_of(pair, &named)));
    Ok(())
}

fn read_document<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        let message = format!("cannot read {}: {error}", file.display());
        Failure::environment("coec::report::compare", message, "check that it is there, and its permissions")
    })?;
    serde_json::from_str(&text).map_err(|error| wrong(file, &error.to_string()))
}

fn wrong(file: &Path, reason: &str) -> Failure {
    Failure::environment(
        "coec::report::compare",
        format!("{} is no comparison: {reason}", file.display()),
        "coec compare writes it; make it anew",
    )
}

fn arm_of(
    dir: &Path,
    file: &Path,
    name: &str,
    arm: ArmDocument,
    notes: &mut Vec<String>,
) -> Result<Arm, Failure> {
    let mut found = Arm { name: name.to_owned(), ..Arm::default() };
    found.val_loss = arm.val_loss.and_then(|loss| Some(Spread { mean: loss.mean?, std: loss.std }));
    for path in &arm.runs {
        // The document may come from anybody: it names what lies beside it.
        let is_inside =
            path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside {
            return Err(wrong(file, &format!("`{}` is not in its directory", path.display())));
        }
        let read::Found { run, spec } = read::run(&dir.join(path), path.display().to_string())?;
        match spec {
            Ok(spec) => {
                found.spec.get_or_insert(spec);
            }
            Err(reason) => notes.push(note(&run.name, &reason)),
        }
        found.runs.push(run);
    }
    Ok(found)
}

fn pair_of(pair: PairDocument, named: &dyn Fn(&str) -> String) -> Pair {
    let PairDocument { a, b, sentence, difference, at_equal, verdict, fair, differs, differs_by } = pair;
    let at_equal = at_equal.into_iter().map(|AtEqualDocument { axis, spent, difference }| AtEqual {
        axis,
        spent,
        difference: difference.and_then(difference_of),
    });
    let verdict = verdict.map(|word| match word.as_str() {
        "established" => Verdict::Established,
        "not_established" => Verdict::NotEstablished,
        "reversed" => Verdict::Reversed,
        _ => Verdict::Other(word),
    });
    Pair {
        a: named(&a),
        b: named(&b),
        sentence,
        difference: difference.and_then(difference_of),
        at_equal: at_equal.collect(),
        verdict,
        fair,
        differs: if differs_by.is_empty() { differs } else { differs_by },
    }
}

fn difference_of(found: DifferenceDocument) -> Option<Difference> {
    let DifferenceDocument { mean, low, high, confidence } = found;
    Some(Difference { mean: mean?, interval: low.zip(high), confidence })
}
