//! The bounds of every number: within them all figures fit their types exactly.

/// Smallest and largest allowed value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Bounds {
    /// Those of a number that may be anything a spec can write.
    pub const ANY: Self = Self { min: 0.0, max: f64::INFINITY };
}

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
/// Passes of a loop, and iterations of all of them together.
pub const LOOP: Bounds = b(1.0, 64.0);
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
/// Tokens of a training.
pub const TOKENS: Bounds = b(1.0, 1e15);
/// FLOPs of a training.
pub const FLOPS: Bounds = b(1.0, 1e30);
/// `batch` and what divides it.
pub const BATCH: Bounds = b(1.0, 1_048_576.0);
pub const RANKS: Bounds = b(1.0, 1_048_576.0);
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
