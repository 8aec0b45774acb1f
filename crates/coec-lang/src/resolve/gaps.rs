//! Blocks with fields that have no value, because of errors that were reported already.
//!
//! Such a block is still checked, so that one error hides no other; what is judged by a field
//! without a value is not, so that one error makes no other.

/// The fields of a block that have no value, as dotted paths: `router.groups`.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<String>);

impl Gaps {
    /// Notes a field without a value.
    pub fn note(&mut self, path: impl Into<String>) {
        self.0.push(path.into());
    }

    /// Whether no field is without a value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field, or the block it stands in, has no value.
    pub fn holds(&self, path: &str) -> bool {
        let inside = |gap: &str| path.strip_prefix(gap).is_some_and(|rest| rest.starts_with('.'));
        self.0.iter().any(|gap| *gap == path || inside(gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_covers_what_stands_in_it() {
        let mut gaps = Gaps::default();
        assert!(gaps.is_empty());
        gaps.note("router");
        assert!(gaps.holds("router") && gaps.holds("router.groups"));
        assert!(!gaps.holds("k") && !gaps.holds("routers"));
    }
}
