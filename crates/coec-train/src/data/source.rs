//! A source of a spec's data: which files it is, and their documents one after the other.
//!
//! A source is read twice and never held: first to know what there is ([`Source::survey`]), so that what
//! is broken is said before anything is begun, then for its tokens ([`Source::read`]).

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use coec_ir::{Data, OnError};
use serde::{Deserialize, Serialize};

use super::progress::Counter;
use super::reader::{BadRecord, Document, Fields, Form, Lines, NoObject, Pieces, Rows, utf8};
use super::split::{Hold, content_hash};
use super::{BUILTINS, DataError, arithmetic, cache, files};
use crate::fingerprint::{Fingerprint, Fingerprinter};

/// The files of a source, and how they are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// As the spec names it, for messages.
    name: String,
    kind: Kind,
    on_error: OnError,
}

#[derive(Debug, Clone)]
enum Kind {
    /// The built-in problems.
    Arithmetic,
    /// Each file a document.
    Text(Vec<PathBuf>),
    /// Each line or row a record. `None` until the first record said which form they have.
    Records(Vec<PathBuf>, Format, Option<Form>),
}

/// What holds records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Lines,
    Parquet,
}

/// What there is in a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Documents.
    pub documents: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// Of all documents, in their order.
    pub fingerprint: Fingerprint,
    /// Records that were left out, broken.
    pub skipped: u64,
    /// How records become documents, in words; `None` where nothing was to be found out.
    pub form: Option<String>,
    /// The beginnings of the first held-out documents.
    pub openings: Vec<String>,
    hold: Hold,
    /// Bytes of each file of plain text.
    sizes: Vec<u64>,
}

/// A part of a document, on one side of what is held out.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub text: &'a str,
    /// Which of its bytes are learnt where only completions are.
    pub learnt: &'a [std::ops::Range<usize>],
    pub is_held_out: bool,
    /// Whether the document ends with it.
    pub ends: bool,
}

/// Says that the same bytes give another survey than before, when they do.
const VERSION: usize = 1;

/// Held-out documents whose beginnings are kept.
pub(super) const OPENINGS: usize = 3;

/// Whether whoever is given text wants more.
pub(crate) type Taken = Result<ControlFlow<()>, DataError>;

/// Broken records that a report names.
const MOST_NAMED: usize = 100;

impl Source {
    /// The source `data`, its paths relative to `base`.
    pub fn open(data: &Data, base: &Path, on_error: OnError) -> Result<Self, DataError> {
        let found = |globs: &coec_ir::Globs| {
            let files: Result<Vec<Vec<PathBuf>>, DataError> =
                globs.0.iter().map(|glob| files::resolve(glob, base)).collect();
            files.map(|files| (globs.0.join(", "), files.concat()))
        };
        let (name, kind) = match data {
            Data::Builtin { name } if name == "arithmetic" => (name.clone(), Kind::Arithmetic),
            Data::Builtin { name } => {
                return Err(DataError::UnknownBuiltin { name: name.clone(), known: BUILTINS });
            }
            Data::Text { glob } => {
                let (name, files) = found(glob)?;
                (name, Kind::Text(files))
            }
            Data::Jsonl { glob, template } => {
                let (name, files) = found(glob)?;
                (name, Kind::Records(files, Format::Lines, Form::of(template.as_deref(), None)?))
            }
            Data::Parquet { glob, template } => {
                let (name, files) = found(glob)?;
                (name, Kind::Records(files, Format::Parquet, Form::of(template.as_deref(), None)?))
            }
        };
        Ok(Self { name, kind, on_error })
    }

    /// What there is, found out by reading everything once, or found in the cache where the same bytes were
    /// read before. The form of records stays with the source. `tell` hears of the bytes of text so far.
    pub fn survey(&mut self, tell: &mut dyn FnMut(u64)) -> Result<Survey, DataError> {
        let mut counter = Counter::new(tell);
        let Some(key) = self.survey_key()? else { return self.read_through(&mut counter) };
        if let Some(survey) = cache::survey(&key) {
            if let Kind::Records(files, format, form @ None) = &mut self.kind {
                *form = first_form(files, *format)?;
            }
            return Ok(survey);
        }
        let survey = self.read_through(&mut counter)?;
        cache::keep_survey(&key, &survey);
        Ok(survey)
    }

