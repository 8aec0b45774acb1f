//! Steps of a run, a line each.

use coec_train::run_dir::Metrics;

/// Lines about the steps of a run.
#[derive(Debug, Default)]
pub struct Steps {
    /// Steps of the whole run.
    pub steps: usize,
    /// The last evaluation's.
    val_loss: Option<f64>,
}

impl Steps {
    /// What a step was like, if it is one of those that get a line: about twenty of a run, and those that were
    /// evaluated.
    pub fn line(&mut self, metrics: &Metrics) -> Option<String> {
        let every = (self.steps / 20).max(1) as u64;
        let is_round = metrics.step == 1 || metrics.step.is_multiple_of(every);
        self.val_loss = metrics.val_loss.or(self.val_loss);
        if !is_round && metrics.val_loss.is_none() {
            return None;
        }
        let val = self.val_loss.map_or(String::new(), |loss| format!(", val {loss:.3}"));
        Some(format!(
            "step {:>5}/{}: loss {:.3}{val}, {:.0} tokens/s, {:.0}% of peak",
            metrics.step,
            self.steps,
            metrics.loss,
            metrics.tokens_per_s,
            100.0 * metrics.mfu
        ))
    }
}
