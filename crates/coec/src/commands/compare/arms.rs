//! The arms of a comparison: specs that are trained in the same way.

use coec_ir::cost::Cost;
use coec_ir::{Train, diff};
use coec_lang::{Spec, check, load};
use coec_train::run::is_length;

use crate::{
    arguments,
    cli::CompareArgs,
    disk::Disk,
    failure::Failure,
    render::verdicts,
    run_spec::{explicit, located},
};

/// A spec that is compared with others.
pub struct Arm {
    /// Its name, which no other arm has: a folder is called so.
    pub name: String,
    pub spec: Spec,
    /// How it is trained, its data where it can be found from anywhere.
    pub train: Train,
    /// Steps between evaluations, as its spec says.
    declared_every: usize,
    /// The spec that its runs are of, written out.
    pub text: String,
}

impl Arm {
    pub fn cost(&self) -> Cost {
        Cost::of(&self.spec.model, self.train.setting())
    }

    /// Whether its runs are evaluated more often than its spec says.
    pub fn is_evaluated_more_often(&self) -> bool {
        self.train.eval.every < self.declared_every
    }

    /// Optimizer steps of each of its runs.
    pub fn steps(&self) -> usize {
        self.train.length(&self.spec.model)
    }
}

/// How often each run is evaluated at least where `--set` does not say it: what losses are where as much was
/// spent is read between evaluations.
const EVALUATIONS: usize = 4;

/// The arms that the arguments name, each within its own budgets; `None` where one is not, which is said.
pub fn arms(args: &CompareArgs) -> Result<Option<Vec<Arm>>, Failure> {
    let sets = args.runs.sets()?;
    let (mut loaded, mut holds) = (Vec::new(), true);
    for path in arguments::specs(&args.specs)? {
        for spec in load(&path, &sets, &Disk)? {
            let train = located(&spec, spec.train_or_default()?);
            let report = check(&spec, &Disk)?;
            if report.is_violated() {
                verdicts::show(&spec, &report);
                holds = false;
            }
            loaded.push((spec, train, report));
        }
    }
    let is_given = sets.iter().any(|set| set.starts_with("train.eval"));
    let shortest = loaded.iter().map(|(spec, train, _)| train.length(&spec.model)).min().unwrap_or(0);
    let most = if is_given { usize::MAX } else { (shortest / EVALUATIONS).max(1) };
    let mut arms: Vec<Arm> = Vec::new();
    for (spec, mut train, report) in loaded {
        let declared_every = train.eval.every;
        train.eval.every = declared_every.min(most);
        let text = explicit(&spec, &report, &train);
        let name = free_name(&arms, &spec.model.name);
        arms.push(Arm { name, spec, train, declared_every, text });
    }
    if arms.len() < 2 {
        return Err(Failure::input(
            "coec::compare::arms",
            "a comparison has two arms at least",
            "name two specs, or a file with several models",
        ));
    }
    same_training(&arms)?;
    Ok(holds.then_some(arms))
}

/// The name, or one with a number behind it where an arm has it already.
fn free_name(arms: &[Arm], name: &str) -> String {
    let is_free = |name: &str| arms.iter().all(|arm| arm.name != name);
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| is_free(name)).unwrap_or_default()
}

/// Holds the trainings to each other: their optimizers may differ, and how many steps reach the same budget;
/// so may what they compute twice, which changes no loss.
fn same_training(arms: &[Arm]) -> Result<(), Failure> {
    let [first, others @ ..] = arms else { return Ok(()) };
    let mut wrong = Vec::new();
    for other in others {
        let changes = diff::train(Some(&first.train), Some(&other.train));
        let may_differ = |field: &str| {
            field == "train.recompute" || field == "train.optimizer" || field.starts_with("train.optimizer.")
        };
        for change in changes.iter().filter(|change| !may_differ(&change.field)) {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
            let (name, old, new) = (change.name(), text(&change.old), text(&change.new));
            wrong.push(format!("{name} is {old} in {} and {new} in {}", first.name, other.name));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let is_long = wrong.iter().any(|change| is_length(change.split(' ').next().unwrap_or_default()));
    let help = match is_long {
        true => "train all arms alike: `--set train.steps=N`, or tokens, or flops, sets it for each of them",
        false => {
            "train all arms alike: a `--set` holds for each of them; only their optimizers, and what they compute \
             again, may differ"
        }
    };
    Err(Failure::input("coec::compare::trainings", wrong.join("; "), help))
}
