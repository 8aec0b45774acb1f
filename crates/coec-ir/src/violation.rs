//! What can be wrong with a model, in words.

use crate::{Bounds, ChainNorm, Residual};

/// The block a violation is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A field of the model itself.
    Model,
    /// The attention of this kind of layer, an index into [`Stack::kinds`](crate::Stack::kinds).
    Attention(usize),
    /// The feed-forward sublayer of this kind of layer.
    Ffn(usize),
    /// The training block.
    Train,
}

/// One thing wrong with a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The block it is in.
    pub place: Place,
    /// The dotted path of the field there: `router.groups`.
    pub path: String,
    /// What.
    pub kind: ViolationKind,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum ViolationKind {
    /// A number outside its bounds.
    OutOfRange {
        /// The number.
        value: f64,
        /// What is allowed.
        bounds: Bounds,
    },
    /// More experts selected than there are.
    KExceedsExperts {
        /// Selected.
        k: usize,
        /// There are.
        experts: usize,
        /// The iteration, from 0.
        iteration: usize,
    },
    /// A list of k whose length is not the number of iterations.
    KListLength {
        /// Entries.
        entries: usize,
        /// Iterations.
        iter: usize,
    },
    /// A frozen gate routes once, so k cannot differ between iterations.
    KListFrozen,
    /// `both` or `delta` with a norm in every iteration.
    ResidualNeedsNormOnce {
        /// The residual.
        residual: Residual,
        /// The norm.
        norm: ChainNorm,
    },
    /// A norm behind a chain that does not add what its experts made.
    NormAtNeedsAddition {
        /// The residual.
        residual: Residual,
        /// The norm.
        norm: ChainNorm,
    },
    /// A multiplier of what is added to the stream, where nothing is.
    MultiplierNeedsAddition {
        /// The residual.
        residual: Residual,
    },
    /// `kv_heads` does not divide `heads`.
    KvHeadsDivideHeads {
        /// Query heads.
        heads: usize,
        /// Key-value heads.
        kv_heads: usize,
    },
    /// A rotary width that is odd.
    RotaryWidthOdd {
        /// The width.
        width: usize,
    },
    /// The groups do not divide the experts.
    GroupsDivideExperts {
        /// Groups.
        groups: usize,
        /// Experts.
        experts: usize,
    },
    /// More groups kept than there are.
    KeepExceedsGroups {
        /// Joined.
        keep: usize,
        /// There are.
        groups: usize,
    },
    /// The kept groups hold fewer experts than are selected.
    KExceedsKept {
        /// Selected.
        k: usize,
        /// Eligible.
        eligible: usize,
    },
    /// `top2` of groups with one expert.
    Top2NeedsTwo,
    /// The same kind of balance twice.
    DuplicateBalance {
        /// Its word.
        word: &'static str,
    },
    /// A gate for shared experts where there are none.
    SharedGateNeedsShared,
    /// A tokenizer with more tokens than the model has.
    VocabTooSmall {
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Vocabulary of the model.
        vocab: usize,
    },
    /// Training on longer sequences than the model declares.
    TrainContextExceedsModel {
        /// Tokens per training sequence.
        train: usize,
        /// Context of the model.
        model: usize,
    },
    /// A batch that does not split evenly.
    AccumulateDividesBatch {
        /// Parts.
        accumulate: usize,
        /// Sequences.
        batch: usize,
    },
    /// Training of no length, or of several.
    OneLength {
        /// What says how long it is.
        given: Vec<&'static str>,
    },
    /// Training without a source of text.
    NoData,
    /// Weights that are not one for each source.
    WeightsForSources {
        /// Weights.
        weights: usize,
        /// Sources.
        sources: usize,
    },
    /// Weights that are all zero.
    NoWeight,
    /// An order that names a kind there is none of; only a hand-made stack can.
    InconsistentStack,
}

