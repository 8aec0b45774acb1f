//! What came of a run: measured figures, the report card, the summary.

use coec_ir::{Figure, Model, Param, Recompute, Verified};
use coec_nn::{capture::Counts, initial_values};

use super::{Control, Event, Job, Summary, prepare::flops_train, session::Ended};
use crate::{
    error::TrainError,
    moved::Moved,
    optimizer::AdamW,
    report::{LayerExperts, Measured, ReportCard, Unmoved, figure},
    run_dir::{Clock, Commit, Origin, RunDir, RunFile, State},
};

/// Judges a run that ended, and leaves the card in its directory; of one that came to its end, also how far
/// its tensors moved.
pub(super) fn finish(
    job: &Job<'_>,
    counts: &Counts,
    dir: &RunDir,
    ended: &Ended,
    tell: &mut dyn FnMut(Event),
    control: &Control,
) -> Summary {
    let Ended { trainer, state, clock, .. } = ended;
    let interrupted = state.step < job.steps() || state.unevaluated.is_some();
    // Before the card: what has a card has this too.
    if !interrupted && let Err(error) = keep_moved(job.train.seed, dir, ended, control) {
        tell(Event::Warning(error));
    }
    let measured = measured(job, state, clock);
    let budgets = (job.judge)(measured.as_ref());
    let unmoved = unmoved(state, &trainer.optimizer, trainer.model.bindings());
    let card = ReportCard::new(job.model, job.setting(), job.backend, counts, measured, budgets, unmoved)
        .after(state.step);
    let json = serde_json::to_string_pretty(&card).unwrap_or_default();
    if let Err(error) = dir.write(RunFile::Budget, json.as_bytes()) {
        tell(Event::Warning(error.into()));
    }
    summary(state, clock, interrupted, card)
}

/// Leaves in the run's directory how far each tensor moved, if what it began with is known and nobody wants
/// an end first.
fn keep_moved(seed: u64, dir: &RunDir, ended: &Ended, control: &Control) -> Result<(), TrainError> {
    let Ended { trainer, state, .. } = ended;
    let go_on = || !control.is_stopping();
    let moved = match state.origin {
        None => return Ok(()),
        Some(Origin::Seed) => {
            let start = |param: &Param| Ok::<_, TrainError>(initial_values(param, seed));
            Moved::of(&trainer.model, state.step, start, &go_on)?
        }
        Some(Origin::Weights) => {
            let weights = dir.start()?;
            let start = |param: &Param| Ok::<_, TrainError>(weights.f32(&param.name)?);
            Moved::of(&trainer.model, state.step, start, &go_on)?
        }
    };
    let Some(moved) = moved else { return Ok(()) };
    let json = serde_json::to_string_pretty(&moved).unwrap_or_default();
    Ok(dir.write(RunFile::Moved, json.as_bytes())?)
}

/// The summary of a run whose steps are all done, from its directory alone: the data may be gone.
///
/// # Errors
///
/// A card that cannot be read, or is of another step: the run was killed before it wrote the last.
pub fn finished(dir: &RunDir, commit: &Commit) -> Result<Summary, TrainError> {
    let text = dir.read(RunFile::Budget)?;
    let card: ReportCard =
        serde_json::from_str(&text).map_err(|error| crate::run_dir::RunError::BadLine {
            path: dir.file(RunFile::Budget),
            line: error.line(),
            reason: error.to_string(),
        })?;
    if card.steps != commit.state.step {
        let (path, reason) = (dir.file(RunFile::Budget), format!("it is of step {}", card.steps));
        return Err(crate::run_dir::RunError::BadLine { path, line: 1, reason }.into());
    }
    Ok(summary(&commit.state, &commit.clock, false, card))
}

fn summary(state: &State, clock: &Clock, interrupted: bool, card: ReportCard) -> Summary {
    let val_loss = state.val_loss();
    Summary {
        steps: state.step,
        skipped: state.skipped,
        interrupted,
        val_loss,
        val_loss_per_byte: val_loss.map(|loss| loss / state.identity.bytes_per_token),
        seconds: clock.all_seconds,
        card,
    }
}

/// What the steps of a run measured, all its sessions together; `None` without a step.
fn measured(job: &Job<'_>, state: &State, clock: &Clock) -> Option<Measured> {
    let counted = state.tokens - state.uncounted;
    if clock.tokens == 0 || counted == 0 {
        return None;
    }
    let model = job.model;
    let throughput = clock.tokens as f64 / clock.seconds;
    let products = state.expert_flops as f64 / counted as f64;
    let others =
        figure(model, job.setting(), Figure::FlopsExecutedTrain) - product_flops(model, job.train.recompute);
    Some(Measured {
        flops: products + others,
        memory: clock.memory,
        throughput,
        mfu: throughput * flops_train(job) / clock.gemm_peak,
        gemm_peak: clock.gemm_peak,
    })
}

/// FLOPs a token of the expert products of a step, which the kernels count themselves: of a layer in a loop those of
/// every pass.
fn product_flops(model: &Verified<Model>, recompute: Recompute) -> f64 {
    let of = |layer: usize| {
        let layer = &model.layers.kinds()[model.layers.order()[layer]];
        let times = 3 + u128::from(recompute.repeats(&layer.ffn));
        (times * layer.ffn.product_flops(model.dim)) as f64
    };
    model.layers.passes().into_iter().map(of).sum()
}

/// What training never moved: experts that no token ever selected, and tensors that no gradient
/// reached, those experts' own apart.
fn unmoved(state: &State, optimizer: &AdamW, bindings: &[coec_nn::Binding]) -> Unmoved {
    if state.updates == 0 {
        return Unmoved::default();
    }
    let experts = state.experts.never_selected();
    let mut tensors = optimizer.unmoved(bindings);
    tensors.retain(|name| {
        let of = |layer: usize, expert: &usize| {
            name.starts_with(&format!("model.layers.{layer}.mlp.experts.{expert}."))
        };
        !experts.iter().any(|(layer, experts)| experts.iter().any(|expert| of(*layer, expert)))
    });
    let experts = experts.into_iter().map(|(layer, experts)| LayerExperts { layer, experts });
    Unmoved { experts: experts.collect(), tensors }
}
