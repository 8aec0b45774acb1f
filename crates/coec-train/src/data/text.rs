//! Plain text.
//!
//! The last tenth of each file's bytes, cut at a character, is held out. Each
//! side is cut into pieces of at most [`PIECE`] bytes, at a blank line, a line
//! or a space where there is one, and pieces are what is shuffled. Nothing is
//! lost: the pieces of a side, joined, are its text.

use std::path::Path;

use super::{Corpus, DataError, files};

/// Largest piece in bytes.
pub const PIECE: usize = 4096;

/// Reads the files of a path or glob.
pub fn load(pattern: &str, base: &Path) -> Result<Corpus, DataError> {
    let mut corpus = Corpus::default();
    for path in files::resolve(pattern, base)? {
        let bytes = files::read(&path)?;
        let (train, validation) = split(files::utf8(&bytes, &path, 1)?);
        corpus.train.extend(pieces(train).map(str::to_owned));
        corpus.validation.extend(pieces(validation).map(str::to_owned));
    }
    match corpus.train.is_empty() && corpus.validation.is_empty() {
        true => Err(DataError::Empty { pattern: pattern.to_owned() }),
        false => Ok(corpus),
    }
}

/// Each file whole.
pub fn files(pattern: &str, base: &Path) -> Result<Vec<String>, DataError> {
    let mut documents = Vec::new();
    for path in files::resolve(pattern, base)? {
        documents.push(files::utf8(&files::read(&path)?, &path, 1)?.to_owned());
    }
    match documents.iter().all(String::is_empty) {
        true => Err(DataError::Empty { pattern: pattern.to_owned() }),
        false => Ok(documents),
    }
}

/// The first nine tenths of `text`, and the last.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.floor_char_boundary(text.len() - text.len() / 10))
}

fn pieces(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (piece, left) = rest.split_at(cut(rest));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Where the first piece of `text` ends.
fn cut(text: &str) -> usize {
    if text.len() <= PIECE {
        return text.len();
    }
    let head = &text[..text.floor_char_boundary(PIECE)];
    // A break in the first half would make a piece too small.
    let late = |found: Option<usize>, length: usize| found.map(|at| at + length).filter(|&at| at > PIECE / 2);
    late(head.rfind("\n\n"), 2)
        .or_else(|| late(head.rfind('\n'), 1))
        .or_else(|| late(head.rfind(' '), 1))
        .unwrap_or(head.len())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_tenth_of_each_file_is_held_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "a".repeat(90) + &"b".repeat(10)).unwrap();
        fs::write(folder.path().join("b.txt"), "c".repeat(900) + &"d".repeat(100)).unwrap();
        let corpus = load("*.txt", folder.path()).unwrap();
        assert_eq!(corpus.train, ["a".repeat(90), "c".repeat(900)]);
        assert_eq!(corpus.validation, ["b".repeat(10), "d".repeat(100)]);
    }

    #[test]
    fn pieces_end_at_a_blank_line_rather_than_a_line() {
        let text = format!("{}\n\n{}\n{}", "a".repeat(3000), "b".repeat(500), "c".repeat(2000));
        assert_eq!(cut(&text), 3002);
    }

    #[test]
    fn an_empty_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "").unwrap();
        assert_eq!(load("a.txt", folder.path()).unwrap_err().code(), "coec::data::empty");
    }

    #[test]
    fn bytes_that_are_no_text_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), b"ok\n\xFF\xFE").unwrap();
        let error = load("a.txt", folder.path()).unwrap_err();
        assert_eq!(error.code(), "coec::data::not_utf8");
        assert!(error.to_string().contains("a.txt:2:1"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("gone.txt");
        assert_eq!(files::read(&missing).unwrap_err().code(), "coec::data::unreadable");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "(\\PC|\n| ){0,3000}", repeat in 1usize..12) {
            let text = text.repeat(repeat);
            let (train, validation) = split(&text);
            let joined: String = pieces(train).chain(pieces(validation)).collect();
            prop_assert_eq!(&joined, &text);
            prop_assert!(pieces(train).all(|piece| !piece.is_empty() && piece.len() <= PIECE));
        }
    }
}
