//! Where a name is given, where it stands, and how it is changed everywhere.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use gen_lsp_types::{Location, Range, TextEdit, WorkspaceEdit};

use super::names::{self, Named};
use super::{View, edits_of};
use crate::snapshot::{Document, Snapshot};
use crate::specs::{Search, is_written};

/// Where what stands at a byte is given: the name, or the file that is meant.
pub(crate) fn definition(view: &View, at: usize) -> Option<Location> {
    let named = names::at(view.texts, view.document, at)?.named;
    let path = match &named {
        Named::Let(_) => return declared(view.texts, view.document, &named),
        Named::Model(path, _) | Named::File(path) => path,
    };
    let document = view.texts.at(path)?;
    // A model that is all of its file has no name there.
    declared(view.texts, &document, &named).or_else(|| Some(document.location(0..0)))
}

fn declared(texts: &Snapshot, document: &Document, named: &Named) -> Option<Location> {
    let all = names::all(texts, document);
    let one = all.into_iter().find(|one| one.declared && one.named == *named)?;
    Some(document.location(one.name))
}

/// Every place where what stands at a byte is named.
pub(crate) fn references(view: &View, at: usize, with_declaration: bool) -> Vec<Location> {
    let Some(found) = names::at(view.texts, view.document, at) else { return Vec::new() };
    let mut places = Vec::new();
    for document in files(view, &found.named) {
        let all = names::all(view.texts, &document).into_iter();
        let same = all.filter(|one| one.named == found.named && (with_declaration || !one.declared));
        places.extend(same.map(|one| document.location(one.name)));
    }
    places
}

/// The places of a name in the document itself.
pub(crate) fn highlights(view: &View, at: usize) -> Vec<Range> {
    let Some(found) = names::at(view.texts, view.document, at) else { return Vec::new() };
    let all = names::all(view.texts, view.document).into_iter().filter(|one| one.named == found.named);
    all.map(|one| view.document.text.span(one.name)).collect()
}

/// The name at a byte, if it can be changed.
pub(crate) fn renamed(view: &View, at: usize) -> Option<Range> {
    let found = names::at(view.texts, view.document, at)?;
    let is_named = !found.name.is_empty() && is_declared(view, &found.named);
    is_named.then(|| view.document.text.span(found.name))
}

/// Whether a name is given somewhere: that of a block that is all of its file is the file's.
fn is_declared(view: &View, named: &Named) -> bool {
    match named {
        Named::Let(_) => declared(view.texts, view.document, named).is_some(),
        Named::Model(path, _) => {
            view.texts.at(path).is_some_and(|document| declared(view.texts, &document, named).is_some())
        }
        Named::File(_) => false,
    }
}

/// The edits that give what stands at a byte another name everywhere; or why there are none.
pub(crate) fn rename(view: &View, at: usize, new: &str) -> Result<WorkspaceEdit, String> {
    let found = names::at(view.texts, view.document, at);
    let found = found.filter(|found| !found.name.is_empty() && is_declared(view, &found.named));
    let found =
        found.ok_or("there is no name here that could be changed: those of models and of `let` can")?;
    if !names::is_name(new) {
        return Err(format!("`{new}` is no name: names are made of the letters a to z, digits and `_`"));
    }
    let home = match &found.named {
        Named::Let(_) if coec_ir::table::is_word(new) => {
            return Err(format!("`{new}` is a word of the language"));
        }
        Named::Let(_) => names::all(view.texts, view.document),
        Named::Model(path, _) | Named::File(path) => {
            view.texts.at(path).map(|document| names::all(view.texts, &document)).unwrap_or_default()
        }
    };
    let is_taken = home.iter().any(|one| match (&one.named, &found.named) {
        (Named::Let(name), Named::Let(_)) => name == new,
        (Named::Model(path, name), Named::Model(home, _)) => path == home && name == new,
        _ => false,
    });
    if is_taken {
        return Err(format!("there is a `{new}` already"));
    }
    let mut changes = HashMap::new();
    for document in files(view, &found.named) {
        let all = names::all(view.texts, &document).into_iter();
        let same = all.filter(|one| one.named == found.named && !one.name.is_empty());
        let edits: Vec<_> = same.map(|one| TextEdit::new(document.text.span(one.name), new.into())).collect();
        if !edits.is_empty() {
            changes.insert(document.uri.clone(), edits);
        }
    }
    Ok(edits_of(view.texts, changes))
}

/// The documents in which something may be named: its own, what is open, and the specs of the folders that the client
/// works in and beside those.
pub(crate) fn files(view: &View, named: &Named) -> Vec<Arc<Document>> {
    let texts = view.texts;
    let home = match named {
        Named::Let(_) => return texts.open.get(&view.document.uri).cloned().into_iter().collect(),
        Named::Model(path, _) | Named::File(path) => path,
    };
    let mut paths: Vec<PathBuf> = texts.open.all().map(|open| open.path.clone()).collect();
    paths.push(home.clone());
    let mut search = Search::new(is_written);
    for folder in texts.folders.iter() {
        search.below(folder, DEEPEST);
    }
    // A file that is no part of the work may lie anywhere, a home with all that is in it included.
    for folder in paths.iter().filter_map(|path| path.parent()) {
        if texts.folders.iter().all(|known| !folder.starts_with(known)) {
            search.below(folder, 1);
        }
    }
    paths.extend(search.found);
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(texts.disk.canonical(path)));
    let mut found: Vec<_> = paths.iter().filter_map(|path| texts.at(path)).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// How far below the folders that the client works in specs are looked for.
const DEEPEST: usize = 8;
