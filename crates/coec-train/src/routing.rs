//! What the routers decide on held-out text: how sure they are, and which experts follow which.
//!
//! It is taken from the decisions of an evaluation, whose text is always the same, so that evaluations,
//! and runs on one text, can be held beside each other. Steps pay nothing for it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use coec_nn::Route;
use serde::{Deserialize, Serialize};

use crate::json::{or_nan, schema};

/// Most pairs of experts that a line lists: all there are of up to 32 experts.
pub const MOST_PAIRS: usize = 1024;

/// Decisions of an evaluation, by layer and iteration.
#[derive(Debug, Default, PartialEq)]
pub struct Decisions(BTreeMap<(usize, usize, usize), Sums>);

#[derive(Debug, Default, PartialEq)]
struct Sums {
    tokens: u64,
    /// Nats, all tokens together.
    entropy: f64,
    /// Selections per expert.
    counts: Vec<u64>,
    /// How often a token selected the second of a pair after the first, in the iteration before.
    follows: HashMap<(u32, u32), u64>,
}

/// A line of `routing.jsonl`: what one routing decided for the held-out text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoutingLine {
    /// The version of the format.
    #[serde(default = "schema")]
    pub schema: Cow<'static, str>,
    /// Steps done.
    pub step: usize,
    /// Layer, from 0.
    pub layer: usize,
    /// How often the layer had run before: 0 but for one in a loop.
    #[serde(default)]
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Tokens that were routed.
    pub tokens: u64,
    /// Mean entropy of a token's scores, as shares of their sum, in nats; null if it is not a number.
    #[serde(deserialize_with = "or_nan")]
    pub entropy: f64,
    /// Selections per expert.
    pub counts: Vec<u64>,
    /// Pairs of an expert of the iteration before and one of this, and how many times a token selected
    /// both, the most frequent first, at most [`MOST_PAIRS`]. Absent of a first iteration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Vec<(u32, u32, u64)>>,
}

impl Decisions {
    /// Those of a pass.
    pub fn of(routes: &[Route]) -> Self {
        let mut decisions = Self::default();
        let mut before: Option<(usize, Selected)> = None;
        for route in routes {
            let [tokens, experts] = route.scores.dims();
            let selected = Selected::of(route);
            let sums = decisions.0.entry((route.layer, route.pass, route.iteration)).or_default();
            sums.tokens += tokens as u64;
            sums.entropy += entropy(route, experts);
            sums.counts.resize(experts, 0);
            for &expert in &selected.experts {
                if let Some(count) = sums.counts.get_mut(expert as usize) {
                    *count += 1;
                }
            }
            if let Some((_, before)) =
                before.filter(|(layer, _)| *layer == route.layer && route.iteration > 0)
            {
                for (first, second) in before.tokens().zip(selected.tokens()) {
                    for &a in first {
                        for &b in second {
                            *sums.follows.entry((a, b)).or_default() += 1;
                        }
                    }
                }
            }
            before = Some((route.layer, selected));
        }
        decisions
    }

    /// Adds those of a pass behind.
    pub fn join(&mut self, other: Self) {
        for (routing, other) in other.0 {
            let sums = self.0.entry(routing).or_default();
            sums.tokens += other.tokens;
            sums.entropy += other.entropy;
            sums.counts.resize(other.counts.len().max(sums.counts.len()), 0);
            sums.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
            for (pair, count) in other.follows {
                *sums.follows.entry(pair).or_default() += count;
            }
        }
    }

    /// Exactly these decisions as words, for another process.
    pub fn to_words(&self) -> Vec<u64> {
        let mut words = Vec::new();
        for (&(layer, pass, iteration), sums) in &self.0 {
            let (experts, pairs) = (sums.counts.len() as u64, sums.follows.len() as u64);
            let entropy = sums.entropy.to_bits();
            words.extend([layer, pass, iteration].map(|at| at as u64));
            words.extend([sums.tokens, entropy, experts, pairs]);
            words.extend(&sums.counts);
            for (&(a, b), &count) in &sums.follows {
                words.extend([u64::from(a) << 32 | u64::from(b), count]);
            }
        }
        words
    }

