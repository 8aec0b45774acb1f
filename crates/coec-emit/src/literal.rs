//! The IR's structs as Rust literals, by the names that serde knows them by.

use std::fmt::Display;

use serde::ser::{self, Impossible, Serialize, SerializeSeq, SerializeTuple};

use crate::print::Expr;

/// A value as a Rust literal, with the names of the IR that it is written with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Literal {
    /// The literal.
    pub value: Expr,
    /// Structs and enums in it.
    pub imports: Vec<&'static str>,
}

/// `value` as a literal; `None` of what the IR has not: maps, bytes, options of units.
pub(crate) fn literal(value: &impl Serialize) -> Option<Literal> {
    let mut imports = Vec::new();
    let value = value.serialize(Writer { imports: &mut imports }).ok()?;
    Some(Literal { value, imports })
}

/// `seq_aux` to `SeqAux`; `k4_2` to `K4_2`, for numbers would run together.
pub(crate) fn camel(word: &str) -> String {
    let mut out = String::new();
    for part in word.split('_') {
        let mut chars = part.chars();
        let first = chars.next();
        if out.ends_with(|c: char| c.is_ascii_digit()) && first.is_some_and(|c| c.is_ascii_digit()) {
            out.push('_');
        }
        out.extend(first.into_iter().flat_map(char::to_uppercase).chain(chars));
    }
    out
}

/// Writes one value.
struct Writer<'a> {
    imports: &'a mut Vec<&'static str>,
}

/// Writes a value of several: `name` is that of a struct or variant.
struct Parts<'a> {
    imports: &'a mut Vec<&'static str>,
    name: String,
    fields: Vec<(&'static str, Expr)>,
    items: Vec<Expr>,
}

impl<'a> Writer<'a> {
    fn parts(self, name: String) -> Parts<'a> {
        Parts { imports: self.imports, name, fields: Vec::new(), items: Vec::new() }
    }

    /// `Balance::SeqAux`, whose variants are known by the words of the language.
    fn variant(&mut self, of: &'static str, word: &str) -> String {
        self.imports.push(of);
        format!("{of}::{}", camel(word))
    }
}

impl Parts<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.items.push(value.serialize(Writer { imports: self.imports })?);
        Ok(())
    }
}

/// A value that the IR has not.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unsupported(String);

impl ser::Error for Unsupported {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

fn unsupported<T>(what: &str) -> Result<T, Unsupported> {
    Err(Unsupported(format!("no literal of {what}")))
}

macro_rules! plain {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<Expr, Unsupported> {
            Ok(Expr::plain(value))
        })*
    };
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = Expr;
    type Error = Unsupported;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;
    type SerializeTupleStruct = Impossible<Expr, Unsupported>;
    type SerializeTupleVariant = Impossible<Expr, Unsupported>;
    type SerializeMap = Impossible<Expr, Unsupported>;

    plain!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    );

    fn serialize_f32(self, value: f32) -> Result<Expr, Unsupported> {
        Ok(Expr::float(f64::from(value)))
    }

    fn serialize_f64(self, value: f64) -> Result<Expr, Unsupported> {
        Ok(Expr::float(value))
    }

    fn serialize_char(self, _: char) -> Result<Expr, Unsupported> {
        unsupported("a character")
    }

    fn serialize_str(self, text: &str) -> Result<Expr, Unsupported> {
        Ok(Expr::string(text))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Expr, Unsupported> {
        unsupported("bytes")
    }

    fn serialize_none(self) -> Result<Expr, Unsupported> {
        Ok(Expr::plain("None"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Expr, Unsupported> {
        Ok(Expr::Call("Some".into(), vec![value.serialize(self)?]))
    }

    fn serialize_unit(self) -> Result<Expr, Unsupported> {
        unsupported("a unit")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Expr, Unsupported> {
        unsupported(name)
    }

    fn serialize_unit_variant(
        mut self,
        of: &'static str,
        _: u32,
        word: &'static str,
    ) -> Result<Expr, Unsupported> {
        Ok(Expr::Plain(self.variant(of, word)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: &T,
    ) -> Result<Expr, Unsupported> {
        unsupported(name)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        of: &'static str,
        _: u32,
        word: &'static str,
        value: &T,
    ) -> Result<Expr, Unsupported> {
        let name = self.variant(of, word);
        Ok(Expr::Call(name, vec![value.serialize(self)?]))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Unsupported> {
        Ok(self.parts(String::new()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Unsupported> {
        Ok(self.parts(String::new()))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Unsupported> {
        unsupported(name)
    }

    fn serialize_tuple_variant(
        self,
        of: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unsupported> {
        unsupported(of)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unsupported> {
        unsupported("a map")
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, Unsupported> {
        self.imports.push(name);
        Ok(self.parts(name.into()))
    }

    fn serialize_struct_variant(
        mut self,
        of: &'static str,
        _: u32,
        word: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, Unsupported> {
        let name = self.variant(of, word);
        Ok(self.parts(name))
    }
}

/// A list, which says a value once where all are the same.
impl SerializeSeq for Parts<'_> {
    type Ok = Expr;
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.item(value)
    }

    fn end(self) -> Result<Expr, Unsupported> {
        let is_same = self.items.windows(2).all(|pair| pair[0] == pair[1]);
        Ok(match self.items.as_slice() {
            [first, _, ..] if is_same => Expr::plain(format!("vec![{}; {}]", first.line(), self.items.len())),
            _ => Expr::List(self.items),
        })
    }
}

/// An array.
impl SerializeTuple for Parts<'_> {
    type Ok = Expr;
    type Error = Unsupported;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unsupported> {
        self.item(value)
    }

    fn end(self) -> Result<Expr, Unsupported> {
        Ok(Expr::Array(self.items))
    }
}

/// A struct and a variant with fields are written alike.
macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = Expr;
            type Error = Unsupported;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Unsupported> {
                let value = value.serialize(Writer { imports: self.imports })?;
                self.fields.push((name, value));
                Ok(())
            }

            fn end(self) -> Result<Expr, Unsupported> {
                Ok(Expr::Struct(self.name, self.fields))
            }
        })*
    };
}
fields!(SerializeStruct, SerializeStructVariant);
