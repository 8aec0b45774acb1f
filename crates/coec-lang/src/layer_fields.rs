//! The fields of a model that say what its layers are.

use coec_ir::table::{ATTENTION, FFN};

use crate::ast::Field;
use crate::diagnostic::{Found, Label};
use crate::resolve::{Cx, Fuel};
use crate::source::Span;
use crate::spec::Spec;

/// A field of a model's own text that says what some of its layers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerField {
    /// Where it stands, from its name to the end of its value; the text is its name.
    pub at: Label,
    /// Whether it is `attention`, else `ffn`.
    pub is_attention: bool,
    /// The layers that it is for, in order: those that no other field says otherwise of.
    pub layers: Vec<usize>,
}

impl Spec {
    /// The fields `attention` and `ffn` of the model's own text, those with an index too, in the order of the text.
    pub fn layer_fields(&self) -> Vec<LayerField> {
        let (mut found, mut fuel) = (Found::default(), Fuel::default());
        let mut cx = Cx { scopes: &self.scopes, found: &mut found, fuel: &mut fuel };
        let count = self.model.layers.len();
        let mut fields = Vec::new();
        for name in [ATTENTION, FFN] {
            for (field, layers) in cx.layers_of(&self.draft, name, count) {
                let at = self.label(whole(field), name.into());
                fields.push(LayerField { at, is_attention: name == ATTENTION, layers });
            }
        }
        fields.sort_by_key(|field| (field.at.line, field.at.column));
        fields
    }
}

fn whole(field: &Field) -> Span {
    Span { end: field.value.span.end, ..field.name.span }
}