    /// What tells this source from all others: the bytes of its files, and how they are read; `None` if it
    /// has no files.
    fn survey_key(&self) -> Result<Option<String>, DataError> {
        let files = match &self.kind {
            Kind::Arithmetic => return Ok(None),
            Kind::Text(files) | Kind::Records(files, ..) => files,
        };
        let mut made = Fingerprinter::default();
        made.mark(VERSION);
        made.add(self.reading().as_bytes());
        for path in files {
            let before = made.bytes();
            add_file(&mut made, path)
                .map_err(|source| DataError::Unreadable { path: path.clone(), source })?;
            made.mark((made.bytes() - before) as usize);
        }
        Ok(Some(made.finish().xxh3))
    }

    fn read_through(&mut self, counter: &mut Counter<'_>) -> Result<Survey, DataError> {
        let mut made = Fingerprinter::default();
        let mut hold = Hold::default();
        let (mut documents, mut bytes, mut sizes, mut skipped) = (0, 0, Vec::new(), 0);
        let mut form_words = None;
        match &mut self.kind {
            Kind::Arithmetic => {
                for document in arithmetic::documents() {
                    (documents, bytes) = (documents + 1, bytes + document.len() as u64);
                    hold.see(content_hash(document.as_bytes()));
                    made.mark(document.len());
                    made.add(document.as_bytes());
                }
            }
            Kind::Text(files) => {
                for path in files.iter() {
                    let mut pieces = Pieces::open(path)?;
                    let mut size = 0;
                    while let Some(piece) = pieces.next(path)? {
                        size += piece.len() as u64;
                        counter.add(piece.len());
                        made.add(piece.as_bytes());
                    }
                    made.mark(size as usize);
                    sizes.push(size);
                    documents += u64::from(size > 0);
                    bytes += size;
                }
            }
            Kind::Records(files, format, form) => {
                let is_known = form.is_some();
                if !is_known {
                    *form = first_form(files, *format)?;
                }
                let mut problems = Problems::new(self.on_error);
                each_record(files, *format, form.as_ref(), &mut problems, &mut |document| {
                    (documents, bytes) = (documents + 1, bytes + document.text.len() as u64);
                    counter.add(document.text.len());
                    hold.see(content_hash(document.text.as_bytes()));
                    made.mark(document.text.len());
                    made.add(document.text.as_bytes());
                    Ok(ControlFlow::Continue(()))
                })?;
                skipped = problems.finish()?;
                form_words = form.as_ref().filter(|_| !is_known).map(Form::words);
            }
        }
        if bytes == 0 {
            return Err(DataError::Empty { pattern: self.name.clone() });
        }
        let (fingerprint, openings) = (made.finish(), Vec::new());
        let survey =
            Survey { documents, bytes, fingerprint, skipped, form: form_words, openings, hold, sizes };
        Ok(Survey { openings: self.openings(&survey)?, ..survey })
    }

    /// As the spec names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is read from files, whose tokens are worth keeping.
    pub(crate) fn is_read_from_files(&self) -> bool {
        !matches!(self.kind, Kind::Arithmetic)
    }

    /// The template of records, where a spec can say it.
    pub fn template(&self) -> Option<String> {
        match &self.kind {
            Kind::Records(_, _, form) => form.as_ref().and_then(Form::template),
            _ => None,
        }
    }

    /// What makes tokens of the same content other tokens, besides the tokenizer.
    pub(crate) fn reading(&self) -> String {
        match &self.kind {
            Kind::Arithmetic => "arithmetic".into(),
            Kind::Text(_) => "text".into(),
            Kind::Records(_, _, form) => {
                format!(
                    "records {} {}",
                    self.on_error.word(),
                    form.as_ref().map_or(String::new(), Form::words)
                )
            }
        }
    }