impl Violation {
    /// The fields of its block that it was judged by, as dotted paths. Where one of them has no
    /// value, because of an earlier error, the judgement means nothing.
    pub fn reads(&self) -> Vec<&str> {
        match &self.kind {
            // A ramp of YaRN ends below where it begins.
            ViolationKind::OutOfRange { .. } if self.path == "rope.beta_slow" => {
                vec!["rope.beta_slow", "rope.beta_fast"]
            }
            ViolationKind::KExceedsExperts { .. } => vec!["k", "experts"],
            ViolationKind::KListLength { .. } => vec!["k", "iter"],
            ViolationKind::KListFrozen => vec!["k", "gate"],
            ViolationKind::ResidualNeedsNormOnce { .. } => vec!["residual", "norm"],
            ViolationKind::NormAtNeedsAddition { .. } => vec!["norm_at", "residual", "norm"],
            ViolationKind::MultiplierNeedsAddition { .. } => vec!["multiplier", "residual"],
            ViolationKind::KvHeadsDivideHeads { .. } => vec!["heads", "kv_heads"],
            ViolationKind::GroupsDivideExperts { .. } => vec!["experts", "router.groups"],
            ViolationKind::KeepExceedsGroups { .. } => vec!["router.groups", "router.keep"],
            ViolationKind::KExceedsKept { .. } => vec!["k", "experts", "router.groups", "router.keep"],
            ViolationKind::Top2NeedsTwo => vec!["experts", "router.groups", "router.group_score"],
            ViolationKind::SharedGateNeedsShared => vec!["shared", "shared_gate"],
            ViolationKind::WeightsForSources { .. } => vec!["weights", "data"],
            ViolationKind::OneLength { .. } => crate::LENGTHS.into(),
            ViolationKind::AccumulateDividesBatch { .. } => vec!["accumulate", "batch"],
            ViolationKind::OutOfRange { .. }
            | ViolationKind::RotaryWidthOdd { .. }
            | ViolationKind::DuplicateBalance { .. }
            | ViolationKind::VocabTooSmall { .. }
            | ViolationKind::TrainContextExceedsModel { .. }
            | ViolationKind::NoData
            | ViolationKind::NoWeight
            | ViolationKind::InconsistentStack => vec![&self.path],
        }
    }
}

impl ViolationKind {
    /// The code of every kind, in the order of the variants.
    pub const CODES: &[&str] = &[
        "coec::verify::out_of_range",
        "coec::verify::k_exceeds_experts",
        "coec::verify::k_list_length",
        "coec::verify::k_list_frozen",
        "coec::verify::residual_needs_norm_once",
        "coec::verify::norm_at_needs_addition",
        "coec::verify::multiplier_needs_addition",
        "coec::verify::kv_heads_divide_heads",
        "coec::verify::rotary_width_odd",
        "coec::verify::groups_divide_experts",
        "coec::verify::keep_exceeds_groups",
        "coec::verify::k_exceeds_kept",
        "coec::verify::top2_needs_two",
        "coec::verify::duplicate_balance",
        "coec::verify::shared_gate_needs_shared",
        "coec::verify::vocab_too_small",
        "coec::verify::train_context_exceeds_model",
        "coec::verify::accumulate_divides_batch",
        "coec::verify::one_length",
        "coec::verify::no_data",
        "coec::verify::weights_for_sources",
        "coec::verify::no_weight",
        "coec::verify::inconsistent_stack",
    ];

