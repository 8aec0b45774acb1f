//! Blocks as values, field by field as their tables say.

use coec_ir::table::{ATTENTION, Block, Default, FFN, Field, Kind, Tabled, Value as Known};
use coec_ir::{Attention, Ffn, Place, Violation, verify_attention, verify_ffn};

use super::gaps::Gaps;
use super::value::{Counts, is_word};
use super::{Call, Cx};
use crate::ast::{Value, ValueKind};
use crate::error::ResolveError;

/// What a model leaves to the blocks inside it and to its training, as far as errors leave it known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OfModel {
    pub dim: Option<usize>,
    pub context: Option<usize>,
}

impl OfModel {
    fn get(self, field: &str) -> Option<usize> {
        match field {
            "dim" => self.dim,
            "context" => self.context,
            _ => None,
        }
    }
}

impl Cx<'_> {
    /// An attention block, with nothing wrong in it.
    pub fn attention(&mut self, call: &Call, model: OfModel) -> Option<Attention> {
        self.verified(call, ATTENTION, model, |block| verify_attention(block, Place::Attention(0)))
    }

    /// A feed-forward block, with nothing wrong in it.
    pub fn ffn(&mut self, call: &Call) -> Option<Ffn> {
        self.verified(call, FFN, OfModel::default(), |block| verify_ffn(block, Place::Ffn(0)))
    }

    /// What the block of `call` says, with nothing wrong that `verify` finds in it. `prefix` is the
    /// field it stands in.
    pub fn verified<T: Tabled>(
        &mut self,
        call: &Call,
        prefix: &str,
        model: OfModel,
        verify: impl FnOnce(&T) -> Vec<Violation>,
    ) -> Option<T> {
        let mut gaps = Gaps::default();
        let found = T::read(&self.values(call, "", model, &mut gaps))?;
        let violations = verify(&found);
        self.accept(call, prefix, violations, &gaps).then_some(found)
    }

    /// The values of a block's fields, `path` in front of their names. A field whose value errors
    /// leave unknown is a gap, with a value that stands in.
    pub fn values(&mut self, call: &Call, path: &str, model: OfModel, gaps: &mut Gaps) -> Block {
        self.values_where(call, path, model, gaps, |_| true)
    }

    /// The same of some of the fields; the others are empty.
    pub fn values_where(
        &mut self,
        call: &Call,
        path: &str,
        model: OfModel,
        gaps: &mut Gaps,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Block {
        let mut block = Block { table: call.table, values: Vec::new() };
        for field in call.table.fields {
            if !is_wanted(field.name) {
                block.values.push(None);
                continue;
            }
            let path = format!("{path}{}", field.name);
            let value = self.value(call, field, &path, model, gaps, &block);
            block.values.push(value.unwrap_or_else(|| {
                gaps.note(path);
                field.kind.least()
            }));
        }
        self.claims(call, path, &mut block, gaps);
        spread(&mut block);
        block
    }

    /// What a field holds, `Some(None)` if it is empty. `before` are the fields in front of it.
    fn value(
        &mut self,
        call: &Call,
        field: &'static Field,
        path: &str,
        model: OfModel,
        gaps: &mut Gaps,
        before: &Block,
    ) -> Option<Option<Known>> {
        let name = field.name;
        let (_, given) = call.field(name)?;
        match (field.kind, given) {
            (Kind::Block(_), _) => {
                let inner = self.block(call, name)?;
                Some(Some(self.values(&inner, &format!("{path}."), model, gaps).into()))
            }
            (Kind::Blocks(_), _) => {
                let calls = self.blocks(call, name)?;
                let blocks = calls.iter().map(|call| self.values(call, &format!("{path}."), model, gaps));
                Some(Some(Known::List(blocks.map(Known::Block).collect())))
            }
            (kind, Some(value)) => self.given(name, kind, value).map(Some),
            (_, None) => self.left_out(call, field, path, model, gaps, before),
        }
    }

    /// A value that the text gives.
    fn given(&mut self, name: &str, kind: Kind, value: &Value) -> Option<Known> {
        Some(match kind {
            Kind::Count(_) => Known::Count(self.count_of(name, value)?),
            Kind::OptionalCount(_) => {
                let value = self.follow(value)?;
                if is_word(value, "none") {
                    Known::Word("none")
                } else {
                    Known::Count(self.count_of(name, value)?)
                }
            }
            Kind::Counts(..) => match self.counts_of(name, value)? {
                Counts::One(n) => Known::Count(n),
                Counts::List(list) => Known::List(list.into_iter().map(Known::Count).collect()),
            },
            Kind::Real(_) => Known::Real(self.real_of(name, value)?),
            Kind::Pair(_) => Known::List(self.pair_of(name, value)?.map(Known::Real).into()),
            Kind::Amount => self.amount_of(name, value)?,
            Kind::Flag => Known::Flag(self.flag_of(name, value)?),
            Kind::Reals(_) => {
                let of = |cx: &mut Self, value: &Value| cx.real_of(name, value);
                let numbers = self.list_of(name, "a list of numbers", value, of)?;
                Known::List(numbers.into_iter().map(Known::Real).collect())
            }
            Kind::Text => Known::Text(self.text_of(name, value)?),
            Kind::Texts if matches!(self.follow(value)?.kind, ValueKind::List(_)) => {
                let of = |cx: &mut Self, value: &Value| cx.text_of(name, value);
                let texts = self.list_of(name, "a list of strings", value, of)?;
                Known::List(texts.into_iter().map(Known::Text).collect())
            }
            Kind::Texts => Known::Text(self.text_of(name, value)?),
            Kind::Name(names, what) => Known::Text(self.name_of(name, names, what, value)?),
            Kind::Word(words) => Known::Word(self.word_of(name, words(), value)?),
            Kind::Words(words) if matches!(self.follow(value)?.kind, ValueKind::List(_)) => {
                let of = |cx: &mut Self, value: &Value| cx.word_of(name, words(), value);
                let words = self.list_of(name, "a list of words", value, of)?;
                Known::List(words.into_iter().map(Known::Word).collect())
            }
            Kind::Words(_) => Known::Flag(self.flag_of(name, value)?),
            Kind::Block(_) | Kind::Blocks(_) => return None,
        })
    }

    /// What a field holds when it is left out.
    fn left_out(
        &mut self,
        call: &Call,
        field: &Field,
        path: &str,
        model: OfModel,
        gaps: &Gaps,
        before: &Block,
    ) -> Option<Option<Known>> {
        let sibling = |name: &str| {
            let path = path.strip_suffix(field.name).unwrap_or_default();
            let known = before.fields().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
            known.filter(|_| !gaps.holds(&format!("{path}{name}")))
        };
        Some(Some(match call.table.default(field) {
            // Reported when the block was bound.
            Default::Required => return None,
            Default::Nothing => return Some(None),
            Default::Like(other) => sibling(other)?,
            Default::OfModel(field) => Known::Count(model.get(field)?),
            Default::Share(whole, parts) => {
                let (Some(whole), Known::Count(parts_count)) = (model.get(whole), sibling(parts)?) else {
                    return None;
                };
                if parts_count == 0 || !whole.is_multiple_of(parts_count) {
                    let at = call.given(parts).map_or(call.at, |value| value.span);
                    self.found.push(ResolveError::HeadDimNotWhole { dim: whole, heads: parts_count, at });
                    return None;
                }
                Known::Count(whole / parts_count)
            }
            Default::Count(n) => Known::Count(n),
            Default::CountUnless(n, others) => {
                if others.iter().any(|other| call.given(other).is_some()) {
                    return Some(None);
                }
                Known::Count(n)
            }
            Default::Real(x) => {
                let preset = call.preset.iter().find(|(known, _)| *known == field.name);
                Known::Real(preset.map_or(x, |&(_, x)| x))
            }
            Default::Pair(pair) => Known::List(pair.map(Known::Real).into()),
            Default::Steps(share) => Known::Real(share),
            Default::Flag(flag) => Known::Flag(flag),
            Default::Text(text) => Known::Text(text.into()),
            Default::Word(word) => Known::Word(word),
            Default::Preset(..) => return None,
        }))
    }

    /// Reports what is wrong with the block of `call`, as far as its fields have values. Whether
    /// all of them have, and nothing is wrong.
    pub fn accept(&mut self, call: &Call, prefix: &str, violations: Vec<Violation>, gaps: &Gaps) -> bool {
        let right = violations.is_empty() && gaps.is_empty();
        for violation in violations {
            if !violation.reads().iter().any(|path| gaps.holds(path)) {
                self.violation(violation, prefix, call);
            }
        }
        right
    }
}

/// Gives every field that holds one number for all a number for each.
fn spread(block: &mut Block) {
    for (at, field) in block.table.fields.iter().enumerate() {
        let (Kind::Counts(_, per), Some(Some(Known::Count(n)))) = (field.kind, block.values.get(at)) else {
            continue;
        };
        let each = block.table.fields.iter().zip(&block.values).find(|(field, _)| field.name == per);
        if let Some((Field { kind: Kind::Count(bounds), .. }, Some(Known::Count(count)))) = each {
            // A count out of its bounds is for `verify` to report; its list must not be made.
            let list = vec![Known::Count(*n); (*count).min(bounds.max as usize)];
            block.values[at] = Some(Known::List(list));
        }
    }
}
