//! A source of a spec's data: which files it is, and their documents one after the other.
//!
//! A source is read twice and never held: first to know what there is ([`Source::survey`]), so that what
//! is broken is said before anything is begun, then for its tokens ([`Source::read`]).

use std::path::{Path, PathBuf};

use coec_ir::{Data, OnError};

use super::reader::{BadRecord, Document, Fields, Form, Lines, NoObject, Pieces, utf8};
use super::split::{Hold, content_hash};
use super::{BUILTINS, DataError, arithmetic, files};
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
    /// Each line a record. `None` until the first record said which form they have.
    Records(Vec<PathBuf>, Option<Form>),
}

/// What there is in a source.
#[derive(Debug, Clone, PartialEq)]
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
                (name, Kind::Records(files, Form::of(template.as_deref(), None)?))
            }
        };
        Ok(Self { name, kind, on_error })
    }

    /// Reads everything once. What is found out about the form of records stays with the source.
    pub fn survey(&mut self) -> Result<Survey, DataError> {
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
                        made.add(piece.as_bytes());
                    }
                    made.mark(size as usize);
                    sizes.push(size);
                    documents += u64::from(size > 0);
                    bytes += size;
                }
            }
            Kind::Records(files, form) => {
                let is_known = form.is_some();
                let mut problems = Problems::new(self.on_error);
                each_record(files, form, &mut problems, &mut |document| {
                    (documents, bytes) = (documents + 1, bytes + document.text.len() as u64);
                    hold.see(content_hash(document.text.as_bytes()));
                    made.mark(document.text.len());
                    made.add(document.text.as_bytes());
                    Ok(())
                })?;
                skipped = problems.finish()?;
                form_words = form.as_ref().filter(|_| !is_known).map(Form::words);
            }
        }
        if bytes == 0 {
            return Err(DataError::Empty { pattern: self.name.clone() });
        }
        let fingerprint = made.finish();
        Ok(Survey { documents, bytes, fingerprint, skipped, form: form_words, hold, sizes })
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
            Kind::Records(_, form) => form.as_ref().and_then(Form::template),
            _ => None,
        }
    }

    /// What makes tokens of the same content other tokens, besides the tokenizer.
    pub(crate) fn reading(&self) -> String {
        match &self.kind {
            Kind::Arithmetic => "arithmetic".into(),
            Kind::Text(_) => "text".into(),
            Kind::Records(_, form) => {
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
        take: &mut dyn FnMut(Piece<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut document = |document: Document| {
            let is_held_out = !whole && survey.hold.holds(content_hash(document.text.as_bytes()));
            take(Piece { text: &document.text, learnt: &document.learnt, is_held_out, ends: true })
        };
        match &self.kind {
            Kind::Arithmetic => {
                arithmetic::documents().into_iter().try_for_each(|text| document(Document::whole(text)))
            }
            Kind::Records(files, form) => {
                let mut form = form.clone();
                let mut problems = Problems::new(self.on_error);
                each_record(files, &mut form, &mut problems, &mut document)?;
                problems.finish().map(|_| ())
            }
            Kind::Text(files) => {
                for (path, &size) in files.iter().zip(&survey.sizes) {
                    // The last tenth of a text is held out, from a character on.
                    let border = if whole { size } else { size - size / 10 };
                    read_text(path, size, border, take)?;
                }
                Ok(())
            }
        }
    }
}

/// A file of `size` bytes in pieces, on both sides of the byte `border`.
fn read_text(
    path: &Path,
    size: u64,
    border: u64,
    take: &mut dyn FnMut(Piece<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
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
                take(Piece { text, learnt: std::slice::from_ref(&all), is_held_out, ends })?;
            }
        }
        at = end;
    }
    Ok(())
}

/// What is wrong with records, as it is found.
struct Problems {
    on_error: OnError,
    named: Vec<DataError>,
    count: u64,
}

impl Problems {
    fn new(on_error: OnError) -> Self {
        Self { on_error, named: Vec::new(), count: 0 }
    }

    fn push(&mut self, problem: DataError) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(problem);
        }
    }

    /// How many records were left out, or all of what is wrong.
    fn finish(mut self) -> Result<u64, DataError> {
        match (self.on_error, self.count) {
            (OnError::Skip, count) => Ok(count),
            (OnError::Stop, 0) => Ok(0),
            (OnError::Stop, 1) => Err(self.named.swap_remove(0)),
            (OnError::Stop, count) => Err(DataError::Records { problems: self.named, count }),
        }
    }
}

/// Hands over the document of every record that holds text; blank lines are none.
fn each_record(
    files: &[PathBuf],
    form: &mut Option<Form>,
    problems: &mut Problems,
    take: &mut dyn FnMut(Document) -> Result<(), DataError>,
) -> Result<(), DataError> {
    for path in files {
        let mut lines = Lines::open(path)?;
        while let Some((line, bytes)) = lines.next(path)? {
            match record(bytes, form, path, line) {
                Ok(Some(document)) => take(document)?,
                Ok(None) => {}
                // A form that cannot be found is no matter of one line.
                Err(error @ DataError::NoForm { .. }) => return Err(error),
                Err(problem) => problems.push(problem),
            }
        }
    }
    Ok(())
}

fn record(
    bytes: &[u8],
    form: &mut Option<Form>,
    path: &Path,
    line: usize,
) -> Result<Option<Document>, DataError> {
    let text = utf8(bytes, path, line)?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    let path_of = || path.to_owned();
    let fields = Fields::of(text).map_err(|problem| match problem {
        NoObject::Other(found) => DataError::NotAnObject { path: path_of(), line, found },
        NoObject::Broken { at, reason } => {
            let column = text[..text.floor_char_boundary(at + 1)].chars().count().max(1);
            DataError::BrokenJson { path: path_of(), line, column, reason }
        }
    })?;
    if form.is_none() {
        *form = Form::of(None, Some(&fields))?;
    }
    let Some(form) = form else { return Ok(None) };
    let document = form.document(&fields).map_err(|problem| match problem {
        BadRecord::UnknownField { field, present } => {
            DataError::UnknownField { path: path_of(), line, field, present }
        }
        BadRecord::NotAScalar { field, found } => {
            DataError::NotAScalar { path: path_of(), line, field, found }
        }
        BadRecord::BadText { field, reason } => DataError::BadText { path: path_of(), line, field, reason },
        BadRecord::NotAConversation { reason } => {
            DataError::NotAConversation { path: path_of(), line, reason }
        }
    })?;
    Ok((!document.text.is_empty()).then_some(document))
}
