//! Values as the language writes them, and the types of the IR that hold them.

use std::fmt;

use super::Table;
use crate::{Act, Amount, Globs, NormAt, Pairs, Precision, Recompute};

/// Anything on the right of a `=`, every field of it written out.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Count(usize),
    /// A number.
    Real(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A word without fields; `none` is one.
    Word(&'static str),
    /// A string.
    Text(String),
    /// `[a, b]`.
    List(Vec<Value>),
    /// `word(name=value, ...)`.
    Block(Block),
}

/// A block in round brackets.
#[derive(Debug, Clone)]
pub struct Block {
    /// What it is.
    pub table: &'static Table,
    /// Its fields in the order of the table; `None` for those that are empty.
    pub values: Vec<Option<Value>>,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.table.word == other.table.word && self.values == other.values
    }
}

impl Block {
    /// The fields that are not empty, with their names.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let named = self.table.fields.iter().zip(&self.values);
        named.filter_map(|(field, value)| Some((field.name, value.as_ref()?)))
    }

    /// What a field holds; `None` if it is empty, or holds something of another type.
    pub(crate) fn get<T: Held>(&self, name: &str) -> Option<T> {
        let at = self.table.fields.iter().position(|field| field.name == name)?;
        match self.values.get(at)? {
            Some(value) => T::of(value),
            None => T::empty(),
        }
    }
}

impl From<Block> for Value {
    fn from(block: Block) -> Self {
        Self::Block(block)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            // Rust's shortest text that reads back as the same number; with its point a share stays
            // a share.
            Self::Real(x) => write!(f, "{x:?}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => f.write_str(&string(text)),
            Self::List(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Block(block) => block.fmt(f),
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table.word)?;
        let mut opened = false;
        for (i, (name, value)) in self.fields().enumerate() {
            f.write_str(if opened { ", " } else { "(" })?;
            opened = true;
            match i < self.table.bare {
                true => write!(f, "{value}")?,
                false => write!(f, "{name}={value}")?,
            }
        }
        f.write_str(if opened { ")" } else { "" })
    }
}

/// A string literal of the language, escapes included.
pub fn string(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A type of the IR that a field may have.
pub(crate) trait Held: Sized {
    /// As the language writes it; `None` if there is nothing to write.
    fn value(&self) -> Option<Value>;
    /// From what the language reads; `None` of a value of another type.
    fn of(value: &Value) -> Option<Self>;
    /// What an empty field means; `None` for types that no empty field has.
    fn empty() -> Option<Self> {
        None
    }
}

macro_rules! held {
    ($($type:ty: $variant:ident as $as:ty),* $(,)?) => {
        $(impl Held for $type {
            fn value(&self) -> Option<Value> {
                Some(Value::$variant(self.clone() as $as))
            }
            fn of(value: &Value) -> Option<Self> {
                match value {
                    Value::$variant(value) => Some(value.clone() as $type),
                    _ => None,
                }
            }
        })*
    };
}
held!(usize: Count as usize, u64: Count as usize, f64: Real as f64, bool: Flag as bool, String: Text as String);

/// Fields may hold the words of these enums.
macro_rules! words {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::table::value::Held for $type {
            fn value(&self) -> Option<$crate::table::Value> {
                Some($crate::table::Value::Word(self.word()))
            }
            fn of(value: &$crate::table::Value) -> Option<Self> {
                let $crate::table::Value::Word(word) = value else { return None };
                Self::ALL.iter().copied().find(|one| one.word() == *word)
            }
        }
        impl $crate::table::value::Words for $type {
            fn words() -> Vec<&'static str> {
                Self::ALL.iter().map(|one| one.word()).collect()
            }
        })*
    };
}
pub(crate) use words;
words!(Act, NormAt, Pairs, Precision, Recompute);

/// An enum whose variants are words of the language.
pub(crate) trait Words {
    /// All of them.
    fn words() -> Vec<&'static str>;
}

/// An enum of which a field holds any, in the order of its variants.
pub(crate) trait Several: Words + Held + Copy + PartialEq + 'static {
    /// All of them.
    const ALL: &'static [Self];
    /// Those that `true` means.
    const MEANT: &'static [Self];
}

