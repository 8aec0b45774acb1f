//! The spec of a run as its directory keeps it.

use std::path::Path;

use coec_ir::{Rule, Target, Tokenizer, Train};
use coec_lang::{Report, Spec, Verdict};

/// The training of a spec with its files where they can be found from inside the run directory too.
pub fn located(spec: &Spec, mut train: Train) -> Train {
    for data in &mut train.data.0 {
        for glob in data.files_mut().into_iter().flat_map(|globs| &mut globs.0) {
            *glob = coec_train::data::absolute(glob, &spec.bases.data);
        }
    }
    if let Tokenizer::File { path } = &mut train.tokenizer {
        let joined = spec.bases.tokenizer.join(Path::new(path));
        *path = std::path::absolute(&joined).unwrap_or(joined).to_string_lossy().into_owned();
    }
    train
}

/// The spec written out with `train`, as a run keeps it.
///
/// A figure of another spec is written as the number it is now: the run is held to that, wherever
/// that spec goes and whatever becomes of it.
pub fn explicit(spec: &Spec, report: &Report, train: &Train) -> String {
    let number = |verdict: &Verdict| {
        let rule = verdict.rule.rule.clone();
        if !matches!(&rule.target, Target::Figure { spec: Some(_), .. }) {
            return vec![rule];
        }
        let mut targets = verdict.readings.iter().filter_map(|reading| reading.target.as_ref());
        // Of a rule for each layer there may be several, which no one number says; the card has them.
        let first = targets.next().filter(|first| targets.all(|target| target == *first));
        let held = first.map(|number| Rule { target: Target::Number(number.clone()), ..rule });
        held.into_iter().collect()
    };
    let rules: Vec<Rule> = report.verdicts.iter().flat_map(number).collect();
    let parts =
        [coec_ir::text::model(&spec.model), coec_ir::text::budget(&rules), coec_ir::text::train(train)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}
