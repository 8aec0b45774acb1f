//! The folder of a generated crate: written whole, and again without a loss.
//!
//! The new crate is written beside the folder and takes its place by being renamed, so that a
//! reader sees the old one or the new. What a person has added to the old one moves over to the
//! new; what they have edited is not written over unless they ask for it.
//!
//! The current folder keeps its place, or whoever stands in it would stand nowhere: there each file is
//! replaced by itself.

use std::fs;
use std::io;
use std::path::Path;

use coec_emit::{Files, LISTING, Listing};
use coec_store::atomic::{self, AtomicFolder};

use crate::failure::Failure;

/// Edited files that a message names.
const NAMED: usize = 5;

/// Writes `files` as the folder `dir`, in place of an earlier output if there is one.
///
/// Fails where `dir` holds anything else, or an earlier output with edits, which `force` gives up.
pub fn write(dir: &Path, files: &Files, force: bool) -> Result<(), Failure> {
    let earlier = earlier(dir)?;
    if let Some(listing) = &earlier
        && !force
    {
        let edited = listing.edited(files, |path| fs::read(dir.join(path)).ok());
        if !edited.is_empty() {
            return Err(edits(dir, &edited));
        }
    }
    replace(dir, files, earlier.as_ref()).map_err(|error| {
        Failure::environment(
            "coec::build::unwritable",
            format!("cannot write {}: {error}", dir.display()),
            "check the folder's permissions and the free space",
        )
    })
}

/// What the output in `dir` was when it was written; `None` where there is nothing yet.
fn earlier(dir: &Path) -> Result<Option<Listing>, Failure> {
    if let Ok(text) = fs::read_to_string(dir.join(LISTING)) {
        return Ok(Some(Listing::read(&text)));
    }
    if !dir.exists() || atomic::is_empty(dir).unwrap_or(false) {
        return Ok(None);
    }
    Err(Failure::input(
        "coec::build::not_ours",
        format!("{} exists and is not an earlier output of `coec build`", dir.display()),
        "name another folder with --out, or move this one away",
    ))
}

fn edits(dir: &Path, edited: &[String]) -> Failure {
    let more = match edited.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = edited.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    Failure::input(
        "coec::build::edited",
        format!("{} has files edited since they were written: {named}{more}", dir.display()),
        "name another folder with --out, or write over them with --force",
    )
}

fn replace(dir: &Path, files: &Files, earlier: Option<&Listing>) -> io::Result<()> {
    let Some(listing) = earlier else {
        let folder = AtomicFolder::create(dir)?;
        write_files(folder.scratch(), files)?;
        return folder.commit();
    };
    // Of a link that which it leads to is replaced.
    let dir = &fs::canonicalize(dir)?;
    if is_current(dir) {
        return renew(dir, files, listing);
    }
    take_up_additions(dir, listing)?;
    let folder = AtomicFolder::beside(dir)?;
    write_files(folder.scratch(), files)?;
    let old = folder.replace()?;
    move_additions(&old, dir, Path::new(""), listing)
        .map_err(|error| io::Error::other(format!("{error}; what it held is in {}", old.display())))?;
    fs::remove_dir_all(&old)
}

fn write_files(dir: &Path, files: &Files) -> io::Result<()> {
    for (file, text) in files {
        let path = dir.join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        atomic::write(&path, text.as_bytes())?;
    }
    Ok(())
}

/// Whether this process was started in `dir`.
fn is_current(dir: &Path) -> bool {
    std::env::current_dir().and_then(fs::canonicalize).is_ok_and(|current| current == dir)
}

/// Writes `files` over those of an earlier output, and removes what that had besides.
fn renew(dir: &Path, files: &Files, listing: &Listing) -> io::Result<()> {
    write_files(dir, files)?;
    for file in listing.files().filter(|file| !files.contains_key(*file)) {
        match fs::remove_file(dir.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Moves additions that a killed build had not moved yet: it had given the new crate its name, and
/// the old one, its additions in it, still has a scratch name.
fn take_up_additions(dir: &Path, listing: &Listing) -> io::Result<()> {
    let Some(name) = dir.file_name() else { return Ok(()) };
    for entry in fs::read_dir(atomic::folder(dir))? {
        let entry = entry?;
        let old = entry.path();
        // One that is locked, or was, is not whole.
        let is_old = old.join(LISTING).is_file() && !old.join(atomic::LOCK).exists();
        if atomic::is_scratch_of(&entry.file_name(), name) && is_old {
            move_additions(&old, dir, Path::new(""), listing)?;
            fs::remove_dir_all(&old)?;
        }
    }
    Ok(())
}

/// Moves what was not written from the folder `below` the old crate to its place in the new one.
fn move_additions(old: &Path, new: &Path, below: &Path, listing: &Listing) -> io::Result<()> {
    for entry in fs::read_dir(old.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let name = path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        if !listing.holds(&name) && !new.join(&path).exists() {
            fs::create_dir_all(new.join(below))?;
            fs::rename(old.join(&path), new.join(&path))?;
        } else if entry.file_type()?.is_dir() {
            move_additions(old, new, &path, listing)?;
        }
    }
    Ok(())
}
