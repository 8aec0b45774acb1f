//! Structs of the IR that the language writes as blocks.

use super::value::Held;
use super::{Block, Table, Value};
use crate::{Check, Sublayer};

/// A struct, or an enum of structs, that the language writes as a block: one word for a struct,
/// one for each variant of an enum.
pub trait Tabled: Sized {
    /// Its words, each with its fields.
    const TABLES: &'static [Table];

    /// The block that says it, every field written out.
    fn block(&self) -> Block;

    /// What a block says; `None` if the block is none of [`TABLES`](Self::TABLES), or lacks a value.
    fn read(block: &Block) -> Option<Self>;

    /// What its fields must be to each other. The bounds of each alone are the table's.
    fn rules(&self, _: &mut Check) {}
}

/// A sublayer as pictures, comments and generated code speak of it.
pub trait Described: Sublayer {
    /// The name of such a block in generated code: `latent`.
    fn name(&self) -> &'static str;
    /// What it is, in a sentence.
    fn about(&self) -> String;
    /// What pictures call it.
    fn title(&self) -> String;
    /// What they say of it below, in parts that a line may break between.
    fn details(&self) -> Vec<String>;
}

impl<R: Tabled> Held for R {
    fn value(&self) -> Option<Value> {
        Some(Value::Block(self.block()))
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Block(block) => Self::read(block),
            _ => None,
        }
    }
}

/// The table of a struct, or the tables of an enum whose variants have named fields.
///
/// A line says a field: its name, what it holds, and what it holds when left out. The struct's
/// values are read and written by the same lines.
macro_rules! tabled {
    ($type:ident, $table:expr, { $($field:ident: $kind:expr => $default:expr),* $(,)? } $($rules:item)?) => {
        impl $crate::table::Tabled for $type {
            const TABLES: &'static [$crate::table::Table] = &[$table.fields(&[
                $($crate::table::Field::new(stringify!($field), $kind, $default)),*
            ])];

            fn block(&self) -> $crate::table::Block {
                let Self { $($field),* } = self;
                let values = vec![$($crate::table::value::Held::value($field)),*];
                $crate::table::Block { table: &Self::TABLES[0], values }
            }

            fn read(block: &$crate::table::Block) -> Option<Self> {
                Some(Self { $($field: block.get(stringify!($field))?),* })
            }

            $($rules)?
        }
    };
    ($type:ident { $($variant:ident, $table:expr, {
        $($field:ident: $kind:expr => $default:expr),* $(,)?
    });* $(;)? } $($rules:item)?) => {
        impl $crate::table::Tabled for $type {
            const TABLES: &'static [$crate::table::Table] = &[$($table.fields(&[
                $($crate::table::Field::new(stringify!($field), $kind, $default)),*
            ])),*];

            fn block(&self) -> $crate::table::Block {
                let (word, values) = match self {
                    $(Self::$variant { $($field),* } =>
                        ($table.word, vec![$($crate::table::value::Held::value($field)),*])),*
                };
                $crate::table::tabled::block::<Self>(word, values)
            }

            fn read(block: &$crate::table::Block) -> Option<Self> {
                let word = block.table.word;
                $(if word == $table.word {
                    return Some(Self::$variant { $($field: block.get(stringify!($field))?),* });
                })*
                None
            }

            $($rules)?
        }
    };
}
pub(crate) use tabled;

/// A block of one of the words of `R`.
pub(crate) fn block<R: Tabled>(word: &str, values: Vec<Option<Value>>) -> Block {
    let table = R::TABLES.iter().find(|table| table.word == word).unwrap_or(&R::TABLES[0]);
    Block { table, values }
}
