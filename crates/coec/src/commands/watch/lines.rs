//! A run in a pipe, a file, or a terminal without a cursor: its lines as they come.

use std::collections::HashSet;
use std::thread;

use coec_train::run_dir::News;

use super::{LOOK, follow::Follower};
use crate::{
    failure::{Done, Failure},
    render::{self, card, steps::Steps, streams},
    story::Standing,
};

/// Prints lines until the run ends; with `is_patient` until all its steps are done, whoever goes on with it.
pub fn show(mut follower: Follower, is_patient: bool) -> Result<Done, Failure> {
    render::line(&format!("run: {}", follower.story.name));
    let mut steps = Steps::default();
    // What a run writes again after it went on from a commit is said again, what stayed is not.
    let mut said: HashSet<String> = HashSet::new();
    let mut before = None;
    loop {
        steps.steps = follower.story.steps as usize;
        follower.look(&mut |news| match news {
            News::Anew => render::line("the run goes on from an earlier commit"),
            News::Line(line) => {
                if let Some(line) = steps.line(line)
                    && said.insert(line.clone())
                {
                    render::line(&line);
                }
            }
        })?;
        if streams::is_closed() {
            return Ok(Done::Well);
        }
        // Somebody may be about to go on with it: it has ended when it is found so twice.
        let standing = follower.story.standing;
        let is_over = standing == Standing::Done || (standing != Standing::Going && !is_patient);
        if is_over && before == Some(standing) {
            end(&follower);
            return Ok(Done::Well);
        }
        before = Some(standing);
        thread::sleep(LOOK);
    }
}

fn end(follower: &Follower) {
    let story = &follower.story;
    if let Some(card) = &follower.card {
        card::print(card);
    }
    let (done, steps, run) = (story.done(), story.steps, &story.name);
    let best =
        story.best.map_or(String::new(), |best| format!("; best val {:.3} at step {}", best.loss, best.step));
    render::line(&match story.standing {
        Standing::Going | Standing::Done => format!("all {done} steps are done{best}"),
        Standing::Stopped => {
            format!("stopped at step {done} of {steps}{best}; go on with: coec train --resume {run}")
        }
        Standing::Left => {
            format!("nobody works on it: step {done} of {steps}{best}; go on with: coec train --resume {run}")
        }
    });
}
