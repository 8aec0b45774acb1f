//! What makes a model meaningful, and the proof that one is.

use std::ops::Deref;

use crate::{
    Amount, Attention, Balance, ChainNorm, Coe, Dense, Ffn, Gate, GroupScore, Mha, Mla, Model, Residual,
    Rope, Save, ScheduleShape, SharedGate, Tokenizer, Train,
};

/// A value that [`verify`] accepted. Nothing else makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value, no longer marked as verified.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

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

/// A field, by the block it is in and its dotted path there: `router.groups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Field {
    /// The block.
    pub place: Place,
    /// The dotted path inside it.
    pub path: &'static str,
}

/// One thing wrong with a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Where.
    pub field: Field,
    /// What.
    pub kind: ViolationKind,
}

/// Smallest and largest allowed value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
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
        /// Kept.
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
    /// An order that names a kind there is none of; only a hand-made stack can.
    InconsistentStack,
}

impl Violation {
    /// The fields of its block that it was judged by, as dotted paths. Where one of them has no
    /// value, because of an earlier error, the judgement means nothing.
    pub fn reads(&self) -> &[&'static str] {
        match &self.kind {
            // A ramp of YaRN ends below where it begins.
            ViolationKind::OutOfRange { .. } if self.field.path == "rope.beta_slow" => {
                &["rope.beta_slow", "rope.beta_fast"]
            }
            ViolationKind::KExceedsExperts { .. } => &["k", "experts"],
            ViolationKind::KListLength { .. } => &["k", "iter"],
            ViolationKind::KListFrozen => &["k", "gate"],
            ViolationKind::ResidualNeedsNormOnce { .. } => &["residual", "norm"],
            ViolationKind::KvHeadsDivideHeads { .. } => &["heads", "kv_heads"],
            ViolationKind::GroupsDivideExperts { .. } => &["experts", "router.groups"],
            ViolationKind::KeepExceedsGroups { .. } => &["router.groups", "router.keep"],
            ViolationKind::KExceedsKept { .. } => &["k", "experts", "router.groups", "router.keep"],
            ViolationKind::Top2NeedsTwo => &["experts", "router.groups", "router.group_score"],
            ViolationKind::SharedGateNeedsShared => &["shared", "shared_gate"],
            ViolationKind::AccumulateDividesBatch { .. } => &["accumulate", "batch"],
            ViolationKind::OutOfRange { .. }
            | ViolationKind::RotaryWidthOdd { .. }
            | ViolationKind::DuplicateBalance { .. }
            | ViolationKind::VocabTooSmall { .. }
            | ViolationKind::TrainContextExceedsModel { .. }
            | ViolationKind::InconsistentStack => std::slice::from_ref(&self.field.path),
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

/// The bounds of every numeric field: within them all figures fit their types exactly.
pub mod bounds {
    use super::Bounds;

    const fn b(min: f64, max: f64) -> Bounds {
        Bounds { min, max }
    }

    /// `vocab`.
    pub const VOCAB: Bounds = b(1.0, 16_777_216.0);
    /// `context`, of models, training and conditions.
    pub const CONTEXT: Bounds = b(1.0, 16_777_216.0);
    /// `dim`.
    pub const DIM: Bounds = b(1.0, 131_072.0);
    /// `layers`.
    pub const LAYERS: Bounds = b(1.0, 1024.0);
    /// Numbers of heads.
    pub const HEADS: Bounds = b(1.0, 4096.0);
    /// Widths inside attention and experts.
    pub const WIDTH: Bounds = b(1.0, 1_048_576.0);
    /// Widths that may be absent.
    pub const OPTIONAL_WIDTH: Bounds = b(0.0, 1_048_576.0);
    /// `iter`.
    pub const ITER: Bounds = b(1.0, 64.0);
    /// `experts`, `groups`, `keep` and `k`.
    pub const EXPERTS: Bounds = b(1.0, 16_384.0);
    /// `shared`.
    pub const SHARED: Bounds = b(0.0, 1024.0);
    /// `eps` of norms and the optimizer.
    pub const EPS: Bounds = b(1e-30, 1.0);
    /// `theta`, `factor`, `beta_fast`, `beta_slow`.
    pub const POSITIVE: Bounds = b(1e-6, 1e12);
    /// `scale`, `alpha`, `rate`, `mscale`, `weight_decay`, `clip`.
    pub const COEFFICIENT: Bounds = b(0.0, 1e6);
    /// `steps`.
    pub const STEPS: Bounds = b(1.0, 1e9);
    /// `batch` and what divides it.
    pub const BATCH: Bounds = b(1.0, 1_048_576.0);
    /// `lr`.
    pub const LR: Bounds = b(0.0, 1e3);
    /// `betas`.
    pub const BETA: Bounds = b(0.0, 0.999_999_999);
    /// `save=minutes(...)`: from half a second to two years.
    pub const MINUTES: Bounds = b(0.01, 1e6);
    /// `keep`.
    pub const KEEP: Bounds = b(1.0, 1e6);
    /// Shares.
    pub const SHARE: Bounds = b(0.0, 1.0);
}

/// Checks `model`, returning it as verified or everything that is wrong with it.
pub fn verify(model: Model) -> Result<Verified<Model>, Vec<Violation>> {
    let mut check = Check::at(Place::Model);
    check.int("vocab", model.vocab, bounds::VOCAB);
    check.int("context", model.context, bounds::CONTEXT);
    check.int("dim", model.dim, bounds::DIM);
    check.int("layers", model.layers.len(), bounds::LAYERS);
    check.real("norm.eps", model.norm.eps, bounds::EPS);
    if !model.layers.is_consistent() {
        check.push("layers", ViolationKind::InconsistentStack);
        return Err(check.found);
    }
    let mut found = check.found;
    for (kind, layer) in model.layers.kinds().iter().enumerate() {
        found.extend(verify_attention(&layer.attention, Place::Attention(kind)));
        found.extend(verify_ffn(&layer.ffn, Place::Ffn(kind)));
    }
    if found.is_empty() { Ok(Verified(model)) } else { Err(found) }
}

/// Everything wrong with an attention block by itself; `place` is what the violations name.
pub fn verify_attention(attention: &Attention, place: Place) -> Vec<Violation> {
    let mut check = Check::at(place);
    match attention {
        Attention::Mha(mha) => check.mha(mha),
        Attention::Mla(mla) => check.mla(mla),
    }
    check.found
}

/// Everything wrong with a feed-forward block by itself; `place` is what the violations name.
pub fn verify_ffn(ffn: &Ffn, place: Place) -> Vec<Violation> {
    let mut check = Check::at(place);
    match ffn {
        Ffn::Coe(coe) => check.coe(coe),
        Ffn::Dense(dense) => check.dense(dense),
    }
    check.found
}

/// Checks a training block against the model it trains: its vocabulary and its context, as far
/// as they are known.
pub fn verify_train(train: &Train, vocab: Option<usize>, context: Option<usize>) -> Vec<Violation> {
    let mut check = Check::at(Place::Train);
    check.int("steps", train.steps, bounds::STEPS);
    let batch = check.int("batch", train.batch, bounds::BATCH);
    let inside = check.int("context", train.context, bounds::CONTEXT);
    let accumulate = check.int("accumulate", train.accumulate, bounds::BATCH);
    check.real("optimizer.lr", train.optimizer.lr, bounds::LR);
    check.real("optimizer.betas", train.optimizer.betas[0], bounds::BETA);
    check.real("optimizer.betas", train.optimizer.betas[1], bounds::BETA);
    check.real("optimizer.eps", train.optimizer.eps, bounds::EPS);
    check.real("optimizer.weight_decay", train.optimizer.weight_decay, bounds::COEFFICIENT);
    check.real("optimizer.clip", train.optimizer.clip, bounds::COEFFICIENT);
    check.amount("schedule.warmup", train.schedule.warmup);
    if let ScheduleShape::Wsd { decay } = train.schedule.shape {
        check.amount("schedule.decay", decay);
    }
    check.int("eval.every", train.eval.every, bounds::STEPS);
    check.int("eval.batches", train.eval.batches, bounds::STEPS);
    match train.save {
        Save::Minutes(minutes) => check.real("save.minutes", minutes, bounds::MINUTES),
        Save::Every(steps) => check.int("save.steps", steps, bounds::STEPS),
    };
    check.int("keep", train.keep, bounds::KEEP);
    if let Some(model) = context.filter(|&model| inside && train.context > model) {
        check.push("context", ViolationKind::TrainContextExceedsModel { train: train.context, model });
    }
    if batch && accumulate && !train.batch.is_multiple_of(train.accumulate) {
        let kind = ViolationKind::AccumulateDividesBatch { accumulate: train.accumulate, batch: train.batch };
        check.push("accumulate", kind);
    }
    let tokens = match train.tokenizer {
        Tokenizer::Bytes => Some(256),
        // The 256 bytes and the separator are always there.
        Tokenizer::Bpe { vocab } => {
            let bounds = Bounds { min: 257.0, max: bounds::VOCAB.max };
            check.int("tokenizer.vocab", vocab, bounds).then_some(vocab)
        }
        Tokenizer::File { .. } => None,
    };
    if let (Some(tokens), Some(vocab)) = (tokens, vocab)
        && tokens > vocab
    {
        check.push("tokenizer", ViolationKind::VocabTooSmall { tokens, vocab });
    }
    check.found
}

struct Check {
    place: Place,
    found: Vec<Violation>,
}

impl Check {
    fn at(place: Place) -> Self {
        Self { place, found: Vec::new() }
    }

    fn push(&mut self, path: &'static str, kind: ViolationKind) {
        self.found.push(Violation { field: Field { place: self.place, path }, kind });
    }

    /// Returns whether `value` is inside its bounds.
    fn int(&mut self, path: &'static str, value: usize, bounds: Bounds) -> bool {
        self.real(path, value as f64, bounds)
    }

    fn real(&mut self, path: &'static str, value: f64, bounds: Bounds) -> bool {
        // Specs have no negative numbers, and minus zero is written as one.
        let inside = (bounds.min..=bounds.max).contains(&value) && value.is_sign_positive();
        if !inside {
            self.push(path, ViolationKind::OutOfRange { value, bounds });
        }
        inside
    }

    fn amount(&mut self, path: &'static str, amount: Amount) {
        match amount {
            Amount::Steps(steps) => self.int(path, steps, Bounds { min: 0.0, ..bounds::STEPS }),
            Amount::Share(share) => self.real(path, share, bounds::SHARE),
        };
    }

    fn rope(&mut self, rope: &Rope, width_path: &'static str, width: usize) {
        if width % 2 == 1 {
            self.push(width_path, ViolationKind::RotaryWidthOdd { width });
        }
        match *rope {
            Rope::Rope { theta } => {
                self.real("rope.theta", theta, bounds::POSITIVE);
            }
            Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim } => {
                self.real("rope.theta", theta, Bounds { min: 1.000_001, ..bounds::POSITIVE });
                self.real("rope.factor", factor, Bounds { min: 1.0, ..bounds::POSITIVE });
                self.int("rope.original", original, bounds::CONTEXT);
                self.real("rope.beta_fast", beta_fast, bounds::POSITIVE);
                self.real("rope.beta_slow", beta_slow, Bounds { max: beta_fast, ..bounds::POSITIVE });
                self.real("rope.mscale", mscale, bounds::COEFFICIENT);
                self.real("rope.mscale_all_dim", mscale_all_dim, bounds::COEFFICIENT);
            }
        }
    }

    fn mha(&mut self, mha: &Mha) {
        let heads = self.int("heads", mha.heads, bounds::HEADS);
        let kv_heads = self.int("kv_heads", mha.kv_heads, bounds::HEADS);
        self.int("head_dim", mha.head_dim, bounds::WIDTH);
        if heads && kv_heads && !mha.heads.is_multiple_of(mha.kv_heads) {
            let kind = ViolationKind::KvHeadsDivideHeads { heads: mha.heads, kv_heads: mha.kv_heads };
            self.push("kv_heads", kind);
        }
        self.rope(&mha.rope, "head_dim", mha.head_dim);
    }

    fn mla(&mut self, mla: &Mla) {
        self.int("heads", mla.heads, bounds::HEADS);
        self.int("kv_rank", mla.kv_rank, bounds::WIDTH);
        if let Some(rank) = mla.q_rank {
            self.int("q_rank", rank, bounds::WIDTH);
        }
        self.int("nope", mla.nope, bounds::WIDTH);
        self.int("rope_dim", mla.rope_dim, bounds::WIDTH);
        self.int("value", mla.value, bounds::WIDTH);
        self.rope(&mla.rope, "rope_dim", mla.rope_dim);
    }

    fn dense(&mut self, dense: &Dense) {
        self.int("hidden", dense.hidden, bounds::WIDTH);
    }

    fn coe(&mut self, coe: &Coe) {
        let iter = self.int("iter", coe.iter, bounds::ITER);
        let experts = self.int("experts", coe.experts, bounds::EXPERTS);
        self.int("shared", coe.shared, bounds::SHARED);
        self.int("hidden", coe.hidden, bounds::WIDTH);
        let k = coe.k.iter().all(|&k| self.int("k", k, bounds::EXPERTS));
        if iter && coe.k.len() != coe.iter {
            self.push("k", ViolationKind::KListLength { entries: coe.k.len(), iter: coe.iter });
        }
        if k && experts {
            if let Some((iteration, &k)) = coe.k.iter().enumerate().find(|&(_, &k)| k > coe.experts) {
                self.push("k", ViolationKind::KExceedsExperts { k, experts: coe.experts, iteration });
            }
            self.router(coe);
        }
        if coe.gate == Gate::Frozen && coe.k.windows(2).any(|pair| pair[0] != pair[1]) {
            self.push("k", ViolationKind::KListFrozen);
        }
        if coe.norm != ChainNorm::Once && matches!(coe.residual, Residual::Both | Residual::Delta) {
            let kind = ViolationKind::ResidualNeedsNormOnce { residual: coe.residual, norm: coe.norm };
            self.push("residual", kind);
        }
        if coe.shared == 0 && coe.shared_gate != SharedGate::None {
            self.push("shared_gate", ViolationKind::SharedGateNeedsShared);
        }
        for (i, balance) in coe.balance.iter().enumerate() {
            match *balance {
                Balance::SeqAux { alpha } | Balance::SwitchAux { alpha } | Balance::ZLoss { alpha } => {
                    self.real("balance.alpha", alpha, bounds::COEFFICIENT);
                }
                Balance::Bias { rate } => {
                    self.real("balance.rate", rate, bounds::COEFFICIENT);
                }
            }
            if coe.balance[..i].iter().any(|earlier| earlier.word() == balance.word()) {
                self.push("balance", ViolationKind::DuplicateBalance { word: balance.word() });
            }
        }
    }

    fn router(&mut self, coe: &Coe) {
        self.real("router.scale", coe.router.scale, bounds::COEFFICIENT);
        let Some(groups) = coe.router.groups else { return };
        if !self.int("router.groups", groups.groups, bounds::EXPERTS)
            || !self.int("router.keep", groups.keep, bounds::EXPERTS)
        {
            return;
        }
        if !coe.experts.is_multiple_of(groups.groups) {
            let kind = ViolationKind::GroupsDivideExperts { groups: groups.groups, experts: coe.experts };
            return self.push("router.groups", kind);
        }
        if groups.keep > groups.groups {
            let kind = ViolationKind::KeepExceedsGroups { keep: groups.keep, groups: groups.groups };
            return self.push("router.keep", kind);
        }
        let size = coe.experts / groups.groups;
        if groups.score == GroupScore::Top2 && size < 2 {
            self.push("router.group_score", ViolationKind::Top2NeedsTwo);
        }
        let eligible = size * groups.keep;
        if let Some(&k) = coe.k.iter().find(|&&k| k > eligible && k <= coe.experts) {
            self.push("router.keep", ViolationKind::KExceedsKept { k, eligible });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_zero_is_no_number_of_a_spec() {
        let mut check = Check::at(Place::Model);
        assert!(
            !check.real("alpha", -0.0, bounds::COEFFICIENT) && check.real("alpha", 0.0, bounds::COEFFICIENT)
        );
        assert_eq!(check.found[0].kind.code(), "coec::verify::out_of_range");
    }
}
