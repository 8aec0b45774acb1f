//! Parquet files row by row, each row a record.

use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;
use serde_json::{Map, Value};

use crate::data::DataError;

/// How every Parquet file begins.
pub(super) const PARQUET: &[u8] = b"PAR1";

/// Whether a file begins as Parquet files do.
pub(crate) fn is_parquet(path: &Path) -> io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(PARQUET.len() as u64).read_to_end(&mut start)?;
    Ok(start == PARQUET)
}

/// A Parquet file row by row, numbered from 1. Pages are read as they come, the file never as a whole.
pub(crate) struct Rows {
    rows: RowIter<'static>,
    record: Vec<u8>,
    number: usize,
}

impl Rows {
    /// The rows of a file, of the columns that are asked for if it has them all, and else of all columns.
    pub fn open(path: &Path, columns: Option<&[&str]>) -> Result<Self, DataError> {
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        if !is_parquet(path).map_err(unreadable)? {
            return Err(unreadable(invalid("it is no Parquet file")));
        }
        let file = File::open(path).map_err(unreadable)?;
        let rows = guard(|| {
            let reader = SerializedFileReader::new(file)?;
            let schema = reader.metadata().file_metadata().schema().clone();
            RowIter::from_file_into(Box::new(reader))
                .project(columns.and_then(|columns| only(&schema, columns)))
        });
        Ok(Self { rows: rows.map_err(unreadable)?, record: Vec::new(), number: 0 })
    }

    /// The next row as a JSON object, with its number.
    pub fn next(&mut self, path: &Path) -> Result<Option<(usize, &[u8])>, DataError> {
        let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
        let Some(row) = guard(|| self.rows.next().transpose()).map_err(unreadable)? else { return Ok(None) };
        self.number += 1;
        self.record.clear();
        serde_json::to_writer(&mut self.record, &object(&row)).map_err(|error| unreadable(error.into()))?;
        Ok(Some((self.number, &self.record)))
    }
}

/// The schema of `columns` alone, if `schema` has them all.
fn only(schema: &Type, columns: &[&str]) -> Option<Type> {
    let fields: Vec<_> = schema.get_fields().iter().filter(|field| columns.contains(&field.name())).collect();
    let has = |column: &&str| fields.iter().any(|field| field.name() == *column);
    if !columns.iter().all(has) {
        return None;
    }
    Type::group_type_builder(schema.name()).with_fields(fields.into_iter().cloned().collect()).build().ok()
}

fn object(row: &Row) -> Map<String, Value> {
    row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()
}

/// A value in JSON: bytes are text where they are, numbers of 32 bits have the digits they were written
/// with.
fn value(field: &Field) -> Value {
    match field {
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => text.into(),
            Err(_) => bytes.data().into(),
        },
        Field::Float(number) => number.to_string().parse::<f64>().map_or(Value::Null, Value::from),
        Field::Group(row) => object(row).into(),
        other => other.to_json_value(),
    }
}

fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// Runs `work` of the library, which may panic of a damaged file.
fn guard<T>(work: impl FnOnce() -> parquet::errors::Result<T>) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| invalid(error.to_string())),
        Err(_) => Err(invalid("the parquet library gave up on it")),
    }
}
