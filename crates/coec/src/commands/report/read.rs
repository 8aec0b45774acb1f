//! A run's directory as values of a report.

use std::path::Path;

use coec_lang::load_one;
use coec_report::values::{Budget, Card, CardRow, Distance, Load, Moved, Routing, Run, Sample, Spec, Step};
use coec_train::{
    report::{ReportCard, Standing},
    run_dir::{Metrics, Records, RunDir, RunFile, metrics},
};

use crate::{arguments::path_of, disk::Disk, failure::Failure, render::card};

/// A run, and the spec it is of, or why that cannot be read.
pub struct Found {
    pub run: Run,
    pub spec: Result<Spec, String>,
}

/// The run in `path`, called `name`.
pub fn run(path: &Path, name: String) -> Result<Found, Failure> {
    let dir = RunDir::read_only(path)?;
    if !dir.file(RunFile::Spec).is_file() {
        return Err(no_run(path));
    }
    let spec = spec(&dir);
    let Records { metrics, experts, routing, card, moved, samples } = Records::read(&dir)?;
    let run = Run {
        name,
        seed: spec.as_ref().ok().map(|spec| spec.train.seed),
        steps: metrics.map(|metrics| steps(&metrics)),
        loads: experts.map(|lines| {
            let load = |line: coec_train::ExpertLine| Load {
                step: line.step as u64,
                layer: line.layer,
                pass: line.pass,
                iteration: line.iteration,
                counts: line.counts,
            };
            lines.into_iter().map(load).collect()
        }),
        routings: routing.map(|lines| {
            let routing = |line: coec_train::routing::RoutingLine| Routing {
                step: line.step as u64,
                layer: line.layer,
                pass: line.pass,
                iteration: line.iteration,
                tokens: line.tokens,
                entropy: line.entropy,
                counts: line.counts,
                follows: line.follows,
            };
            lines.into_iter().map(routing).collect()
        }),
        moved: moved.map(|moved| Moved {
            step: moved.step as u64,
            tensors: moved
                .tensors
                .into_iter()
                .map(|tensor| Distance { name: tensor.name, start: tensor.start, change: tensor.change })
                .collect(),
        }),
        card: card.as_ref().map(card_of),
        samples: samples.map(|samples| {
            let sample =
                |sample: coec_train::samples::Sample| Sample { prompt: sample.prompt, text: sample.text };
            samples.samples.into_iter().map(sample).collect()
        }),
    };
    Ok(Found { run, spec })
}

fn no_run(path: &Path) -> Failure {
    Failure::environment(
        "coec::report::no_run",
        format!("{} is the directory of no run, and of no comparison", path.display()),
        "a run has spec.coe, a comparison compare.json; runs stand in runs/NAME-N",
    )
}

/// A spec of another version may say what this one does not know; the rest of the run can be read all the
/// same.
fn spec(dir: &RunDir) -> Result<Spec, String> {
    let said = |failure: Failure| failure.one_line();
    let path = path_of(&dir.file(RunFile::Spec)).map_err(said)?;
    let first = |errors: coec_lang::Diagnostics| Failure::first_line(&errors);
    let spec = load_one(&path, &[], &Disk).map_err(first)?;
    let train = spec.train_or_default().map_err(first)?;
    let text = dir.read(RunFile::Spec).map_err(|error| said(error.into()))?;
    Ok(Spec { model: spec.model, train, text })
}

fn steps(metrics: &[Metrics]) -> Vec<Step> {
    let step = |(line, seconds): (&Metrics, f64)| Step {
        step: line.step,
        tokens: line.tokens,
        seconds,
        loss: line.loss,
        val_loss: line.val_loss,
    };
    metrics.iter().zip(metrics::seconds(metrics)).map(step).collect()
}

fn card_of(found: &ReportCard) -> Card {
    let figures = card::figures(found).into_iter().enumerate();
    let row = |(place, [figure, closed_form, captured, measured, verdict]): (usize, [String; 5])| {
        let fails = found.rows.get(place).is_some_and(|row| row.verdict == Standing::Fails);
        CardRow { figure, closed_form, captured, measured, verdict, fails }
    };
    let budget = |judged: &coec_train::report::Judged| {
        let [rule, value, verdict] = card::budget(judged);
        Budget { rule, value, verdict, fails: judged.verdict == Standing::Fails }
    };
    Card {
        setting: card::setting(found),
        rows: figures.map(row).collect(),
        budgets: found.budgets.iter().map(budget).collect(),
        unmoved: found.unmoved.tensors.clone(),
    }
}
