//! Collecting what is wrong with a block.

use crate::{Bounds, Place, Violation, ViolationKind};

/// What is wrong with a block, as it is found.
#[derive(Debug)]
pub struct Check {
    place: Place,
    found: Vec<Violation>,
}

impl Check {
    /// Nothing, of the block at `place`.
    pub(crate) fn at(place: Place) -> Self {
        Self { place, found: Vec::new() }
    }

    /// Everything found.
    pub(crate) fn found(self) -> Vec<Violation> {
        self.found
    }

    /// Notes what is wrong with the field at `path`.
    pub(crate) fn push(&mut self, path: &str, kind: ViolationKind) {
        self.found.push(Violation { place: self.place, path: path.into(), kind });
    }

    /// Whether nothing is wrong with these fields so far: a rule between fields means nothing where
    /// one of them is out of its bounds.
    pub(crate) fn holds(&self, paths: &[&str]) -> bool {
        self.found.iter().all(|violation| !paths.contains(&violation.path.as_str()))
    }

    /// Notes a number that is out of its bounds.
    pub(crate) fn real(&mut self, path: &str, value: f64, bounds: Bounds) {
        // Specs have no negative numbers, and minus zero is written as one.
        let is_inside = (bounds.min..=bounds.max).contains(&value) && value.is_sign_positive();
        if !is_inside {
            self.push(path, ViolationKind::OutOfRange { value, bounds });
        }
    }

    /// Notes a width of something rotary that is odd.
    pub(crate) fn is_even(&mut self, path: &str, width: usize) {
        if width % 2 == 1 {
            self.push(path, ViolationKind::RotaryWidthOdd { width });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds;

    #[test]
    fn minus_zero_is_no_number_of_a_spec() {
        let mut check = Check::at(Place::Model);
        check.real("alpha", 0.0, bounds::COEFFICIENT);
        assert!(check.holds(&["alpha"]));
        check.real("alpha", -0.0, bounds::COEFFICIENT);
        assert!(!check.holds(&["alpha"]));
        assert_eq!(check.found()[0].kind.code(), "coec::verify::out_of_range");
    }
}
