//! Which layers the fields of a model are for.

use coec_ir::table::{ATTENTION, FFN};

use super::model::{Choice, Draft, Override};
use super::{Cx, Fuel};
use crate::ast::Field;
use crate::diagnostic::{Found, Label};
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
        let layers = self.model.layers.len();
        let of = |(name, field, layers): (&'static str, &Field, Vec<usize>)| LayerField {
            at: self.label(whole(field), name.into()),
            is_attention: name == ATTENTION,
            layers,
        };
        let mut fields: Vec<LayerField> = [ATTENTION, FFN]
            .iter()
            .flat_map(|name| cx.layers_of(&self.draft, name, layers))
            .map(of)
            .collect();
        fields.sort_by_key(|field| (field.at.line, field.at.column));
        fields
    }
}

fn whole(field: &Field) -> Span {
    Span { end: field.value.span.end, ..field.name.span }
}

impl Cx<'_> {
    /// The fields of a name in the model's own text, with the layers each is for.
    fn layers_of<'d>(
        &mut self,
        draft: &'d Draft,
        name: &'static str,
        layers: usize,
    ) -> Vec<(&'static str, &'d Field, Vec<usize>)> {
        let own = draft.chain.len() - 1;
        let all = draft.chain.iter().enumerate();
        let all = all.flat_map(|(level, model)| {
            model.model().fields.iter().map(move |field| Override { level, field })
        });
        let (overrides, bases): (Vec<_>, Vec<_>) =
            all.filter(|one| one.field.name.text == name).partition(|one| one.field.index.is_some());
        let choice: Choice = self.choose(&overrides, layers, None);
        let chosen = |wanted: Option<usize>| -> Vec<usize> {
            choice.iter().enumerate().filter(|(_, one)| **one == wanted).map(|(layer, _)| layer).collect()
        };
        let base = bases.last().filter(|one| one.level == own).map(|one| (name, one.field, chosen(None)));
        let overrides = overrides.iter().enumerate().filter(|(_, one)| one.level == own);
        base.into_iter().chain(overrides.map(|(place, one)| (name, one.field, chosen(Some(place))))).collect()
    }
}