    /// The decisions that these are the words of; none if they are of no decisions.
    pub fn of_words(mut words: &[u64]) -> Option<Self> {
        let mut decisions = Self::default();
        while !words.is_empty() {
            let (&[layer, pass, iteration, tokens, entropy, experts, pairs], rest) =
                words.split_first_chunk()?;
            let (counts, rest) = rest.split_at_checked(experts as usize)?;
            let (follows, rest) = rest.split_at_checked(2 * pairs as usize)?;
            let follows = follows.as_chunks().0.iter();
            let follows = follows.map(|&[pair, count]| (((pair >> 32) as u32, pair as u32), count)).collect();
            let entropy = f64::from_bits(entropy);
            let sums = Sums { tokens, entropy, counts: counts.to_vec(), follows };
            decisions.0.insert((layer as usize, pass as usize, iteration as usize), sums);
            words = rest;
        }
        Some(decisions)
    }

    /// The lines of `routing.jsonl` after `step` steps.
    pub fn lines(self, step: usize) -> impl Iterator<Item = RoutingLine> {
        self.0.into_iter().map(move |((layer, pass, iteration), sums)| RoutingLine {
            schema: schema(),
            step,
            layer,
            pass,
            iteration,
            tokens: sums.tokens,
            entropy: sums.entropy / sums.tokens as f64,
            counts: sums.counts,
            follows: (iteration > 0).then(|| most_frequent(sums.follows)),
        })
    }
}

/// The experts that the tokens of a batch selected.
struct Selected {
    experts: Vec<u32>,
    /// Of each token.
    k: usize,
}

impl Selected {
    fn of(route: &Route) -> Self {
        let [_, k] = route.indices.dims();
        Self { experts: route.indices.to_data().iter::<i64>().map(|expert| expert as u32).collect(), k }
    }

    fn tokens(&self) -> impl Iterator<Item = &[u32]> {
        self.experts.chunks_exact(self.k.max(1))
    }
}

/// The entropies of all tokens, in nats. Added token by token in double precision, so that the parts of a
/// batch are only a matter of memory.
fn entropy(route: &Route, experts: usize) -> f64 {
    let scores: Vec<f32> = route.scores.to_data().iter::<f32>().collect();
    let of_token = |scores: &[f32]| {
        // sum of -q ln q for the shares q = s / S is ln S - (sum of s ln s) / S.
        let (mut sum, mut weighted) = (0.0, 0.0);
        for score in scores.iter().map(|&score| f64::from(score)) {
            sum += score;
            weighted += if score > 0.0 { score * score.ln() } else { 0.0 * score };
        }
        if sum > 0.0 { sum.ln() - weighted / sum } else { f64::NAN }
    };
    scores.chunks_exact(experts.max(1)).map(of_token).sum()
}

