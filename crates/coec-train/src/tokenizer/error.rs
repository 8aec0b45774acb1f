//! What can be wrong with a tokenizer.

use std::io;
use std::path::PathBuf;

use coec_store::folder::FolderError;
use thiserror::Error;

/// A tokenizer that cannot be made, read or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The system refuses to read a file.
    #[error("cannot read the tokenizer {}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file beyond any tokenizer's size.
    #[error("the tokenizer {} has {bytes} bytes, and at most {limit} are read", path.display())]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size read.
        limit: u64,
    },
    /// A file that is not a tokenizer.
    #[error("{} is not a tokenizer.json: {reason}", path.display())]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Fewer tokens asked for than byte-level BPE starts from.
    #[error("a byte-level BPE vocabulary of {vocab} is too small: the bytes and the separator are {least}")]
    VocabTooSmall {
        /// Tokens asked for.
        vocab: usize,
        /// The fewest there can be.
        least: usize,
    },
    /// More tokens than the model embeds.
    #[error("the tokenizer has {tokens} tokens, and the model a vocabulary of {vocab}")]
    DoesNotFit {
        /// One more than the largest token.
        tokens: usize,
        /// The model's vocabulary.
        vocab: usize,
    },
    /// Training failed.
    #[error("the BPE tokenizer could not be trained: {reason}")]
    Training {
        /// Why.
        reason: String,
    },
    /// Text that the tokenizer has no tokens for.
    #[error("the tokenizer cannot encode the text: {reason}")]
    Encode {
        /// Why.
        reason: String,
    },
    /// Text of which the tokenizer has no tokens at all.
    #[error("the tokenizer has no token for any of the {characters} characters of the text")]
    AllLost {
        /// How many there are.
        characters: u64,
    },
    /// A file beside the tokenizer.
    #[error(transparent)]
    Companion(#[from] FolderError),
    /// A tokenizer that is not the one of the weights.
    #[error("the weights were trained with the tokenizer {}, and the spec names another: {named}", own.display())]
    Differs {
        /// The weights' own.
        own: PathBuf,
        /// What the spec says.
        named: String,
    },
    /// Tokens that the tokenizer cannot turn into text.
    #[error("the tokenizer cannot decode the tokens: {reason}")]
    Decode {
        /// Why.
        reason: String,
    },
}

impl TokenizerError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "coec::tokenizer::unreadable",
            Self::TooLarge { .. } => "coec::tokenizer::too_large",
            Self::Invalid { .. } => "coec::tokenizer::invalid",
            Self::VocabTooSmall { .. } => "coec::tokenizer::vocab_too_small",
            Self::DoesNotFit { .. } => "coec::tokenizer::does_not_fit",
            Self::Training { .. } => "coec::tokenizer::training",
            Self::Encode { .. } => "coec::tokenizer::encode",
            Self::AllLost { .. } => "coec::tokenizer::all_lost",
            Self::Companion(error) => error.code(),
            Self::Differs { .. } => "coec::tokenizer::differs",
            Self::Decode { .. } => "coec::tokenizer::decode",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unreadable { .. } => "check that it is there, and its permissions".into(),
            Self::TooLarge { .. } | Self::Invalid { .. } => {
                "a tokenizer.json is what `tokenizer.save(...)` of Hugging Face's tokenizers writes".into()
            }
            Self::VocabTooSmall { least, .. } => format!("ask for at least {least} tokens"),
            Self::DoesNotFit { tokens, .. } => format!("set the model's `vocab` to {tokens} or more"),
            Self::Training { .. } => "train on other text, or use `tokenizer = bytes`".into(),
            Self::Companion(error) => error.help(),
            Self::Differs { own, .. } => format!(
                "leave `tokenizer` out of the spec, or name the weights' own: --set 'train.tokenizer=file({:?})'",
                own.display().to_string()
            ),
            Self::Encode { .. } | Self::AllLost { .. } | Self::Decode { .. } => {
                "use a tokenizer that knows every byte: `bytes`, `bpe(...)`, or a byte-level tokenizer.json"
                    .into()
            }
        }
    }
}
