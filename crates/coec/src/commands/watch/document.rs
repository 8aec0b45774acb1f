//! Where a run is, for programs.

use serde_json::{Value, json};

use super::follow::Follower;
use crate::story::{Evaluated, Standing};

pub fn document(follower: &Follower) -> Value {
    let (story, now) = (&follower.story, follower.now());
    let evaluated = |of: Option<Evaluated>| of.map(|of| json!({ "step": of.step, "val_loss": of.loss }));
    let experts: Vec<Value> = story
        .loads
        .iter()
        .map(|((layer, pass, iteration), counts)| {
            json!({ "step": story.loads_at, "layer": layer, "pass": pass, "iteration": iteration, "counts": counts })
        })
        .collect();
    let (throughput, mfu) = story.throughput().unzip();
    json!({
        "schema": coec_ir::SCHEMA,
        "run": story.name,
        "standing": match story.standing {
            Standing::Going => "going",
            Standing::Done => "done",
            Standing::Stopped => "stopped",
            Standing::Left => "left",
        },
        "step": story.done(),
        "steps": story.steps,
        "seconds_left": story.seconds_left(now).map(f64::round),
        "latest": story.latest,
        "evaluated": evaluated(story.evaluated),
        "best": evaluated(story.best),
        "not_finite": story.broken,
        "throughput": throughput,
        "mfu": mfu,
        "gemm_peak": story.peak,
        "experts": experts,
        "budgets": story.budgets,
        "saved": story.saved.map(|saved| json!({
            "step": saved.step, "seconds_ago": (now - saved.at).max(0.0).round(),
        })),
    })
}
