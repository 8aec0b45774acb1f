//! A distinct sublayer of a model, which a crate writes once.

use crate::literal::Literal;

/// A distinct sublayer.
#[derive(Debug)]
pub(crate) struct Block {
    /// Name of the function that gives its literal: `chain`, or `chain_k4` among several.
    pub name: String,
    /// The first word of the name.
    pub word: &'static str,
    /// Its struct in coec-ir.
    pub literal: Literal,
    /// The enum's variant that holds it there.
    pub variant: &'static str,
    /// The module that computes it.
    pub module: &'static str,
    /// The layer's field that holds it.
    pub field: &'static str,
    /// What it is, in a sentence.
    pub about: String,
    /// Its tensors and their shapes.
    pub tensors: Vec<String>,
    /// Whether it carries selection biases.
    pub has_bias: bool,
}
