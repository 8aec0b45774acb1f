//! A training run, from a verified model to a directory one can sample from, and go on with.
//!
//! [`run`] holds the counts against each other and makes tokens of the text (`prepare`), makes the
//! state or takes a commit's (`start`), steps, evaluates, logs and commits (`session`), and judges
//! what came of it (`finish`).

mod control;
mod corpus;
mod events;
mod finish;
mod job;
mod prepare;
mod record;
mod saver;
mod session;
mod start;

use std::time::Duration;

use burn::module::Module;

pub use control::{Control, Rescue};
pub use corpus::{Corpus, Numbered};
pub use finish::finished;
pub use job::{Bases, Event, Job, MemoryMeter, Outcome, Start, Summary};
pub use prepare::{FREE, check_spec, is_free, is_length};

use crate::{device, error::TrainError, generate::Generator, run_dir::commit, world};

/// Trains, or goes on training. `control` asks for an end, which comes after the step in progress. Every rank
/// of the job's world calls it; the first writes and tells, and has the outcome, the others have none.
///
/// # Errors
///
/// Before anything is written: data, tokenizer, counts, room on the disk, a run that is not the one
/// it was. Later only divergence, after the last state is saved. What fails on the way is told as
/// [`Event::Warning`]; whether the last state is on the disk, the summary says. A GPU may fail at any time, and
/// another rank.
pub fn run(
    job: &Job<'_>,
    tell: &mut dyn FnMut(Event),
    control: &Control,
) -> Result<Option<Outcome>, TrainError> {
    let mut quiet = |_| {};
    let tell = if job.world.rank() == 0 { tell } else { &mut quiet };
    match job.reference {
        // Whatever happens to a GPU, the last commit is on the disk.
        Some(_) => device::guarded(|| run_here(job, tell, control))?,
        None => run_here(job, tell, control),
    }
}

fn run_here(
    job: &Job<'_>,
    tell: &mut dyn FnMut(Event),
    control: &Control,
) -> Result<Option<Outcome>, TrainError> {
    if job.world.rank() > 0 {
        // What others have is saved by the first, with which they end.
        control.busy();
    }
    let mut data = prepare::prepare(job, tell)?;
    let peak = world::together(job.world, checked_peak(job, tell))?;
    // Of all ranks together, which is what the speed of all is held against.
    let peak = world::numbers(job.world, &[peak])?.into_iter().flatten().sum();
    tell(Event::Peak(peak));

    job.memory.reset();
    let device = job.device.clone().autodiff();
    control.note_saving(saving_takes(job));
    let begun = start::begin(job, &data, &device, tell)?;
    let ended = session::Session::new(job, &mut data, begun, peak, tell, control).run()?;
    let Some(dir) = ended.dir.clone() else { return Ok(None) };
    let summary = finish::finish(job, &data.counts, &dir, &ended, tell, control);
    let session::Ended { trainer, unsaved, .. } = ended;
    let generator = Generator::new(trainer.model.valid(), data.tokenizer, job.model.context);
    Ok(Some(Outcome { summary, dir, generator, openings: data.openings, unsaved }))
}

/// The peak of a device that agrees with the CPU, FLOP/s.
fn checked_peak(job: &Job<'_>, tell: &mut dyn FnMut(Event)) -> Result<f64, TrainError> {
    if let Some(cpu) = &job.reference {
        tell(Event::Checked(device::check(&job.device, cpu)?));
    }
    Ok(device::peak(&job.device, job.gemm_most, job.train.precision)?)
}

/// Bytes a second that an ordinary disk takes at least, flushing included.
const SLOW_DISK: f64 = 300e6;

/// How long a commit may take, before any was made here.
fn saving_takes(job: &Job<'_>) -> Duration {
    let guess = Duration::from_secs_f64(commit::bytes_of(job.model) as f64 / SLOW_DISK);
    match &job.start {
        Start::Resume(_, Some(commit)) if commit.clock.saving > 0.0 => {
            Duration::try_from_secs_f64(commit.clock.saving).unwrap_or(guess)
        }
        _ => guess,
    }
}
