//! Two fields under two figures.

use super::search::{self, FEW};
use super::{Free, Problem};
use coec_ir::Quantity;
use num_bigint::BigUint;

/// The values with which the worse of the two figures comes nearest, the smaller ones if several do.
///
/// One field is gone through; for each of its values the other is solved for one figure, and the pair is
/// judged by both. Which field and which figure go together is not known, so each way is tried.
pub(super) fn best(problem: &Problem<'_>) -> Option<Vec<usize>> {
    let mut best: Option<(f64, Vec<usize>)> = None;
    for outer in [0, 1] {
        for inner_figure in [0, 1] {
            let mut walk = Walk { problem, outer, inner_figure, best: &mut best };
            walk.go();
        }
    }
    best.map(|(_, values)| values)
}

struct Walk<'a, 's> {
    problem: &'a Problem<'s>,
    /// The field that is gone through, by its place.
    outer: usize,
    /// The figure that the other field is solved for.
    inner_figure: usize,
    best: &'a mut Option<(f64, Vec<usize>)>,
}

impl Walk<'_, '_> {
    fn go(&mut self) {
        let free: &Free = &self.problem.free[self.outer];
        let outer_figure = 1 - self.inner_figure;
        let target = self.problem.wanted[outer_figure].target.clone();
        let (least, most, now) = (free.least, free.most, free.now);
        // The figure that is left, as a function of the outer field alone.
        let mut figure = |at: usize| self.figure_at(at, outer_figure);
        let sides = search::sides(least, most, now, &target, &mut figure);
        // A field in whole numbers jumps; the pair that is best together may be a few values off.
        if most - least >= FEW
            && let Some(point) = sides.nearest(&target)
        {
            let near = point.at.saturating_sub(NEAR).max(least)..=point.at.saturating_add(NEAR).min(most);
            near.for_each(|at| {
                self.figure_at(at, outer_figure);
            });
        }
    }

    /// The outer figure where the inner field has the best value for the inner one. On the way every pair is
    /// judged.
    fn figure_at(&mut self, at: usize, outer_figure: usize) -> Option<BigUint> {
        let problem = self.problem;
        let inner = &problem.free[1 - self.outer];
        let target = &problem.wanted[self.inner_figure].target;
        let sides = problem.one(inner, self.inner_figure, &[(self.outer, at)]);
        let nearest = sides.nearest(target)?.at;
        let mut found = None;
        for point in [&sides.below, &sides.above].into_iter().flatten() {
            let mut values = [0; 2];
            (values[self.outer], values[1 - self.outer]) = (at, point.at);
            let Some(model) = problem.model(&values) else { continue };
            let figures: Vec<BigUint> =
                problem.wanted.iter().filter_map(|wanted| wanted.figure(&model)).collect();
            let off = figures.iter().zip(&problem.wanted).map(|(figure, wanted)| off(figure, &wanted.target));
            let worst = off.fold(0.0, f64::max);
            let is_better = self.best.as_ref().is_none_or(|(least, best)| {
                worst < *least || worst == *least && values.as_slice() < best.as_slice()
            });
            if is_better {
                *self.best = Some((worst, values.to_vec()));
            }
            if point.at == nearest {
                found = figures.into_iter().nth(outer_figure);
            }
        }
        found
    }
}

/// Values on either side of the nearest that are tried too.
const NEAR: usize = 64;

/// How far a figure is off, as a share of what it is to match.
fn off(figure: &BigUint, target: &Quantity) -> f64 {
    let distance = Quantity::integer(search::distance(figure, target)).to_f64();
    let target = Quantity::integer(target.numerator().clone()).to_f64();
    if target > 0.0 { distance / target } else { distance }
}
