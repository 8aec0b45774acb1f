//! Blocks with fields that have no value, because of errors that were reported already.
//!
//! Such a block is still checked, so that one error hides no other; what is judged by a field
//! without a value is not, so that one error makes no other.

use coec_ir::Violation;

use super::{Call, Cx};

/// The fields of a block that have no value, as dotted paths: `router.groups`.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<&'static str>);

impl Gaps {
    /// The value of a field, or one that stands in for it where there is none.
    pub fn or<T>(&mut self, path: &'static str, value: Option<T>, stand_in: T) -> T {
        value.unwrap_or_else(|| {
            self.0.push(path);
            stand_in
        })
    }

    /// Whether no field is without a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field, or the block it stands in, has no value.
    fn holds(&self, path: &str) -> bool {
        let inside = |gap: &str| path.strip_prefix(gap).is_some_and(|rest| rest.starts_with('.'));
        self.0.iter().any(|gap| *gap == path || inside(gap))
    }
}

impl Cx<'_> {
    /// Reports what is wrong with the block of `call`, as far as its fields have values. Whether
    /// all of them have, and nothing is wrong.
    pub fn accept(&mut self, call: &Call, prefix: &str, violations: Vec<Violation>, gaps: &Gaps) -> bool {
        let right = violations.is_empty() && gaps.is_empty();
        for violation in violations {
            if !violation.reads().iter().any(|path| gaps.holds(path)) {
                self.violation(violation, prefix, call);
            }
        }
        right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_covers_what_stands_in_it() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.or("k", Some(3), 1), 3);
        assert!(gaps.is_empty());
        assert_eq!(gaps.or("router", None, 1), 1);
        assert!(gaps.holds("router") && gaps.holds("router.groups"));
        assert!(!gaps.holds("k") && !gaps.holds("routers"));
    }
}
