//! Layers of one kind that follow each other: a field of the model, and what is done with it.

use crate::print::WIDTH;

/// A field of the model that holds the layers of one kind.
pub(super) struct Run {
    pub field: String,
    pub layer: String,
    pub ffn: usize,
    /// The first of them.
    pub first: usize,
    pub count: usize,
}

impl Run {
    /// Whether the field is a list; one layer among other kinds is a field by itself.
    pub fn is_list(&self) -> bool {
        self.count > 1 || self.field == "layers"
    }

    pub fn declared(&self) -> String {
        let Self { field, layer, first, count, .. } = self;
        match self.is_list() {
            true => {
                let last = first + count - 1;
                let which = match (field.as_str(), count) {
                    (_, 1) => "One layer.".to_string(),
                    ("layers", count) => format!("{count} layers, all alike."),
                    _ => format!("Layers {first} to {last}."),
                };
                format!("    /// {which}\n    pub {field}: Vec<{layer}>,\n")
            }
            false => format!("    /// Layer {first}.\n    pub {field}: {layer},\n"),
        }
    }

    pub fn making(&self, layers: usize) -> String {
        let Self { field, layer, first, count, .. } = self;
        if !self.is_list() {
            return format!("let {field} = {layer}::new(&mut make, {first});");
        }
        let last = first + count;
        let last = if last == layers { "LAYERS".to_string() } else { last.to_string() };
        let value = format!("({first}..{last}).map(|l| {layer}::new(&mut make, l)).collect();");
        let line = format!("let {field} = {value}");
        if line.len() + 8 <= WIDTH { line } else { format!("let {field} =\n            {value}") }
    }

    pub fn passing(&self, dim: usize) -> String {
        match self.is_list() {
            true => repeated(&self.field, dim),
            false => format!("        h = self.{}.forward(h, &mut pass); // [B, T, {dim}]\n", self.field),
        }
    }
}

/// The loop over all layers in the order they run.
pub(super) fn passes(dim: usize) -> String {
    format!(
        "        for layer in PASSES {{\n            \
         h = self.layers[layer].forward(h, &mut pass); // [B, T, {dim}]\n        }}\n"
    )
}

/// The loop over a list of layers.
pub(super) fn repeated(field: &str, dim: usize) -> String {
    format!(
        "        for layer in &self.{field} {{\n            \
         h = layer.forward(h, &mut pass); // [B, T, {dim}]\n        }}\n"
    )
}
