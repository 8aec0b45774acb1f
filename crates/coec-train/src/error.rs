//! Everything that can end a run.

use thiserror::Error;

use crate::{
    data::DataError, device::DeviceError, run_dir::RunError, sample::SampleError, tokenizer::TokenizerError,
    weights::WeightsError, world::WorldError,
};

/// Why a run, a generation or a pass could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The run directory.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A weights file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Sampling.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// The modules could not be built.
    #[error(transparent)]
    Build(#[from] coec_nn::BuildError),
    /// The counts disagree.
    #[error(transparent)]
    Capture(#[from] coec_nn::capture::CaptureError),
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Other ranks.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Steps in a row whose loss or gradient was no number.
    #[error("{steps} steps in a row had a loss or gradient that is not finite")]
    Diverged {
        /// How many.
        steps: usize,
    },
    /// A token beyond the vocabulary.
    #[error("token {token} at position {position} is not in a vocabulary of {vocab}")]
    Token {
        /// The token.
        token: i64,
        /// Its place in the flattened input.
        position: usize,
        /// The vocabulary.
        vocab: usize,
    },
    /// Tokens and targets that do not fit each other or the model.
    #[error("{0}")]
    Tokens(String),
}

impl TrainError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Data(e) => e.code(),
            Self::Tokenizer(e) => e.code(),
            Self::Run(e) => e.code(),
            Self::Weights(e) => e.code(),
            Self::Sample(e) => e.code(),
            Self::Build(e) => e.code(),
            Self::Capture(e) => e.code(),
            Self::Device(e) => e.code(),
            Self::World(e) => e.code(),
            Self::Diverged { .. } => "coec::train::diverged",
            Self::Token { .. } => "coec::pass::token",
            Self::Tokens(_) => "coec::pass::tokens",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Data(e) => e.help(),
            Self::Tokenizer(e) => e.help(),
            Self::Run(e) => e.help(),
            Self::Weights(e) => e.help(),
            Self::Sample(e) => e.help(),
            Self::Build(_) => "this is a defect of coec; please report it with the spec".into(),
            Self::Capture(_) => {
                "the module is not the model that the spec describes; this is a defect of coec".into()
            }
            Self::Device(e) => e.help(),
            Self::World(e) => e.help(),
            Self::Diverged { .. } => {
                "the last good weights are saved; lower optimizer.lr, or clip harder: --set train.optimizer.lr=1e-4"
                    .into()
            }
            Self::Token { .. } => "use the tokenizer of the weights, or raise the model's `vocab`".into(),
            Self::Tokens(_) => "`tokens` and `targets` are integers of one shape, [B, L]".into(),
        }
    }

    /// Whether the spec, weights or arguments are wrong, rather than the environment.
    pub fn is_input(&self) -> bool {
        let code = self.code();
        match self {
            Self::Weights(error) | Self::Run(RunError::Weights(error)) => error.is_input(),
            Self::Run(RunError::Changed { spec, .. }) => *spec,
            Self::Sample(_) | Self::Token { .. } | Self::Tokens(_) | Self::Build(_) => true,
            Self::Capture(_) | Self::Diverged { .. } => false,
            _ => [
                "coec::ranks::too_many",
                "coec::tokenizer::does_not_fit",
                "coec::tokenizer::all_lost",
                "coec::tokenizer::differs",
                "coec::tokenizer::vocab_too_small",
                "coec::data::bad_template",
                "coec::data::unknown_builtin",
                "coec::run::exists",
                "coec::run::earlier",
            ]
            .contains(&code),
        }
    }
}
