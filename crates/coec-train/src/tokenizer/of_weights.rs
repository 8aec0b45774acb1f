//! The tokenizer that some weights belong to.

use std::path::{Path, PathBuf};

use tokenizers::{DecoderWrapper, ModelWrapper};

use super::{SEPARATOR, Tokenizer, TokenizerError};

/// Where the tokenizer of the weights in a file is: beside it, or in the directory of the run whose
/// commit it is.
pub fn beside(weights: &Path) -> Option<PathBuf> {
    let folder = weights.parent()?;
    // runs/NAME-1/commits/step-10/model.safetensors
    let commits = folder.parent().filter(|commits| commits.ends_with("commits"));
    let run = commits.and_then(Path::parent);
    [Some(folder), run].into_iter().flatten().map(|at| at.join("tokenizer.json")).find(|path| path.is_file())
}

/// Holds the tokenizer that a spec names against that of the weights, which is `own`, at `path`.
///
/// `bpe(...)` names what would be learned, and is content with one that was learned by it before.
pub fn check_is(
    own: &Tokenizer,
    path: &Path,
    named: &coec_ir::Tokenizer,
    base: &Path,
) -> Result<(), TokenizerError> {
    let (is_same, named) = match named {
        coec_ir::Tokenizer::Bytes => (matches!(own, Tokenizer::Bytes), "bytes".to_owned()),
        coec_ir::Tokenizer::Bpe { vocab } => (is_learned(own, *vocab), format!("bpe(vocab={vocab})")),
        coec_ir::Tokenizer::File { path } => {
            let named = Tokenizer::load(&base.join(path))?;
            (named.to_json()? == own.to_json()?, path.clone())
        }
    };
    match is_same {
        true => Ok(()),
        false => Err(TokenizerError::Differs { own: path.to_owned(), named }),
    }
}

/// Whether a tokenizer is one that `bpe(vocab)` may have learned.
fn is_learned(tokenizer: &Tokenizer, vocab: usize) -> bool {
    let Tokenizer::Hf(tokenizer) = tokenizer else { return false };
    let inner = tokenizer.inner();
    matches!(inner.get_model(), ModelWrapper::BPE(_))
        && matches!(inner.get_decoder(), Some(DecoderWrapper::ByteLevel(_)))
        && inner.get_normalizer().is_none()
        && inner.token_to_id(SEPARATOR) == Some(0)
        && tokenizer.vocab_size() <= vocab
}
