//! Which layers the fields of a model are for.

use super::Cx;
use super::model::{Choice, Draft, Override};
use crate::ast::Field;

impl Cx<'_> {
    /// The fields of a name in the model's own text, with the layers each is for.
    pub fn layers_of<'d>(
        &mut self,
        draft: &'d Draft,
        name: &str,
        layers: usize,
    ) -> Vec<(&'d Field, Vec<usize>)> {
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
        let base = bases.last().filter(|one| one.level == own).map(|one| (one.field, chosen(None)));
        let overrides = overrides.iter().enumerate().filter(|(_, one)| one.level == own);
        base.into_iter().chain(overrides.map(|(place, one)| (one.field, chosen(Some(place))))).collect()
    }
}
