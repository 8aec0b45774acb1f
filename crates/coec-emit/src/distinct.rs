//! A distinct sublayer of a model, which a crate writes once.

use coec_ir::Param;
use coec_ir::table::{Block, Described, Tabled, Value};
use serde::Serialize;

use crate::EmitError;
use crate::carried::{self, Home};
use crate::literal::{Literal, literal};
use crate::print::Expr;

/// A distinct sublayer.
#[derive(Debug)]
pub(crate) struct Distinct {
    /// Name of the function that gives its literal: `chain`, or `chain_k4` among several.
    pub name: String,
    /// The first word of the name.
    pub word: &'static str,
    /// Each field and its value, as names allow them.
    pub fields: Vec<(&'static str, String)>,
    /// Its struct in coec-ir.
    pub literal: Literal,
    /// The enum's variant that holds it there: `Attention::Mla`.
    pub variant: String,
    /// Where its code is at home.
    pub home: &'static Home,
    /// What it is, in a sentence.
    pub about: String,
    /// Its tensors and their shapes.
    pub tensors: Vec<String>,
    /// Whether it carries selection biases.
    pub has_bias: bool,
}

impl Distinct {
    /// The sublayer `value`, an [`Attention`](coec_ir::Attention) or an [`Ffn`](coec_ir::Ffn), in a
    /// model of width `dim`. `names` are those of the norm and of the prefix under which its tensors
    /// are listed.
    pub fn of(
        value: &(impl Serialize + Tabled),
        sublayer: &dyn Described,
        dim: usize,
        names: [&str; 2],
    ) -> Result<Self, EmitError> {
        let block = value.block();
        let word = block.table.word;
        Self::at_home(value, &block, sublayer, dim, names).ok_or(EmitError::UnknownBlock { word })
    }

    /// The same; `None` of a block that no crate can carry.
    fn at_home(
        value: &impl Serialize,
        block: &Block,
        sublayer: &dyn Described,
        dim: usize,
        [norm, prefix]: [&str; 2],
    ) -> Option<Self> {
        let Literal { value, imports } = literal(value)?;
        // The enum is written where the layer is.
        let Expr::Call(variant, mut inner) = value else { return None };
        let state = sublayer.state(prefix);
        Some(Self {
            name: String::new(),
            word: sublayer.name(),
            fields: words(block),
            literal: Literal { value: inner.pop()?, imports: imports.into_iter().skip(1).collect() },
            variant,
            home: carried::home(block.table.word)?,
            about: sublayer.about(),
            has_bias: !state.is_empty(),
            tensors: tensors(sublayer.params(dim, norm, prefix).into_iter().chain(state).collect()),
        })
    }
}

/// The fields of a block as parts of names: those that are left out too, so that blocks of one word have as many.
fn words(block: &Block) -> Vec<(&'static str, String)> {
    let fields = block.table.fields.iter().zip(&block.values);
    let said = |field, value: &Option<Value>| {
        value.as_ref().map_or_else(|| "none".into(), |value| word(field, value))
    };
    fields.map(|(field, value)| (field.name, said(field.name, value))).collect()
}

fn word(field: &str, value: &Value) -> String {
    let joined = |words: Vec<String>| words.join("_");
    match value {
        Value::Real(x) => number(*x),
        Value::List(values) => joined(values.iter().map(|value| word(field, value)).collect()),
        Value::Block(block) => {
            let fields = words(block).into_iter().map(|(_, word)| word);
            // The word of the field says that of the block already: `rope`.
            let own = (block.table.word != field).then(|| block.table.word.to_string());
            joined(own.into_iter().chain(fields).collect())
        }
        other => other.to_string(),
    }
}

/// A number as part of a name: `1.5e-6` is `1p5em6`.
fn number(value: f64) -> String {
    let text =
        if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:?}") };
    text.replace('.', "p").replace('-', "m")
}

/// Tensors with their shapes; those that differ in a number alone are listed once.
fn tensors(params: Vec<Param>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<usize>, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for param in params {
        let numbered = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let parts = param.name.split('.').map(|part| if numbered(part) { "*" } else { part });
        let name = parts.collect::<Vec<_>>().join(".");
        let at = *places.entry(name.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, _, count)) => *count += 1,
            None => groups.push((name, param.shape, 1)),
        }
    }
    let listed = |(name, shape, count): (String, Vec<usize>, usize)| match count {
        1 => format!("`{name}` `{shape:?}`"),
        count => format!("`{name}` `{shape:?}`, {count} of them"),
    };
    groups.into_iter().map(listed).collect()
}
