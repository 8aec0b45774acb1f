//! The page of every error code, as a file that an editor can open.

use std::collections::HashMap;
use std::path::PathBuf;

use gen_lsp_types::Uri;

/// What there is to say of a code, in Markdown.
pub type Explain = fn(&str) -> Option<String>;

/// Pages, written when they are first asked for.
pub(crate) struct Pages {
    explain: Explain,
    folder: Option<PathBuf>,
    written: HashMap<String, Option<Uri>>,
}

impl Pages {
    /// Pages in a folder; without one there are none.
    pub fn new(explain: Explain, folder: Option<PathBuf>) -> Self {
        Self { explain, folder, written: HashMap::new() }
    }

    /// The page of a code; `None` where it has none, or none can be written.
    pub fn page(&mut self, code: &str) -> Option<Uri> {
        if let Some(known) = self.written.get(code) {
            return known.clone();
        }
        let page = self.write(code);
        self.written.insert(code.to_owned(), page.clone());
        page
    }

    fn write(&self, code: &str) -> Option<Uri> {
        let folder = self.folder.as_ref()?;
        let text = format!("# {code}\n\n{}\n", (self.explain)(code)?);
        let path = folder.join(format!("{}.md", code.replace("::", ".")));
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            std::fs::create_dir_all(folder).ok()?;
            std::fs::write(&path, &text).ok()?;
        }
        Uri::from_file_path(path).ok()
    }
}
