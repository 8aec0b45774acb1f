//! What can be wrong with a folder.

use std::io;
use std::path::PathBuf;

use coec_hf::HfError;
use thiserror::Error;

use crate::weights::{Dtype, WeightsError};

/// Why a folder could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The system refuses to read a file.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refuses to write a folder.
    #[error("cannot write {}", path.display())]
    Unwritable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder to be written holds something.
    #[error("{} exists", path.display())]
    Exists {
        /// Its path.
        path: PathBuf,
    },
    /// A file that is larger than any of its kind.
    #[error("{} has {bytes} bytes, more than the {most} that are read", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// What is read.
        most: u64,
    },
    /// Settings that cannot be honoured, or tensors that do not fit them: everything at once.
    #[error("{}", settings(errors))]
    Settings {
        /// Each of them.
        errors: Vec<HfError>,
    },
    /// A folder without safetensors.
    #[error("{} holds neither model.safetensors nor model.safetensors.index.json", path.display())]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },
    /// An index of shards that is not one.
    #[error("{}: {reason}", path.display())]
    Index {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file of settings that is not JSON.
    #[error("{} is not JSON: {reason}", path.display())]
    NotJson {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Numbers that are no weights.
    #[error("`{name}` is {dtype}, and weights are f32, f16 or bf16")]
    Dtype {
        /// The tensor.
        name: String,
        /// What it holds.
        dtype: Dtype,
    },
    /// Weights of FP8 without the factors that say what they are.
    #[error("`{name}` is FP8, and {reason}")]
    Factors {
        /// The tensor.
        name: String,
        /// What is wrong with its factors.
        reason: String,
    },
    /// A weights file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

fn settings(errors: &[HfError]) -> String {
    errors.iter().map(HfError::to_string).collect::<Vec<_>>().join("; ")
}

impl From<HfError> for FolderError {
    fn from(error: HfError) -> Self {
        Self::Settings { errors: vec![error] }
    }
}

impl From<Vec<HfError>> for FolderError {
    fn from(errors: Vec<HfError>) -> Self {
        Self::Settings { errors }
    }
}

impl FolderError {
    /// Its stable code; of several settings that of the first.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "coec::folder::unreadable",
            Self::Unwritable { .. } => "coec::folder::unwritable",
            Self::Exists { .. } => "coec::folder::exists",
            Self::TooLarge { .. } => "coec::folder::too_large",
            Self::Settings { errors } => errors.first().map_or("coec::hf::not_json", HfError::code),
            Self::NoWeights { .. } => "coec::folder::no_weights",
            Self::Index { .. } => "coec::folder::index",
            Self::NotJson { .. } => "coec::folder::not_json",
            Self::Dtype { .. } => "coec::folder::dtype",
            Self::Factors { .. } => "coec::folder::factors",
            Self::Weights(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check that it is there, and its permissions".into(),
            Self::Unwritable { .. } => "check the permissions and the free space".into(),
            Self::Exists { .. } => "name another folder with --out: nothing is overwritten".into(),
            Self::TooLarge { .. } => "this is no file of a Hugging Face folder".into(),
            Self::Settings { errors } => errors.first().map(HfError::help).unwrap_or_default(),
            Self::NoWeights { .. } => {
                "load the folder with transformers and save it again: `save_pretrained` writes safetensors"
                    .into()
            }
            Self::Index { .. } => "parts of the folder may be missing: copy or download it again".into(),
            Self::NotJson { .. } => {
                "copy or download it again, or remove it: what it says is then not used".into()
            }
            Self::Dtype { .. } => {
                "convert the weights; of quantised ones only FP8 of the kind E4M3 is read, where config.json \
                 says that it has a factor for each block"
                    .into()
            }
            Self::Factors { .. } => {
                "weights and their factors belong together, and the size of a block is in config.json: parts \
                 of the folder may be missing"
                    .into()
            }
            Self::Weights(error) => error.help(),
        }
    }

    /// Whether the folder or the arguments are wrong, rather than the environment.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Unreadable { .. } | Self::Unwritable { .. } => false,
            Self::Weights(error) => error.is_input(),
            _ => true,
        }
    }
}