fn most_frequent(pairs: HashMap<(u32, u32), u64>) -> Vec<(u32, u32, u64)> {
    let mut pairs: Vec<_> = pairs.into_iter().map(|((a, b), count)| (a, b, count)).collect();
    // Of equals the lower numbers first: one order, whatever that of the map is.
    pairs.sort_unstable_by_key(|&(a, b, count)| (std::cmp::Reverse(count), a, b));
    pairs.truncate(MOST_PAIRS);
    pairs
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Int, Tensor, TensorData};

    use super::*;

    fn route<const N: usize, const E: usize, const K: usize>(
        layer: usize,
        iteration: usize,
        scores: [[f32; E]; N],
        indices: [[i32; K]; N],
    ) -> Route {
        let device = Device::flex();
        Route {
            pass: 0,
            layer,
            iteration,
            scores: Tensor::from_data(TensorData::from(scores), &device),
            indices: Tensor::<2, Int>::from_data(TensorData::from(indices), &device),
        }
    }

    fn lines(routes: &[Route]) -> Vec<RoutingLine> {
        Decisions::of(routes).lines(7).collect()
    }

    #[test]
    fn equal_scores_have_the_entropy_of_a_die_whatever_their_sum() {
        let lines = lines(&[route(0, 0, [[0.25; 4], [0.9; 4]], [[0], [1]])]);
        assert!((lines[0].entropy - 4f64.ln()).abs() < 1e-7, "{}", lines[0].entropy);
        assert_eq!((lines[0].step, lines[0].tokens), (7, 2));
    }

    #[test]
    fn a_router_that_is_sure_has_none() {
        assert_eq!(lines(&[route(0, 0, [[0.0, 1.0, 0.0]], [[1]])])[0].entropy, 0.0);
    }

    #[test]
    fn a_score_that_is_no_number_is_not_hidden() {
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(lines(&[route(0, 0, [[0.5, bad]], [[0]])])[0].entropy.is_nan());
        }
    }

    #[test]
    fn experts_are_followed_from_one_iteration_to_the_next_within_a_layer() {
        let even = [[0.25f32; 4]; 2];
        let lines = lines(&[
            route(0, 0, even, [[0, 1], [0, 2]]),
            route(0, 1, even, [[3, 1], [3, 0]]),
            route(1, 0, even, [[2, 3], [2, 3]]),
        ]);
        assert_eq!(lines[0].follows, None);
        let expected = [(0, 3, 2), (0, 0, 1), (0, 1, 1), (1, 1, 1), (1, 3, 1), (2, 0, 1), (2, 3, 1)];
        assert_eq!(lines[1].follows.as_deref(), Some(&expected[..]));
        assert_eq!(lines[1].counts, [1, 1, 0, 2]);
        assert_eq!(lines[2].follows, None, "another layer begins anew");
    }

    #[test]
    fn decisions_are_words_to_other_processes_and_add_up() {
        let even = [[0.25f32; 4]; 2];
        let passes = [
            [route(0, 0, even, [[0, 1], [0, 2]]), route(0, 1, even, [[3, 1], [3, 0]])],
            [route(0, 0, even, [[3, 1], [2, 1]]), route(0, 1, even, [[3, 1], [1, 0]])],
        ];
        let mut sum = Decisions::default();
        for pass in &passes {
            let words = Decisions::of(pass).to_words();
            assert_eq!(Decisions::of_words(&words[..words.len() - 1]), None);
            let read = Decisions::of_words(&words).unwrap();
            assert_eq!(read, Decisions::of(pass));
            sum.join(read);
        }
        let lines: Vec<_> = sum.lines(7).collect();
        assert_eq!((lines[0].tokens, &lines[0].counts[..]), (4, &[2, 3, 2, 1][..]));
        assert_eq!(
            (lines[1].counts.as_slice(), lines[1].follows.as_ref().unwrap()[0]),
            (&[2, 3, 0, 3][..], (1, 1, 3))
        );
    }

    #[test]
    fn a_line_is_bounded_however_many_experts_there_are() {
        let pairs =
            (0..50u32).flat_map(|a| (0..50u32).map(move |b| ((a, b), u64::from(a * 50 + b)))).collect();
        let most = most_frequent(pairs);
        assert_eq!((most.len(), most[0]), (MOST_PAIRS, (49, 49, 2499)));
    }

    #[test]
    fn a_line_survives_json() {
        let mut line = lines(&[route(0, 0, [[0.5, 0.5]], [[1]]), route(0, 1, [[0.5, 0.5]], [[0]])]).remove(1);
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<RoutingLine>(&text).unwrap(), line);
        line.entropy = f64::NAN;
        let text = serde_json::to_string(&line).unwrap();
        assert!(serde_json::from_str::<RoutingLine>(&text).unwrap().entropy.is_nan(), "{text}");
    }
}
