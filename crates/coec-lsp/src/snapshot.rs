//! The texts as they are at one moment: those that are open, and behind them the disk.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use coec_lang::outline::Outline;
use coec_lang::{Label, Loader, Remark, SETTINGS, Translated};
use gen_lsp_types::{Location, Uri};

use crate::text::{Encoding, Text};

/// Where files come from that are not open.
pub(crate) type Disk = Arc<dyn Loader + Send + Sync>;

/// A text that is open, or was read from the disk.
#[derive(Debug)]
pub(crate) struct Document {
    /// As the client names it.
    pub uri: Uri,
    /// As messages name it.
    pub path: PathBuf,
    /// The one form of its path, as it was when it was opened.
    pub one: PathBuf,
    /// As the client counts; 0 of what is not open.
    pub version: i32,
    pub text: Text,
    outline: OnceLock<Outline>,
}

impl Document {
    pub fn new(uri: Uri, path: PathBuf, one: PathBuf, version: i32, text: Text) -> Self {
        Self { uri, path, one, version, text, outline: OnceLock::new() }
    }

    /// What stands where in it.
    pub fn outline(&self) -> &Outline {
        self.outline.get_or_init(|| Outline::of(self.text.as_str()))
    }

    /// A piece of its text.
    pub fn slice(&self, range: Range<usize>) -> &str {
        &self.text.as_str()[range]
    }

    /// Where a piece of its text is.
    pub fn location(&self, range: Range<usize>) -> Location {
        Location::new(self.uri.clone(), self.text.span(range))
    }

    /// The bytes that a label covers.
    pub fn range_of(&self, label: &Label) -> Range<usize> {
        let start = self.text.of_column(label.line, label.column);
        start..self.text.of_column(label.end_line, label.end_column).max(start)
    }
}

/// What is open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open {
    documents: HashMap<Uri, Arc<Document>>,
    /// The names of each file, the one that was opened or changed last behind the others: a file may be open under several.
    names: HashMap<PathBuf, Vec<Uri>>,
}

impl Open {
    /// Takes a document for what is open under its name.
    pub fn put(&mut self, document: Document) {
        let names = self.names.entry(document.one.clone()).or_default();
        names.retain(|uri| *uri != document.uri);
        names.push(document.uri.clone());
        self.documents.insert(document.uri.clone(), Arc::new(document));
    }

    /// What was open under a name.
    pub fn remove(&mut self, uri: &Uri) -> Option<Arc<Document>> {
        let document = self.documents.remove(uri)?;
        if let Some(names) = self.names.get_mut(&document.one) {
            names.retain(|name| name != uri);
            if names.is_empty() {
                self.names.remove(&document.one);
            }
        }
        Some(document)
    }

    pub fn get(&self, uri: &Uri) -> Option<&Arc<Document>> {
        self.documents.get(uri)
    }

    /// What is open of a file, by the one form of its path.
    pub fn at(&self, one: &Path) -> Option<&Arc<Document>> {
        self.documents.get(self.names.get(one)?.last()?)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.values()
    }
}

/// The texts at one moment.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub disk: Disk,
    pub open: Arc<Open>,
    pub encoding: Encoding,
    /// The folders that the client works in.
    pub folders: Arc<Vec<PathBuf>>,
    /// Whether edits may say of which version of a text they are.
    pub versions: bool,
    /// Whether the client takes texts with places to fill in, or plain text alone.
    pub snippets: bool,
}

impl Snapshot {
    /// A loader that reads what is open in place of what is on the disk, and notes what was read.
    pub fn loader(&self) -> Overlay<'_> {
        Overlay { texts: self, instead: None, read: RefCell::default() }
    }

    /// The same with this text in place of one.
    pub fn loader_with<'s>(&'s self, path: &'s Path, text: &'s str) -> Overlay<'s> {
        Overlay { texts: self, instead: Some((self.disk.canonical(path), text)), read: RefCell::default() }
    }

    /// The text at a path, open or not; a folder stands for the settings in it.
    pub fn at(&self, path: &Path) -> Option<Arc<Document>> {
        let settings = path.join(SETTINGS);
        let path = if path.is_dir() { settings.as_path() } else { path };
        let one = self.disk.canonical(path);
        if let Some(open) = self.open.at(&one) {
            return Some(open.clone());
        }
        let bytes = self.disk.read(path).ok()?;
        let text = Text::new(String::from_utf8(bytes).ok()?, self.encoding);
        Some(Arc::new(Document::new(uri_of(path)?, path.to_owned(), one, 0, text)))
    }
}

/// Reads what is open in place of what is on the disk.
pub(crate) struct Overlay<'s> {
    texts: &'s Snapshot,
    instead: Option<(PathBuf, &'s str)>,
    read: RefCell<HashSet<PathBuf>>,
}

impl Overlay<'_> {
    /// The one form of every path that was read, or would have been.
    pub fn read_paths(self) -> HashSet<PathBuf> {
        self.read.into_inner()
    }
}

impl Loader for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let one = self.texts.disk.canonical(path);
        self.read.borrow_mut().insert(one.clone());
        if path.is_dir() {
            self.read.borrow_mut().insert(self.texts.disk.canonical(&path.join(SETTINGS)));
        }
        if let Some((_, text)) = self.instead.as_ref().filter(|(instead, _)| *instead == one) {
            return Ok((*text).into());
        }
        match self.texts.open.at(&one) {
            Some(open) => Ok(open.text.as_str().into()),
            None => self.texts.disk.read(path),
        }
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        self.texts.disk.canonical(path)
    }

    fn translate(&self, path: &Path, text: &str) -> Option<Result<Translated, Vec<Remark>>> {
        self.texts.disk.translate(path, text)
    }
}

/// The path of a name; of one that is no file's, its text, which no file has.
pub(crate) fn path_of(uri: &Uri) -> PathBuf {
    uri.to_file_path().unwrap_or_else(|()| PathBuf::from(uri.as_str()))
}

/// The name of a path.
pub(crate) fn uri_of(path: &Path) -> Option<Uri> {
    match path.to_str().filter(|text| text.contains(':') && !path.is_absolute()) {
        Some(text) => Uri::parse(text).ok(),
        None => Uri::from_file_path(std::path::absolute(path).ok()?).ok(),
    }
}
