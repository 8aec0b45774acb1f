//! What a name at a place stands for.

use std::ops::Range;
use std::path::{Path, PathBuf};

use coec_lang::outline::{Item, ItemKind, Role, Token};
use coec_lang::split_name;

use crate::snapshot::{Document, Snapshot};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// A value of the file it stands in.
    Let(String),
    /// A model, by the one form of its file's path and its name.
    Model(PathBuf, String),
    /// A file with several models, none of them named.
    File(PathBuf),
}

/// A name in a document.
#[derive(Debug, Clone)]
pub(crate) struct At {
    /// What it stands for.
    pub named: Named,
    /// The bytes of the name itself; empty where only the file is named.
    pub name: Range<usize>,
    /// Whether it is given here.
    pub declared: bool,
}

/// The name at a byte.
pub(crate) fn at(texts: &Snapshot, document: &Document, at: usize) -> Option<At> {
    of(texts, document, document.outline().token_at(at)?)
}

/// Every name of a document.
pub(crate) fn all(texts: &Snapshot, document: &Document) -> Vec<At> {
    document.outline().tokens.iter().filter_map(|token| of(texts, document, token)).collect()
}

/// What a token names.
fn of(texts: &Snapshot, document: &Document, token: &Token) -> Option<At> {
    let range = token.start..token.end;
    match token.role {
        Role::Spec => of_spec(texts, document, range),
        role => own(document, role, range),
    }
}

/// A name of the document itself.
fn own(document: &Document, role: Role, name: Range<usize>) -> Option<At> {
    let text = document.slice(name.clone()).to_owned();
    match role {
        Role::Let { declared } => Some(At { named: Named::Let(text), name, declared }),
        Role::Model { declared } => {
            Some(At { named: Named::Model(document.one.clone(), text), name, declared })
        }
        _ => None,
    }
}

/// What a string names that stands for another spec.
fn of_spec(texts: &Snapshot, document: &Document, string: Range<usize>) -> Option<At> {
    let text = document.slice(string.clone());
    let inner = text.strip_prefix('"')?;
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let (path, model) = split_name(inner);
    let folder = document.path.parent().unwrap_or(Path::new(""));
    let target = texts.at(&folder.join(path))?;
    let one = target.one.clone();
    let end = string.start + 1 + inner.len();
    let (named, name) = match model {
        Some(name) => (Named::Model(one, name.to_owned()), end - name.len()..end),
        None => match models(&target).as_slice() {
            [only] => (Named::Model(one, only.clone()), end..end),
            _ => (Named::File(one), end..end),
        },
    };
    Some(At { named, name, declared: false })
}

/// The names of the models of a document; of a block that is all of a file, the file's.
pub(crate) fn models(document: &Document) -> Vec<String> {
    let items = &document.outline().items;
    let name = |item: &Item| match item.kind {
        ItemKind::Model => Some(document.slice(item.name.clone()?).to_owned()),
        ItemKind::Block if items.len() == 1 => Some(coec_lang::stem(&document.path.to_string_lossy())),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// Whether a text is a name of the language.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(is_part)
}
