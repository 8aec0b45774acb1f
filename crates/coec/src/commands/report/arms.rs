//! The arms of a report: those of comparisons, and runs put together by their specs.

use std::path::{Path, PathBuf};

use coec_ir::diff;
use coec_report::values::{Arm, Spec};
use coec_train::run::is_free;

use super::found::{Found, note};
use super::{compare, read};
use crate::failure::Failure;

/// What stands in the directories `paths`.
pub fn all(paths: &[PathBuf]) -> Result<Found, Failure> {
    let mut found = Found::default();
    // Arms of runs that were named one by one, before they have their names.
    let mut loose: Vec<Arm> = Vec::new();
    for path in paths {
        if compare::is_one(path) {
            let prefix = (paths.len() > 1).then(|| shown(path));
            compare::add(path, prefix.as_deref(), &mut found)?;
        } else {
            let read::Found { run, spec } = read::run(path, shown(path))?;
            let spec = spec.map_err(|reason| found.notes.push(note(&run.name, &reason))).ok();
            match loose.iter_mut().find(|arm| is_same(arm.spec.as_ref(), spec.as_ref())) {
                Some(arm) => arm.runs.push(run),
                None => {
                    let name = spec.as_ref().map_or_else(|| run.name.clone(), |spec| spec.model.name.clone());
                    loose.push(Arm { name, spec, runs: vec![run], val_loss: None });
                }
            }
        }
    }
    name_apart(&mut loose, &found.arms);
    found.arms.extend(loose);
    Ok(found)
}

/// A path as a name.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() { text } else { trimmed.to_owned() }
}

/// Whether two specs differ in nothing but their seed, and what changes no number of a run.
fn is_same(a: Option<&Spec>, b: Option<&Spec>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    let may_differ = |field: &str| field == "train.seed" || is_free(field);
    a.model.name == b.model.name
        && diff::model(&a.model, &b.model).is_empty()
        && diff::train(Some(&a.train), Some(&b.train)).iter().all(|change| may_differ(&change.field))
}

/// Arms of one name get that of their first run besides.
fn name_apart(arms: &mut [Arm], others: &[Arm]) {
    let names: Vec<String> = arms.iter().chain(others).map(|arm| arm.name.clone()).collect();
    for arm in arms {
        let is_taken = names.iter().filter(|name| **name == arm.name).count() > 1;
        if let Some(run) = arm.runs.first().filter(|run| is_taken && run.name != arm.name) {
            arm.name = format!("{} ({})", arm.name, run.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use coec_report::values::Run;

    use super::*;

    #[test]
    fn paths_are_named_without_a_slash_at_their_end() {
        assert_eq!(shown(Path::new("runs/a-1/")), "runs/a-1");
        assert_eq!(shown(Path::new("/")), "/");
    }

    #[test]
    fn arms_of_one_name_are_told_apart() {
        let arm = |name: &str, run: &str| {
            let runs = vec![Run { name: run.into(), ..Run::default() }];
            Arm { name: name.into(), runs, ..Arm::default() }
        };
        let mut arms = [arm("a", "runs/a-1"), arm("b", "runs/b-1"), arm("a", "runs/a-2")];
        name_apart(&mut arms, &[]);
        assert_eq!(arms.map(|arm| arm.name), ["a (runs/a-1)", "b", "a (runs/a-2)"]);
    }
}