/// Fields may hold any of the words of this enum; `true` means those behind it.
#[allow(unused_macros)]
macro_rules! several {
    ($type:ident: $($meant:ident),*) => {
        $crate::table::value::words!($type);
        impl $crate::table::value::Several for $type {
            const ALL: &'static [Self] = Self::ALL;
            const MEANT: &'static [Self] = &[$(Self::$meant),*];
        }
    };
}
#[allow(unused_imports)]
pub(crate) use several;

impl<T: Several> Held for Vec<T> {
    fn value(&self) -> Option<Value> {
        Some(match self.as_slice() {
            [] => Value::Flag(false),
            some if some == T::MEANT => Value::Flag(true),
            some => Value::List(some.iter().filter_map(Held::value).collect()),
        })
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Flag(false) => Some(Vec::new()),
            Value::Flag(true) => Some(T::MEANT.to_vec()),
            Value::List(values) => {
                let given: Vec<T> = values.iter().map(T::of).collect::<Option<_>>()?;
                Some(T::ALL.iter().copied().filter(|one| given.contains(one)).collect())
            }
            _ => None,
        }
    }
}

impl Held for Option<usize> {
    fn value(&self) -> Option<Value> {
        self.map_or(Some(Value::Word("none")), |n| n.value())
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Word("none") => Some(None),
            value => usize::of(value).map(Some),
        }
    }
}

/// One number where all are the same.
impl Held for Vec<usize> {
    fn value(&self) -> Option<Value> {
        Some(match self.split_first() {
            Some((first, rest)) if rest.iter().all(|n| n == first) => Value::Count(*first),
            _ => Value::List(self.iter().copied().map(Value::Count).collect()),
        })
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(usize::of).collect(),
            value => Some(vec![usize::of(value)?]),
        }
    }
}

impl Held for [f64; 2] {
    fn value(&self) -> Option<Value> {
        Some(Value::List(self.iter().copied().map(Value::Real).collect()))
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => match values.as_slice() {
                [Value::Real(a), Value::Real(b)] => Some([*a, *b]),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Nothing where there are none.
impl Held for Vec<f64> {
    fn value(&self) -> Option<Value> {
        (!self.is_empty()).then(|| Value::List(self.iter().copied().map(Value::Real).collect()))
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(f64::of).collect(),
            _ => None,
        }
    }

    fn empty() -> Option<Self> {
        Some(Vec::new())
    }
}

impl Held for Option<String> {
    fn value(&self) -> Option<Value> {
        self.clone().map(Value::Text)
    }

    fn of(value: &Value) -> Option<Self> {
        String::of(value).map(Some)
    }

    fn empty() -> Option<Self> {
        Some(None)
    }
}

/// Nothing where it is not given.
macro_rules! given {
    ($($type:ty),*) => {
        $(impl Held for Option<$type> {
            fn value(&self) -> Option<Value> {
                self.and_then(|value| value.value())
            }
            fn of(value: &Value) -> Option<Self> {
                <$type>::of(value).map(Some)
            }
            fn empty() -> Option<Self> {
                Some(None)
            }
        })*
    };
}
given!(u64, f64);

impl Held for Globs {
    fn value(&self) -> Option<Value> {
        Some(match self.0.as_slice() {
            [one] => Value::Text(one.clone()),
            several => Value::List(several.iter().cloned().map(Value::Text).collect()),
        })
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::List(values) => values.iter().map(String::of).collect::<Option<_>>().map(Self),
            value => Some(Self(vec![String::of(value)?])),
        }
    }
}

impl Held for Amount {
    fn value(&self) -> Option<Value> {
        Some(match *self {
            Self::Steps(steps) => Value::Count(steps),
            Self::Share(share) => Value::Real(share),
        })
    }

    fn of(value: &Value) -> Option<Self> {
        match *value {
            Value::Count(steps) => Some(Self::Steps(steps)),
            Value::Real(share) => Some(Self::Share(share)),
            _ => None,
        }
    }
}
