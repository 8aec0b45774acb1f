//! The integers at which a figure comes nearest to a target.

use std::cmp::Ordering;

use coec_ir::Quantity;
use num_bigint::BigUint;

/// Values that are tried one by one: exact for every shape of figure.
pub(crate) const FEW: usize = 1 << 12;

/// Values in a row that may be no model, between two that are: a width that must be a multiple of so
/// many heads, experts of so many groups.
const GAP: usize = 1 << 14;

/// A value with its figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    pub at: usize,
    pub figure: BigUint,
}

/// The values on the two sides of a target, the nearest of each; a value that meets it is on both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sides {
    pub below: Option<Point>,
    pub above: Option<Point>,
}

impl Sides {
    /// Takes account of a point.
    fn add(&mut self, point: &Point, target: &Quantity) {
        let order = compare(&point.figure, target);
        if order != Ordering::Greater && nearer(point, self.below.as_ref(), target) {
            self.below = Some(point.clone());
        }
        if order != Ordering::Less && nearer(point, self.above.as_ref(), target) {
            self.above = Some(point.clone());
        }
    }

    /// The nearer of both, the smaller value if they are equally near.
    pub fn nearest(&self, target: &Quantity) -> Option<&Point> {
        match (&self.below, &self.above) {
            (Some(below), Some(above)) => {
                Some(if nearer(above, Some(below), target) { above } else { below })
            }
            (below, above) => below.as_ref().or(above.as_ref()),
        }
    }
}

/// How far a figure is from a target, in units that are the same for all figures of one target.
pub(crate) fn distance(figure: &BigUint, target: &Quantity) -> BigUint {
    let left = figure * target.denominator();
    let right = target.numerator();
    if left > *right { left - right } else { right - left }
}

fn compare(figure: &BigUint, target: &Quantity) -> Ordering {
    (figure * target.denominator()).cmp(target.numerator())
}

/// Whether `point` is nearer to the target than `other`, or as near and smaller.
fn nearer(point: &Point, other: Option<&Point>, target: &Quantity) -> bool {
    other.is_none_or(|other| {
        let key = |point: &Point| (distance(&point.figure, target), point.at);
        key(point) < key(other)
    })
}

/// The values in `least..=most` nearest to `target`, where `figure` says `None` of those that make no
/// model. `now` makes one.
///
/// Few values are all tried. Of many, the figure is taken to grow or to shrink with the value, as the
/// figures of widths and counts do.
pub(crate) fn sides(
    least: usize,
    most: usize,
    now: usize,
    target: &Quantity,
    figure: &mut dyn FnMut(usize) -> Option<BigUint>,
) -> Sides {
    let mut sides = Sides::default();
    if most - least < FEW {
        for at in least..=most {
            if let Some(figure) = figure(at) {
                sides.add(&Point { at, figure }, target);
            }
        }
        return sides;
    }
    let mut search = Search { least, most, target, figure, sides };
    for upwards in [true, false] {
        search.walk(now, upwards);
    }
    search.sides
}

struct Search<'a> {
    least: usize,
    most: usize,
    target: &'a Quantity,
    figure: &'a mut dyn FnMut(usize) -> Option<BigUint>,
    sides: Sides,
}

impl Search<'_> {
    fn point(&mut self, at: usize) -> Option<Point> {
        let point = Point { at, figure: (self.figure)(at)? };
        self.sides.add(&point, self.target);
        Some(point)
    }

    /// The model at `from` or nearest behind it, not beyond `end`.
    fn next(&mut self, from: usize, end: usize, upwards: bool) -> Option<Point> {
        let count = if upwards { end.checked_sub(from)? } else { from.checked_sub(end)? };
        (0..=count.min(GAP)).find_map(|i| self.point(if upwards { from + i } else { from - i }))
    }

    /// Goes away from `now` in doubling strides until the target lies between two values, and closes in.
    fn walk(&mut self, now: usize, upwards: bool) {
        let Some(start) = self.point(now) else { return };
        let end = if upwards { self.most } else { self.least };
        let side = compare(&start.figure, self.target);
        let (mut last, mut stride) = (now, 1);
        while last != end {
            let from = if upwards {
                last.saturating_add(stride).min(end)
            } else {
                last.saturating_sub(stride).max(end)
            };
            // Behind the last stride there may be no model any more, and some before its end.
            let before = if upwards { last + 1 } else { last.saturating_sub(1) };
            let found = self.next(from, end, upwards).or_else(|| self.next(from, before, !upwards));
            let Some(point) = found else { return };
            if compare(&point.figure, self.target) != side {
                return self.close_in(last, point.at, side);
            }
            last = point.at;
            stride *= 2;
        }
    }

    /// The target lies between the figures of two values.
    fn close_in(&mut self, near: usize, far: usize, side: Ordering) {
        let (mut low, mut high) = (near.min(far), near.max(far));
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let found = self.next(middle, high - 1, true).or_else(|| self.next(middle - 1, low + 1, false));
            let Some(point) = found else { return };
            let is_near = compare(&point.figure, self.target) == side;
            match is_near == (near < far) {
                true => low = point.at,
                false => high = point.at,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The nearest value by trying all.
    fn plain(least: usize, most: usize, target: u64, figure: impl Fn(usize) -> Option<u64>) -> Option<usize> {
        (least..=most).filter_map(|at| Some((figure(at)?.abs_diff(target), at))).min().map(|(_, at)| at)
    }

    proptest! {
        #[test]
        fn the_nearest_value_is_found(
            slope in 1u64..50, start in 0u64..1000, step in 1usize..300, now in 1usize..60, target in 0u64..9_000_000,
            falls: bool, most in 1usize..200_000
        ) {
            // Only multiples of `step` are models.
            let most = most.max(now * step);
            let figure = |at: usize| {
                let x = if falls { most - at } else { at } as u64;
                (at.is_multiple_of(step)).then(|| start + slope * x + x * x / 1000)
            };
            let quantity = Quantity::integer(target);
            let found = sides(1, most, now * step, &quantity, &mut |at| figure(at).map(BigUint::from));
            prop_assert_eq!(found.nearest(&quantity).map(|point| point.at), plain(1, most, target, figure));
        }
    }

    #[test]
    fn few_values_need_no_order() {
        // Selections of k experts among 10: grows and falls again.
        let choose = [1u64, 10, 45, 120, 210, 252, 210, 120, 45, 10, 1];
        let target = Quantity::integer(118u64);
        let found = sides(0, 10, 1, &target, &mut |k| Some(choose[k].into()));
        assert_eq!(found.above.as_ref().map(|point| point.at), Some(3));
        assert_eq!(found.below.as_ref().map(|point| point.at), Some(2));
        assert_eq!(found.nearest(&target).map(|point| point.at), Some(3));
    }

    #[test]
    fn of_two_equally_near_the_smaller_is_taken() {
        let target = Quantity::integer(15u64);
        let found = sides(0, 100_000, 7, &target, &mut |at| Some(BigUint::from(10 * at)));
        assert_eq!(found.nearest(&target).map(|point| point.at), Some(1));
    }
}