    /// Hands over every document, in pieces where it is long. With `whole`, nothing is held out.
    pub(crate) fn read(
        &self,
        survey: &Survey,
        whole: bool,
        take: &mut dyn FnMut(Piece<'_>) -> Taken,
    ) -> Result<(), DataError> {
        let mut document = |document: Document| {
            let is_held_out = !whole && survey.hold.holds(content_hash(document.text.as_bytes()));
            take(Piece { text: &document.text, learnt: &document.learnt, is_held_out, ends: true })
        };
        match &self.kind {
            Kind::Arithmetic => {
                for text in arithmetic::documents() {
                    if document(Document::whole(text))?.is_break() {
                        break;
                    }
                }
            }
            Kind::Records(files, format, form) => {
                let mut problems = Problems::new(self.on_error);
                each_record(files, *format, form.as_ref(), &mut problems, &mut document)?;
                problems.finish()?;
            }
            Kind::Text(files) => {
                for (path, &size) in files.iter().zip(&survey.sizes) {
                    // The last tenth of a text is held out, from a character on.
                    let border = if whole { size } else { size - size / 10 };
                    if read_text(path, size, border, take)?.is_break() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The beginnings of the first held-out documents, each a prompt.
    fn openings(&self, survey: &Survey) -> Result<Vec<String>, DataError> {
        let mut openings = Vec::new();
        let mut begins = true;
        self.read(survey, false, &mut |piece| {
            if piece.is_held_out && std::mem::replace(&mut begins, piece.ends) {
                openings.push(opening(piece.text));
            }
            Ok(if openings.len() < OPENINGS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(openings)
    }
}

/// The first line of a document, or as much of it as makes a prompt.
fn opening(document: &str) -> String {
    match document.split_once('\n') {
        Some((first, _)) if first.chars().count() <= 200 => format!("{first}\n"),
        _ => document.chars().take(80).collect(),
    }
}

/// A file of `size` bytes in pieces, on both sides of the byte `border`.
fn read_text(path: &Path, size: u64, border: u64, take: &mut dyn FnMut(Piece<'_>) -> Taken) -> Taken {
    let mut pieces = Pieces::open(path)?;
    let mut at = 0;
    while let Some(piece) = pieces.next(path)? {
        let end = at + piece.len() as u64;
        let (before, behind) = match border.checked_sub(at) {
            Some(inside) if border < end => piece.split_at(piece.floor_char_boundary(inside as usize)),
            Some(_) => (piece.as_str(), ""),
            None => ("", piece.as_str()),
        };
        let parts = [(before, false, end >= border), (behind, true, end >= size)];
        for (text, is_held_out, ends) in parts {
            if !text.is_empty() {
                let all = 0..text.len();
                if take(Piece { text, learnt: std::slice::from_ref(&all), is_held_out, ends })?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        at = end;
    }
    Ok(ControlFlow::Continue(()))
}

/// What is wrong with records, as it is found.
struct Problems {
    on_error: OnError,
    named: Vec<DataError>,
    count: u64,
    /// Whether some record gave a document.
    has_good: bool,
}

impl Problems {
    fn new(on_error: OnError) -> Self {
        Self { on_error, named: Vec::new(), count: 0, has_good: false }
    }

    fn push(&mut self, problem: DataError) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(problem);
        }
    }

    /// How many records were left out, or all of what is wrong. Leaving out all there are is no way on.
    fn finish(mut self) -> Result<u64, DataError> {
        match (self.on_error, self.count) {
            (_, 0) => Ok(0),
            (OnError::Skip, count) if self.has_good => Ok(count),
            (_, 1) => Err(self.named.swap_remove(0)),
            // A template of other records: one of them says it all.
            _ if !self.has_good && self.all_lack_one_field() => Err(self.named.swap_remove(0)),
            (_, count) => Err(DataError::Records { problems: self.named, count }),
        }
    }

    fn all_lack_one_field(&self) -> bool {
        let lacked = |problem: &DataError| match problem {
            DataError::UnknownField { field, .. } => Some(field.clone()),
            _ => None,
        };
        let first = self.named.first().and_then(lacked);
        first.is_some() && self.named.iter().all(|problem| lacked(problem) == first)
    }
}

/// Hands over the document of every record that holds text; blank lines are none.
fn each_record(
    files: &[PathBuf],
    format: Format,
    form: Option<&Form>,
    problems: &mut Problems,
    take: &mut dyn FnMut(Document) -> Taken,
) -> Result<(), DataError> {
    for path in files {
        let mut records = Records::open(format, path, form)?;
        while let Some((line, bytes)) = records.next(path)? {
            match record(bytes, form, path, line) {
                Ok(document) => {
                    problems.has_good |= document.is_some();
                    if document.map_or(Ok(ControlFlow::Continue(())), &mut *take)?.is_break() {
                        return Ok(());
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    Ok(())
}

/// The form of the first record that can be read, if there is one.
fn first_form(files: &[PathBuf], format: Format) -> Result<Option<Form>, DataError> {
    for path in files {
        let mut records = Records::open(format, path, None)?;
        while let Some((line, bytes)) = records.next(path)? {
            // What cannot be read is told of when all are.
            if let Ok(Some(fields)) = fields(bytes, path, line) {
                return Form::of(None, Some(&fields));
            }
        }
    }
    Ok(None)
}

/// The records of a file, numbered from 1, as JSON.
enum Records {
    Lines(Lines),
    Rows(Box<Rows>),
}

impl Records {
    fn open(format: Format, path: &Path, form: Option<&Form>) -> Result<Self, DataError> {
        Ok(match format {
            Format::Lines => Self::Lines(Lines::open(path)?),
            Format::Parquet => Self::Rows(Box::new(Rows::open(path, form.map(Form::fields).as_deref())?)),
        })
    }

    fn next(&mut self, path: &Path) -> Result<Option<(usize, &[u8])>, DataError> {
        match self {
            Self::Lines(lines) => lines.next(path),
            Self::Rows(rows) => rows.next(path),
        }
    }
}

/// The fields of a record; `None` of a blank line.
fn fields<'a>(bytes: &'a [u8], path: &Path, line: usize) -> Result<Option<Fields<'a>>, DataError> {
    let text = utf8(bytes, path, line)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let path = || path.to_owned();
    let fields = Fields::of(text).map_err(|problem| match problem {
        NoObject::Other(found) => DataError::NotAnObject { path: path(), line, found },
        NoObject::Broken { at, reason } => {
            let column = text[..text.floor_char_boundary(at + 1)].chars().count().max(1);
            DataError::BrokenJson { path: path(), line, column, reason }
        }
    })?;
    Ok(Some(fields))
}

/// The document of a record, if it holds text.
fn record(
    bytes: &[u8],
    form: Option<&Form>,
    path: &Path,
    line: usize,
) -> Result<Option<Document>, DataError> {
    let (Some(fields), Some(form)) = (fields(bytes, path, line)?, form) else { return Ok(None) };
    let path = || path.to_owned();
    let document = form.document(&fields).map_err(|problem| match problem {
        BadRecord::UnknownField { field, present } => {
            DataError::UnknownField { path: path(), line, field, present }
        }
        BadRecord::NotAScalar { field, found } => DataError::NotAScalar { path: path(), line, field, found },
        BadRecord::BadText { field, reason } => DataError::BadText { path: path(), line, field, reason },
        BadRecord::NotAConversation { reason } => DataError::NotAConversation { path: path(), line, reason },
    })?;
    Ok((!document.text.is_empty()).then_some(document))
}

/// Adds the bytes of a file as they are on the disk.
fn add_file(made: &mut Fingerprinter, path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => made.add(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
