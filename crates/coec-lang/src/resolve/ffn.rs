//! `ffn`, `router`, `balance`.

use coec_ir::{
    Act, Balance, ChainNorm, Coe, Dense, Ffn, Field, Gate, GroupScore, Groups, Place, Residual, Router,
    Score, SharedAt, SharedGate, Violation, ViolationKind, bounds, verify_ffn,
};

use super::gaps::Gaps;
use super::value::Counts;
use super::{Call, Cx};
use crate::error::{ResolveError, VerifyError};
use crate::schema::FFN;

impl Cx<'_> {
    /// A feed-forward block, with nothing wrong in it.
    pub fn ffn(&mut self, call: &Call) -> Option<Ffn> {
        let mut gaps = Gaps::default();
        let ffn = match call.block.word {
            "dense" => Ffn::Dense(self.dense(call, &mut gaps)),
            _ => Ffn::Coe(self.coe(call, &mut gaps)),
        };
        let violations = verify_ffn(&ffn, Place::Ffn(0));
        self.accept(call, FFN, violations, &gaps).then_some(ffn)
    }

    fn dense(&mut self, call: &Call, gaps: &mut Gaps) -> Dense {
        let (hidden, act) = (self.count(call, "hidden"), self.word(call, "act"));
        Dense { hidden: gaps.or("hidden", hidden, 1), act: gaps.or("act", act, Act::Swiglu) }
    }

    fn coe(&mut self, call: &Call, gaps: &mut Gaps) -> Coe {
        let (iter, residual, gate, norm) = match call.block.word {
            // `moe` is the chain of one iteration in the ordinary pre-norm block.
            "moe" => (1, Residual::Outer, Gate::Independent, ChainNorm::Once),
            _ => (
                gaps.or("iter", self.count(call, "iter"), 1),
                gaps.or("residual", self.word(call, "residual"), Residual::Inner),
                gaps.or("gate", self.word(call, "gate"), Gate::Independent),
                gaps.or("norm", self.word(call, "norm"), ChainNorm::Once),
            ),
        };
        let k = gaps.or("k", self.counts(call, "k"), Counts::One(1));
        Coe {
            iter,
            k: self.k(k, iter, gate),
            experts: gaps.or("experts", self.count(call, "experts"), 1),
            shared: gaps.or("shared", self.count(call, "shared"), 0),
            shared_gate: gaps.or("shared_gate", self.word(call, "shared_gate"), SharedGate::None),
            hidden: gaps.or("hidden", self.count(call, "hidden"), 1),
            act: gaps.or("act", self.word(call, "act"), Act::Swiglu),
            residual,
            gate,
            norm,
            shared_at: gaps.or("shared_at", self.word(call, "shared_at"), SharedAt::Each),
            router: self.router(call, gaps),
            balance: gaps.or("balance", self.balance(call), Vec::new()),
        }
    }

    /// One k for each iteration.
    fn k(&mut self, k: Counts, iter: usize, gate: Gate) -> Vec<usize> {
        match k {
            // An iter out of its bounds is for `verify` to report; its list must not be made.
            Counts::One(k) => vec![k; iter.min(bounds::ITER.max as usize)],
            Counts::List(list, at) => {
                if gate == Gate::Frozen {
                    // Refused even if the entries agree: the list claims what a frozen gate cannot do.
                    let field = Field { place: Place::Ffn(0), path: "k" };
                    let violation = Violation { field, kind: ViolationKind::KListFrozen };
                    let field = "ffn.k".into();
                    self.found.push(VerifyError { violation, field, at, defaulted: false });
                }
                list
            }
        }
    }

    fn router(&mut self, outer: &Call, gaps: &mut Gaps) -> Router {
        let Some(call) = self.block(outer, "router") else {
            let none = Router { score: Score::Softmax, renorm: false, scale: 1.0, groups: None };
            return gaps.or("router", None, none);
        };
        let score = Score::ALL.iter().copied().find(|score| score.word() == call.block.word);
        Router {
            score: gaps.or("router", score, Score::Softmax),
            renorm: gaps.or("router.renorm", self.flag(&call, "renorm"), false),
            scale: gaps.or("router.scale", self.real(&call, "scale"), 1.0),
            groups: self.groups(&call, gaps),
        }
    }

    fn groups(&mut self, call: &Call, gaps: &mut Gaps) -> Option<Groups> {
        let groups = self.count_if_given(call, "groups");
        let keep = self.count_if_given(call, "keep");
        let score = gaps.or("router.group_score", self.word(call, "group_score"), GroupScore::Max);
        let lone = match (groups, keep) {
            (Some(None), Some(None)) if call.given("group_score").is_none() => return None,
            (Some(None), Some(None)) => Some(("group_score", "groups")),
            (Some(Some(_)), Some(None)) => Some(("groups", "keep")),
            (Some(None), Some(Some(_))) => Some(("keep", "groups")),
            _ => None,
        };
        if let Some((given, missing)) = lone {
            let at = call.given(given).map_or(call.at, |value| value.span);
            self.found.push(ResolveError::GroupsNeedKeep { given, missing, at });
        }
        // One group of which one is kept is no restriction.
        let groups = gaps.or("router.groups", groups.flatten(), 1);
        let keep = gaps.or("router.keep", keep.flatten(), 1);
        Some(Groups { groups, keep, score })
    }

    fn balance(&mut self, outer: &Call) -> Option<Vec<Balance>> {
        let calls = self.blocks(outer, "balance")?;
        let terms: Vec<_> = calls.iter().map(|call| self.balance_term(call)).collect();
        terms.into_iter().collect()
    }

    fn balance_term(&mut self, call: &Call) -> Option<Balance> {
        Some(match call.block.word {
            "bias" => Balance::Bias { rate: self.real(call, "rate")? },
            "seq_aux" => Balance::SeqAux { alpha: self.real(call, "alpha")? },
            "switch_aux" => Balance::SwitchAux { alpha: self.real(call, "alpha")? },
            _ => Balance::ZLoss { alpha: self.real(call, "alpha")? },
        })
    }
}
