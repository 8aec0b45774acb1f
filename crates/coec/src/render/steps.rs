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
        // Where nobody measured the peak, as in a training by PyTorch, there is no share of it.
        let share = Some(100.0 * metrics.mfu).filter(|share| share.is_finite());
        let share = share.map_or(String::new(), |share| format!(", {share:.0}% of peak"));
        Some(format!(
            "step {:>5}/{}: loss {:.3}{val}, {:.0} tokens/s{share}",
            metrics.step, self.steps, metrics.loss, metrics.tokens_per_s
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_peak_that_nobody_measured_is_not_said() {
        let mut metrics = Metrics::new(1, 64);
        (metrics.loss, metrics.tokens_per_s, metrics.mfu) = (2.5, 100.0, f64::NAN);
        let line = |metrics: &Metrics| Steps { steps: 4, val_loss: None }.line(metrics).unwrap();
        assert_eq!(line(&metrics), "step     1/4: loss 2.500, 100 tokens/s");
        metrics.mfu = 0.25;
        assert_eq!(line(&metrics), "step     1/4: loss 2.500, 100 tokens/s, 25% of peak");
    }
}
