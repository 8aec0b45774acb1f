//! What the text of a block claims beyond the values of its fields.

use coec_ir::table::{Block, Value as Known};
use coec_ir::{Gate, Place, Violation, ViolationKind};

use super::gaps::Gaps;
use super::{Call, Cx};
use crate::ast::ValueKind;
use crate::error::{ResolveError, VerifyError};

impl Cx<'_> {
    /// Reports claims that a block cannot keep. `path` stands in front of the names of its fields.
    pub fn claims(&mut self, call: &Call, path: &str, block: &mut Block, gaps: &mut Gaps) {
        match call.table.word {
            "coe" => self.list_for_a_frozen_gate(call, block, gaps),
            "softmax" | "sigmoid" => self.lone_groups(call, path, block, gaps),
            _ => {}
        }
    }

    /// Refused even if the entries agree: the list claims what a frozen gate cannot do.
    fn list_for_a_frozen_gate(&mut self, call: &Call, block: &Block, gaps: &Gaps) {
        let is_frozen = block.fields().any(|field| field == ("gate", &Known::Word(Gate::Frozen.word())));
        let Some(value) = call.given("k").filter(|_| is_frozen && !gaps.holds("k")) else { return };
        let value = self.scopes.binding(value).map_or(value, |(target, _)| target);
        if let ValueKind::List(_) = value.kind {
            let violation =
                Violation { place: Place::Ffn(0), path: "k".into(), kind: ViolationKind::KListFrozen };
            let (field, at) = ("ffn.k".into(), value.span);
            self.found.push(VerifyError { violation, field, at, defaulted: false });
        }
    }

    /// Groups are given together with how many are kept, or not at all.
    fn lone_groups(&mut self, call: &Call, path: &str, block: &mut Block, gaps: &mut Gaps) {
        let is_empty = |block: &Block, name: &str| block.fields().all(|(field, _)| field != name);
        let is_known =
            |block: &Block, name: &str| !is_empty(block, name) && !gaps.holds(&format!("{path}{name}"));
        let lone = match (is_empty(block, "groups"), is_empty(block, "keep")) {
            (true, true) if call.given("group_score").is_none() => return,
            (true, true) => Some(("group_score", "groups")),
            (false, true) if is_known(block, "groups") => Some(("groups", "keep")),
            (true, false) if is_known(block, "keep") => Some(("keep", "groups")),
            _ => None,
        };
        if let Some((given, missing)) = lone {
            let at = call.given(given).map_or(call.at, |value| value.span);
            self.found.push(ResolveError::GroupsNeedKeep { given, missing, at });
        }
        for (field, value) in block.table.fields.iter().zip(&mut block.values) {
            if value.is_none() {
                gaps.note(format!("{path}{}", field.name));
                *value = field.kind.least();
            }
        }
    }
}
