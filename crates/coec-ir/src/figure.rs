//! The names of everything that is counted.

use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

/// A figure of the budget language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Figure {
    /// Elements of every trained tensor.
    ParamsTotal,
    /// Total minus the routed experts a token cannot have used.
    ParamsActive,
    /// The token embedding and, when untied, the output head.
    ParamsEmbedding,
    /// Everything else.
    ParamsNonEmbedding,
    /// Active less embedding.
    ParamsActiveNonEmbedding,
    /// FLOPs a token that the mathematics needs.
    FlopsForward,
    /// FLOPs a token that the implementation performs.
    FlopsExecuted,
    /// Three times forward.
    FlopsTrain,
    /// FLOPs a token that a training step performs.
    FlopsExecutedTrain,
    /// Bytes of the weights.
    MemoryWeights,
    /// Bytes of the gradients.
    MemoryGradients,
    /// Bytes of the optimizer's moments.
    MemoryOptimizer,
    /// Peak bytes kept for the backward pass.
    MemoryActivations,
    /// Bytes of what goes to other ranks and comes from them.
    MemoryExchange,
    /// The most that is held of all these at a time.
    MemoryTrain,
    /// Bytes of the generation cache.
    MemoryKvCache,
    /// Expert calls a token.
    ExpertsCalls,
    /// Distinct selections a token can meet.
    ExpertsPaths,
    /// FLOPs a token really multiplied, forward and backward.
    MeasuredFlops,
    /// Peak bytes of the training step.
    MeasuredMemory,
    /// Tokens a second.
    MeasuredThroughput,
    /// Share of the GEMM peak measured at start.
    MeasuredMfu,
}

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Parameters.
    Params,
    /// Floating-point operations a token.
    FlopPerToken,
    /// Bytes.
    Bytes,
    /// Expert calls a token.
    Calls,
    /// A count of paths.
    Paths,
    /// Tokens a second.
    TokensPerSecond,
    /// A share of one.
    Share,
}

impl Figure {
    /// Every figure, in the order of the language reference.
    pub const ALL: [Self; 22] = [
        Self::ParamsTotal,
        Self::ParamsActive,
        Self::ParamsEmbedding,
        Self::ParamsNonEmbedding,
        Self::ParamsActiveNonEmbedding,
        Self::FlopsForward,
        Self::FlopsExecuted,
        Self::FlopsTrain,
        Self::FlopsExecutedTrain,
        Self::MemoryWeights,
        Self::MemoryGradients,
        Self::MemoryOptimizer,
        Self::MemoryActivations,
        Self::MemoryExchange,
        Self::MemoryTrain,
        Self::MemoryKvCache,
        Self::ExpertsCalls,
        Self::ExpertsPaths,
        Self::MeasuredFlops,
        Self::MeasuredMemory,
        Self::MeasuredThroughput,
        Self::MeasuredMfu,
    ];

    /// Its name in specs, tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::ParamsTotal => "params.total",
            Self::ParamsActive => "params.active",
            Self::ParamsEmbedding => "params.embedding",
            Self::ParamsNonEmbedding => "params.non_embedding",
            Self::ParamsActiveNonEmbedding => "params.active_non_embedding",
            Self::FlopsForward => "flops.forward",
            Self::FlopsExecuted => "flops.executed",
            Self::FlopsTrain => "flops.train",
            Self::FlopsExecutedTrain => "flops.executed_train",
            Self::MemoryWeights => "memory.weights",
            Self::MemoryGradients => "memory.gradients",
            Self::MemoryOptimizer => "memory.optimizer",
            Self::MemoryActivations => "memory.activations",
            Self::MemoryExchange => "memory.exchange",
            Self::MemoryTrain => "memory.train",
            Self::MemoryKvCache => "memory.kv_cache",
            Self::ExpertsCalls => "experts.calls",
            Self::ExpertsPaths => "experts.paths",
            Self::MeasuredFlops => "measured.flops",
            Self::MeasuredMemory => "measured.memory",
            Self::MeasuredThroughput => "measured.throughput",
            Self::MeasuredMfu => "measured.mfu",
        }
    }

    /// The figure of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.name() == name)
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        match self {
            Self::ParamsTotal
            | Self::ParamsActive
            | Self::ParamsEmbedding
            | Self::ParamsNonEmbedding
            | Self::ParamsActiveNonEmbedding => Unit::Params,
            Self::FlopsForward
            | Self::FlopsExecuted
            | Self::FlopsTrain
            | Self::FlopsExecutedTrain
            | Self::MeasuredFlops => Unit::FlopPerToken,
            Self::MemoryWeights
            | Self::MemoryGradients
            | Self::MemoryOptimizer
            | Self::MemoryActivations
            | Self::MemoryExchange
            | Self::MemoryTrain
            | Self::MemoryKvCache
            | Self::MeasuredMemory => Unit::Bytes,
            Self::ExpertsCalls => Unit::Calls,
            Self::ExpertsPaths => Unit::Paths,
            Self::MeasuredThroughput => Unit::TokensPerSecond,
            Self::MeasuredMfu => Unit::Share,
        }
    }

    /// Whether only a training run can tell it.
    pub fn is_measured(self) -> bool {
        self.name().starts_with("measured.")
    }

    /// Whether it splits over layers, so that `per layer` means something.
    pub fn is_per_layer(self) -> bool {
        matches!(
            self,
            Self::ParamsTotal
                | Self::ParamsActive
                | Self::ParamsNonEmbedding
                | Self::ParamsActiveNonEmbedding
                | Self::FlopsForward
                | Self::FlopsExecuted
                | Self::FlopsTrain
                | Self::FlopsExecutedTrain
                | Self::MemoryKvCache
                | Self::ExpertsCalls
                | Self::ExpertsPaths
        )
    }
}

impl Unit {
    /// How reports write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Params => "parameters",
            Self::FlopPerToken => "FLOP/token",
            Self::Bytes => "bytes",
            Self::Calls => "calls/token",
            Self::Paths => "paths",
            Self::TokensPerSecond => "tokens/s",
            Self::Share => "share of peak",
        }
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format!("there is no figure `{name}`")))
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
