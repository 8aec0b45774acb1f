//! From a path or glob to the text of files.

use std::path::{Path, PathBuf};

use super::DataError;

/// The files that `pattern` names, relative to `base`, in sorted order.
///
/// A file whose very name is the pattern comes first, so that a name may hold
/// a bracket. Folders and devices that a pattern happens to match are passed over.
pub(crate) fn resolve(pattern: &str, base: &Path) -> Result<Vec<PathBuf>, DataError> {
    let literal = base.join(pattern);
    if literal.is_file() {
        return Ok(vec![literal]);
    }
    if literal.exists() {
        return Err(DataError::NotAFile { path: literal });
    }
    let bad = |reason: String| DataError::BadGlob { pattern: pattern.to_owned(), reason };
    let base_text = base.to_str().ok_or_else(|| bad("its folder's name is not UTF-8".to_owned()))?;
    let absolute = match () {
        () if Path::new(pattern).is_absolute() || base_text.is_empty() => pattern.to_owned(),
        () => format!("{}/{pattern}", glob::Pattern::escape(base_text)),
    };
    let mut files = Vec::new();
    for entry in glob::glob(&absolute).map_err(|error| bad(error.msg.to_owned()))? {
        let path = entry.map_err(|error| {
            let path = error.path().to_owned();
            DataError::Unreadable { path, source: error.into() }
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    files.dedup();
    match files.is_empty() {
        true => Err(DataError::NoMatch { pattern: pattern.to_owned(), base: base.to_owned() }),
        false => Ok(files),
    }
}

/// `pattern` as it names the same files from anywhere: absolute, and where it is a pattern, the folder it
/// starts from is none.
pub fn absolute(pattern: &str, base: &Path) -> String {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned();
    let literal = base.join(pattern);
    if literal.exists() || Path::new(pattern).is_absolute() {
        return absolute(literal);
    }
    let base = absolute(if base.as_os_str().is_empty() { PathBuf::from(".") } else { base.to_owned() });
    format!("{}/{pattern}", glob::Pattern::escape(base.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            fs::write(folder.path().join(file), "text").unwrap();
        }
        folder
    }

    fn names(pattern: &str, folder: &tempfile::TempDir) -> Vec<String> {
        let found = resolve(pattern, folder.path()).unwrap();
        let relative =
            |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
        found.iter().map(relative).collect()
    }

    #[test]
    fn a_glob_gives_files_in_sorted_order() {
        let folder = folder(&["b.txt", "a.txt", "c.md", "d.txt/inside.md"]);
        assert_eq!(names("*.txt", &folder), ["a.txt", "b.txt"]);
        assert_eq!(names("**/*.md", &folder), ["c.md", "d.txt/inside.md"]);
    }

    #[test]
    fn a_name_with_brackets_is_a_name_first() {
        let folder = folder(&["a[1].txt", "a1.txt"]);
        assert_eq!(names("a[1].txt", &folder), ["a[1].txt"]);
    }

    #[test]
    fn a_base_with_brackets_is_no_pattern() {
        let folder = folder(&["x[ab]/a.txt", "xa/b.txt"]);
        let found = resolve("*.txt", &folder.path().join("x[ab]")).unwrap();
        assert_eq!(found, [folder.path().join("x[ab]/a.txt")]);
    }

    #[test]
    fn an_absolute_pattern_names_the_same_files_from_anywhere() {
        let folder = folder(&["x[ab]/a[1].txt", "x[ab]/b.txt", "xa/c.txt"]);
        let base = folder.path().join("x[ab]");
        for pattern in ["*.txt", "a[1].txt", "b.txt"] {
            let found = resolve(&absolute(pattern, &base), Path::new("/")).unwrap();
            assert_eq!(found, resolve(pattern, &base).unwrap(), "{pattern}");
        }
    }

    #[test]
    fn nothing_matched_says_where_it_looked() {
        let folder = folder(&["a.txt"]);
        let error = resolve("*.json", folder.path()).unwrap_err();
        assert_eq!(error.code(), "coec::data::no_match");
        assert!(
            error.to_string().contains("*.json")
                && error.to_string().contains(folder.path().to_str().unwrap())
        );
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let folder = folder(&["sub/a.txt"]);
        assert_eq!(resolve("sub", folder.path()).unwrap_err().code(), "coec::data::not_a_file");
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let folder = folder(&[]);
        assert_eq!(resolve("a[", folder.path()).unwrap_err().code(), "coec::data::bad_glob");
    }
}