    /// The code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "coec::verify::out_of_range",
            Self::KExceedsExperts { .. } => "coec::verify::k_exceeds_experts",
            Self::KListLength { .. } => "coec::verify::k_list_length",
            Self::KListFrozen => "coec::verify::k_list_frozen",
            Self::ResidualNeedsNormOnce { .. } => "coec::verify::residual_needs_norm_once",
            Self::NormAtNeedsAddition { .. } => "coec::verify::norm_at_needs_addition",
            Self::MultiplierNeedsAddition { .. } => "coec::verify::multiplier_needs_addition",
            Self::KvHeadsDivideHeads { .. } => "coec::verify::kv_heads_divide_heads",
            Self::RotaryWidthOdd { .. } => "coec::verify::rotary_width_odd",
            Self::GroupsDivideExperts { .. } => "coec::verify::groups_divide_experts",
            Self::KeepExceedsGroups { .. } => "coec::verify::keep_exceeds_groups",
            Self::KExceedsKept { .. } => "coec::verify::k_exceeds_kept",
            Self::Top2NeedsTwo => "coec::verify::top2_needs_two",
            Self::DuplicateBalance { .. } => "coec::verify::duplicate_balance",
            Self::SharedGateNeedsShared => "coec::verify::shared_gate_needs_shared",
            Self::VocabTooSmall { .. } => "coec::verify::vocab_too_small",
            Self::TrainContextExceedsModel { .. } => "coec::verify::train_context_exceeds_model",
            Self::AccumulateDividesBatch { .. } => "coec::verify::accumulate_divides_batch",
            Self::OneLength { .. } => "coec::verify::one_length",
            Self::NoData => "coec::verify::no_data",
            Self::WeightsForSources { .. } => "coec::verify::weights_for_sources",
            Self::NoWeight => "coec::verify::no_weight",
            Self::InconsistentStack => "coec::verify::inconsistent_stack",
        }
    }

    /// What is wrong, in one sentence without its place.
    pub fn message(&self) -> String {
        match self {
            Self::OutOfRange { value, .. } => format!("{} is out of range", number(*value)),
            Self::KExceedsExperts { k, experts, iteration } => {
                format!("iteration {} selects {k} experts of {experts}", iteration + 1)
            }
            Self::KListLength { entries, iter } => {
                format!("k lists {entries} iterations, the chain has {iter}")
            }
            Self::KListFrozen => "a frozen gate cannot select differently per iteration".into(),
            Self::ResidualNeedsNormOnce { residual, norm } => {
                format!("residual={} needs norm=once, not norm={}", residual.word(), norm.word())
            }
            Self::NormAtNeedsAddition { residual, norm } => format!(
                "norm_at=after norms what is added to the stream, which residual={} with norm={} does not say apart",
                residual.word(),
                norm.word()
            ),
            Self::MultiplierNeedsAddition { residual } => {
                format!("residual={} adds nothing to the stream that could be multiplied", residual.word())
            }
            Self::KvHeadsDivideHeads { heads, kv_heads } => {
                format!("{heads} heads cannot share {kv_heads} key-value heads evenly")
            }
            Self::RotaryWidthOdd { width } => format!("a rotary width of {width} is odd"),
            Self::GroupsDivideExperts { groups, experts } => {
                format!("{experts} experts do not form {groups} equal groups")
            }
            Self::KeepExceedsGroups { keep, groups } => format!("{keep} groups kept of {groups}"),
            Self::KExceedsKept { k, eligible } => {
                format!("{k} experts selected among {eligible} in the kept groups")
            }
            Self::Top2NeedsTwo => "group_score=top2 needs at least two experts a group".into(),
            Self::DuplicateBalance { word } => format!("`{word}` is given twice"),
            Self::SharedGateNeedsShared => "there are no shared experts to gate".into(),
            Self::VocabTooSmall { tokens, vocab } => {
                format!("a tokenizer of {tokens} tokens does not fit a vocabulary of {vocab}")
            }
            Self::TrainContextExceedsModel { train, model } => {
                format!("training sequences of {train} tokens exceed the model's context of {model}")
            }
            Self::AccumulateDividesBatch { accumulate, batch } => {
                format!("a batch of {batch} does not split into {accumulate} equal parts")
            }
            Self::OneLength { given } if given.is_empty() => "nothing says how long the training is".into(),
            Self::OneLength { given } => {
                format!("`{}` each say how long the training is", given.join("` and `"))
            }
            Self::NoData => "there is nothing to learn from".into(),
            Self::WeightsForSources { weights, sources } => {
                format!("{weights} weights for {sources} sources of data")
            }
            Self::NoWeight => "every source has the weight 0".into(),
            Self::InconsistentStack => "the layer order names a kind that does not exist".into(),
        }
    }

    /// What was expected, short enough to stand under the text.
    pub fn label(&self) -> String {
        match self {
            Self::OutOfRange { bounds, .. } => {
                format!("expected {} to {}", number(bounds.min), number(bounds.max))
            }
            Self::KExceedsExperts { experts, .. } => format!("at most {experts}"),
            Self::KListLength { iter, .. } => format!("expected {iter} entries"),
            Self::KListFrozen => "expected one number".into(),
            Self::ResidualNeedsNormOnce { .. } => "refused with this norm".into(),
            Self::NormAtNeedsAddition { .. } => "refused with this residual and norm".into(),
            Self::MultiplierNeedsAddition { .. } => "expected 1".into(),
            Self::KvHeadsDivideHeads { heads, .. } => format!("must divide {heads}"),
            Self::RotaryWidthOdd { .. } => "must be even".into(),
            Self::GroupsDivideExperts { experts, .. } => format!("must divide {experts}"),
            Self::KeepExceedsGroups { groups, .. } => format!("at most {groups}"),
            Self::KExceedsKept { eligible, .. } => format!("at most {eligible}"),
            Self::Top2NeedsTwo => "groups of one expert".into(),
            Self::DuplicateBalance { .. } => "given twice".into(),
            Self::SharedGateNeedsShared => "needs shared experts".into(),
            Self::VocabTooSmall { vocab, .. } => format!("at most {vocab}"),
            Self::TrainContextExceedsModel { model, .. } => format!("at most {model}"),
            Self::AccumulateDividesBatch { batch, .. } => format!("must divide {batch}"),
            Self::OneLength { .. } => "expected one of them".into(),
            Self::NoData => "expected a source".into(),
            Self::WeightsForSources { sources, .. } => format!("expected {sources}"),
            Self::NoWeight => "expected one above 0".into(),
            Self::InconsistentStack => "no such kind".into(),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::OutOfRange { .. } => {
                "within these bounds every figure is computed exactly; choose a value inside them".into()
            }
            Self::KExceedsExperts { k, experts, .. } => {
                format!("lower `k` to at most {experts}, or raise `experts` to at least {k}")
            }
            Self::KListLength { .. } => "give one number for all iterations, or one per iteration".into(),
            Self::KListFrozen => "gate=frozen routes once and reuses the selection; \
                 use gate=independent or gate=tied for a k per iteration"
                .into(),
            Self::ResidualNeedsNormOnce { residual: Residual::Both, .. } => {
                "with a norm in every iteration the chain already carries the stream, and `both` \
                 would count it twice; use residual=inner or residual=outer"
                    .into()
            }
            Self::ResidualNeedsNormOnce { .. } => {
                "with a norm in every iteration `delta` equals `inner`; write residual=inner".into()
            }
            Self::NormAtNeedsAddition { .. } => {
                "use residual=outer or residual=delta with norm=once, or norm_at=before".into()
            }
            Self::MultiplierNeedsAddition { .. } => {
                "use residual=outer, both or delta, or leave `multiplier` out".into()
            }
            Self::KvHeadsDivideHeads { heads, .. } => {
                format!("choose kv_heads among the divisors of {heads}: {}", divisors(*heads))
            }
            Self::RotaryWidthOdd { .. } => "rotary embedding rotates pairs of dimensions".into(),
            Self::GroupsDivideExperts { experts, .. } => {
                format!("choose groups among the divisors of {experts}: {}", divisors(*experts))
            }
            Self::KeepExceedsGroups { .. } => "keep at most as many groups as there are".into(),
            Self::KExceedsKept { .. } => "raise `keep`, lower `groups`, or lower `k`".into(),
            Self::Top2NeedsTwo => "use group_score=max, or fewer groups".into(),
            Self::DuplicateBalance { .. } => "keep one of them".into(),
            Self::SharedGateNeedsShared => "give `shared` at least 1, or leave `shared_gate` out".into(),
            Self::VocabTooSmall { tokens, .. } => {
                format!("raise the model's `vocab` to at least {tokens}, or use a smaller tokenizer")
            }
            Self::TrainContextExceedsModel { .. } => {
                "raise the model's `context`, or lower the training block's".into()
            }
            Self::AccumulateDividesBatch { batch, .. } => {
                format!("choose accumulate among the divisors of {batch}: {}", divisors(*batch))
            }
            Self::OneLength { .. } => "keep one of `steps`, `tokens` and `flops`".into(),
            Self::NoData => "name a source, for example `text(\"data/*.txt\")`".into(),
            Self::WeightsForSources { .. } => {
                "give one weight for each source, or none: then each counts by its size".into()
            }
            Self::NoWeight => "give at least one source a weight above 0".into(),
            Self::InconsistentStack => "build stacks with Stack::from_layers".into(),
        }
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:?}") }
}

fn divisors(n: usize) -> String {
    let all: Vec<_> = (1..=n).filter(|d| n.is_multiple_of(*d)).map(|d| d.to_string()).collect();
    all.join(", ")
}
