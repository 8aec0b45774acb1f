//! `coec compare`: arms trained alike, with the same seeds, and what that shows.

mod arms;
mod fairness;
mod plan;
mod results;
mod screen;
mod tune;

use std::path::PathBuf;

use serde_json::{Value, json};

use self::plan::Plan;
use self::results::{ArmResult, Pair};
use self::tune::{Tune, Tuned};
use crate::{
    cli::CompareArgs,
    experiments::{interrupt::Interrupt, jobs::Ended, progress::Progress, run::Run},
    failure::{Done, Failure},
    ranks,
    render::{self, json::print_json},
};

/// The results, in the comparison's directory.
const RESULTS: &str = "compare.json";

/// What depends on the clock, beside them.
const TIMINGS: &str = "timings.json";

pub fn run(args: &CompareArgs) -> Result<Done, Failure> {
    ranks::alone("compare")?;
    let demands = fairness::demands(&args.fair)?;
    let tune = args.tune.as_deref().map(Tune::parse).transpose()?;
    let Some(arms) = arms::arms(args)? else { return Ok(Done::BudgetFails) };
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    let dir = args.out.clone().unwrap_or_else(|| PathBuf::from("compares").join(names.join("-")));
    let plan = Plan::new(dir, arms, args.seeds, tune, demands);
    let quiet = args.json.json;

    let is_fair = plan.unfair_pairs().is_empty();
    if !quiet {
        match is_fair {
            true => screen::fair(&plan),
            false => screen::unfair(&plan),
        }
    }
    if args.check || !is_fair && !args.force {
        if quiet {
            print_json(&checked(&plan));
        } else if !args.check {
            render::line(
                "nothing was trained; `coec fit` makes a fair pair, and --force compares these, labelled",
            );
        }
        return Ok(if is_fair { Done::Well } else { Done::BudgetFails });
    }
    plan.begin()?;
    let interrupt = Interrupt::listen()?;
    let jobs = args.runs.jobs(false);
    let mut progress = Progress::new(quiet);

    let mut tuned: Vec<Option<Tuned>> = vec![None; plan.arms.len()];
    if let Some(tune) = &plan.tune {
        let runs: Vec<Vec<Run>> = plan.arms.iter().map(|arm| tune.runs(&plan, arm)).collect();
        if !quiet {
            screen::begins(&plan, runs.iter().flatten().count(), &jobs);
        }
        if let Ended::Interrupted(signal) = jobs.train(&runs.concat(), &interrupt, &mut progress)? {
            return Ok(interrupted(&plan, signal, quiet));
        }
        for (tuned, runs) in tuned.iter_mut().zip(&runs) {
            *tuned = Some(tune.best(runs)?);
        }
    }
    let runs: Vec<Vec<Run>> =
        plan.arms.iter().zip(&tuned).map(|(arm, tuned)| seeded(&plan, arm, tuned.as_ref())).collect();
    if !quiet {
        screen::begins(&plan, runs.iter().flatten().count(), &jobs);
    }
    if let Ended::Interrupted(signal) = jobs.train(&in_turns(&runs), &interrupt, &mut progress)? {
        return Ok(interrupted(&plan, signal, quiet));
    }
    let mut arms = results::arms(&plan, &runs)?;
    arms.iter_mut().zip(tuned).for_each(|(arm, tuned)| arm.tuned = tuned);
    let pairs = results::pairs(&plan, &arms);
    let document = document(&plan, &arms, &pairs);
    write(&plan, RESULTS, &document)?;
    write(&plan, TIMINGS, &timings(&pairs))?;
    match quiet {
        true => print_json(&document),
        false => {
            let seeds: Vec<u64> = plan.seeds_of(&plan.arms[0]).collect();
            screen::results(&arms, &pairs, &seeds);
            render::line(&format!("\nwrote {}", plan.dir.join(RESULTS).display()));
        }
    }
    Ok(Done::Well)
}

/// The runs of an arm, one a seed, with the number of the optimizer that was found for it.
fn seeded(plan: &Plan, arm: &arms::Arm, tuned: Option<&Tuned>) -> Vec<Run> {
    let setting = tuned.zip(plan.tune.as_ref()).map(|(tuned, tune)| tune.setting(&tuned.value));
    let run = |seed: u64| {
        let sets = std::iter::once(format!("train.seed={seed}")).chain(setting.clone()).collect();
        plan.run(arm, &format!("seed-{seed}"), &format!("seed {seed}"), sets)
    };
    plan.seeds_of(arm).map(run).collect()
}

/// All arms with the first seed, then with the second: what is done by half shows something already.
fn in_turns(runs: &[Vec<Run>]) -> Vec<Run> {
    let most = runs.iter().map(Vec::len).max().unwrap_or(0);
    (0..most).flat_map(|seed| runs.iter().filter_map(move |runs| runs.get(seed))).cloned().collect()
}

fn interrupted(plan: &Plan, signal: i32, quiet: bool) -> Done {
    if !quiet {
        render::line(&format!("stopped, and saved in {}; the same command goes on", plan.dir.display()));
    }
    Done::Interrupted(signal)
}

/// Whether the arms cost the same, for `--check` and where they do not.
fn checked(plan: &Plan) -> Value {
    let pairs = plan.unfair_pairs();
    let pair = |(first, second, found): &(&arms::Arm, &arms::Arm, &[fairness::Excess])| {
        json!({
            "a": first.name,
            "b": second.name,
            "fair": false,
            "differs": found.iter().map(fairness::Excess::name).collect::<Vec<_>>(),
            "differs_by": found.iter().map(fairness::Excess::words).collect::<Vec<_>>(),
        })
    };
    json!({
        "schema": coec_ir::SCHEMA,
        "fair": pairs.is_empty(),
        "demands": demands(plan),
        "unfair": pairs.iter().map(pair).collect::<Vec<_>>(),
    })
}

fn demands(plan: &Plan) -> Vec<String> {
    plan.demands().iter().map(|demand| format!("{}={}", demand.figure.name(), demand.tolerance)).collect()
}

fn document(plan: &Plan, arms: &[ArmResult], pairs: &[Pair]) -> Value {
    json!({
        "schema": coec_ir::SCHEMA,
        "demands": demands(plan),
        "seeds": plan.seeds_of(&plan.arms[0]).collect::<Vec<_>>(),
        "interval": "Student's t over the differences of the pairs, one pair a seed",
        "arms": arms,
        "pairs": pairs,
    })
}

fn timings(pairs: &[Pair]) -> Value {
    let pair = |pair: &Pair| json!({ "a": pair.a, "b": pair.b, "at_equal": pair.at_equal_time });
    json!({ "schema": coec_ir::SCHEMA, "pairs": pairs.iter().map(pair).collect::<Vec<_>>() })
}

fn write(plan: &Plan, name: &str, document: &Value) -> Result<(), Failure> {
    plan::write(&plan.dir.join(name), &format!("{document:#}\n"))
}
