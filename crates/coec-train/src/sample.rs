//! From logits to a token.

use thiserror::Error;

use crate::data::Stream;

/// How tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    temperature: f64,
    top_p: f64,
}

/// Arguments or logits that no token can be drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum SampleError {
    /// A temperature that is no number of at least 0.
    #[error("the temperature is {0}, and must be a number from 0 on")]
    Temperature(f64),
    /// A share that is not one.
    #[error("top-p is {0}, and must be above 0 and at most 1")]
    TopP(f64),
    /// No logit is a finite number.
    #[error("the model gave no finite logit")]
    NotFinite,
}

impl SampleError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Temperature(_) => "coec::sample::temperature",
            Self::TopP(_) => "coec::sample::top_p",
            Self::NotFinite => "coec::sample::not_finite",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Temperature(_) => "0 always takes the likeliest token, 1 follows the model".into(),
            Self::TopP(_) => "1 considers every token, 0.9 the likeliest that make up 90%".into(),
            Self::NotFinite => "the weights are damaged, or training diverged".into(),
        }
    }
}

impl Sampler {
    /// `temperature` 0 is greedy; `top_p` keeps the likeliest tokens that make up this share.
    pub fn new(temperature: f64, top_p: f64) -> Result<Self, SampleError> {
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(SampleError::Temperature(temperature));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(SampleError::TopP(top_p));
        }
        Ok(Self { temperature, top_p })
    }

    /// Draws a token by its logits; those that are NaN or -inf are never drawn.
    ///
    /// Ties go to the lower index, in the greedy choice and at the edge of top-p.
    pub fn sample(&self, logits: &[f32], stream: &mut Stream) -> Result<u32, SampleError> {
        let best = greedy(logits).ok_or(SampleError::NotFinite)?;
        if self.temperature == 0.0 {
            return Ok(best as u32);
        }
        let highest = f64::from(logits[best]);
        let weight = |index: usize| {
            let weight = ((f64::from(logits[index]) - highest) / self.temperature).exp();
            if weight.is_nan() { 0.0 } else { weight }
        };
        let mut candidates: Vec<(usize, f64)> = (0..logits.len())
            .map(|index| (index, weight(index)))
            .filter(|&(_, weight)| weight > 0.0)
            .collect();
        if self.top_p < 1.0 {
            // A stable sort, so that equals stay in order.
            candidates.sort_by(|(_, a), (_, b)| b.total_cmp(a));
            let enough = self.top_p * candidates.iter().map(|&(_, weight)| weight).sum::<f64>();
            let mut sum = 0.0;
            let kept = candidates.iter().position(|&(_, weight)| {
                sum += weight;
                sum >= enough
            });
            candidates.truncate(kept.map_or(candidates.len(), |last| last + 1));
        }
        let mut left = stream.uniform() * candidates.iter().map(|&(_, weight)| weight).sum::<f64>();
        let drawn = candidates.iter().find(|&&(_, weight)| {
            left -= weight;
            left < 0.0
        });
        // Rounding may leave a crumb after the last candidate.
        Ok(drawn.or(candidates.last()).map_or(best, |&(index, _)| index) as u32)
    }
}

/// The first of the largest finite logits.
fn greedy(logits: &[f32]) -> Option<usize> {
    let finite = logits.iter().enumerate().filter(|(_, logit)| logit.is_finite());
    finite
        .fold(None, |best, (index, &logit)| match best {
            Some((_, highest)) if highest >= logit => best,
            _ => Some((index, logit)),
        })
        .map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::Purpose;

    fn counts(sampler: Sampler, logits: &[f32]) -> Vec<f64> {
        let mut stream = Stream::new(1, 0, Purpose::Sample);
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..40_000 {
            counts[sampler.sample(logits, &mut stream).unwrap() as usize] += 1.0 / 40_000.0;
        }
        counts
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01), "{found:?} {expected:?}");
    }

    #[test]
    fn temperature_one_is_the_softmax() {
        let logits = [0.1f32, 0.2, 0.3, 0.4].map(f32::ln);
        close(&counts(Sampler::new(1.0, 1.0).unwrap(), &logits), &[0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn a_low_temperature_sharpens() {
        let logits = [0.2f32, 0.8].map(f32::ln);
        close(&counts(Sampler::new(0.5, 1.0).unwrap(), &logits), &[0.04 / 0.68, 0.64 / 0.68]);
    }

    #[test]
    fn top_p_keeps_the_fewest_that_make_up_the_share() {
        let logits = [0.1f32, 0.2, 0.3, 0.4].map(f32::ln);
        close(&counts(Sampler::new(1.0, 0.65).unwrap(), &logits), &[0.0, 0.0, 3.0 / 7.0, 4.0 / 7.0]);
    }

    #[test]
    fn a_tiny_top_p_keeps_one_token() {
        close(&counts(Sampler::new(1.0, 1e-9).unwrap(), &[1.0, 3.0, 2.0]), &[0.0, 1.0, 0.0]);
    }

    #[test]
    fn ties_at_the_edge_of_top_p_go_to_the_lower_index() {
        close(&counts(Sampler::new(1.0, 0.5).unwrap(), &[1.0; 4]), &[0.5, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_largest() {
        let mut stream = Stream::new(1, 0, Purpose::Sample);
        let sampler = Sampler::new(0.0, 1.0).unwrap();
        assert_eq!(sampler.sample(&[1.0, 5.0, f32::NAN, 5.0, f32::INFINITY], &mut stream).unwrap(), 1);
    }

    #[test]
    fn no_finite_logit_is_an_error() {
        let mut stream = Stream::new(1, 0, Purpose::Sample);
        for logits in [&[][..], &[f32::NAN], &[f32::NEG_INFINITY, f32::NAN]] {
            let error = Sampler::new(1.0, 1.0).unwrap().sample(logits, &mut stream).unwrap_err();
            assert_eq!(error.code(), "coec::sample::not_finite");
        }
    }

    #[test]
    fn arguments_out_of_range_are_errors() {
        for temperature in [-0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Sampler::new(temperature, 1.0).unwrap_err().code(), "coec::sample::temperature");
        }
        for top_p in [0.0, -1.0, 1.1, f64::NAN] {
            assert_eq!(Sampler::new(1.0, top_p).unwrap_err().code(), "coec::sample::top_p");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_always_one_with_a_finite_logit(
            logits in prop::collection::vec(any::<f32>(), 1..20), seed: u64,
            temperature in prop_oneof![Just(0.0), 1e-6..1e6f64], top_p in 1e-6..=1.0f64
        ) {
            prop_assume!(logits.iter().any(|logit| logit.is_finite()));
            let mut stream = Stream::new(seed, 0, Purpose::Sample);
            let token = Sampler::new(temperature, top_p).unwrap().sample(&logits, &mut stream).unwrap();
            prop_assert!(logits[token as usize].is_finite());
        }
    }
}
