//! The budget rules in which two specs differ.

use crate::Rule;

/// Rules that only one of two specs has, each in the order of its spec.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleChanges<'a> {
    /// Those of the first.
    pub removed: Vec<&'a Rule>,
    /// Those of the second.
    pub added: Vec<&'a Rule>,
}

impl RuleChanges<'_> {
    /// Whether both specs have the same rules.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// The rules that two specs do not share. `350M` is 350000000; the order of rules means nothing.
pub fn rules<'a>(
    old: impl IntoIterator<Item = &'a Rule>,
    new: impl IntoIterator<Item = &'a Rule>,
) -> RuleChanges<'a> {
    let mut added: Vec<&Rule> = new.into_iter().collect();
    let mut removed = Vec::new();
    for rule in old {
        match added.iter().position(|other| *other == rule) {
            Some(place) => drop(added.remove(place)),
            None => removed.push(rule),
        }
    }
    RuleChanges { removed, added }
}
