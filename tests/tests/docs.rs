//! The specs in the documentation are specs: each is loaded, verified and judged.
//!
//! A block marked `coe` must load and keep its budgets. A block marked `coe,fail` opens
//! with `// error: CODE` and must give that error.

mod common;

use coec_lang::{Loader, check, load};
use common::{Repository, lines, text};

struct Block {
    /// `docs/language.md:12`.
    place: String,
    fails: bool,
    text: String,
}

/// The specs of a Markdown file.
fn blocks(path: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = None;
    for (i, line) in text(path).lines().enumerate() {
        match (line.strip_prefix("```"), inside) {
            (Some(mark), None) => {
                let is_spec = mark == "coe" || mark == "coe,fail";
                assert!(is_spec || !mark.starts_with("coe"), "{path}:{}: unknown mark `{mark}`", i + 1);
                if is_spec {
                    let place = format!("{path}:{}", i + 1);
                    blocks.push(Block { place, fails: mark == "coe,fail", text: String::new() });
                }
                inside = Some(is_spec);
            }
            (Some(_), Some(_)) => inside = None,
            (None, Some(true)) => {
                let block = blocks.last_mut().expect("a block is open");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, _) => {}
        }
    }
    assert_eq!(inside, None, "{path}: the last block is closed");
    blocks
}

/// A block as a file in specs/, so that it may name the specs there.
struct Page<'a>(&'a str);

const NAME: &str = "specs/example.coe";

impl Loader for Page<'_> {
    fn read(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>> {
        if path == std::path::Path::new(NAME) {
            return Ok(self.0.into());
        }
        Repository.read(path)
    }
}

/// Everything that is wrong with a spec, as codes, and in words.
fn judge(text: &str) -> (Vec<&'static str>, String) {
    let files = Page(text);
    let specs = match load(NAME, &[], &files) {
        Ok(specs) => specs,
        Err(errors) => return (errors.iter().map(|error| error.code()).collect(), lines(&errors)),
    };
    let (mut codes, mut words) = (Vec::new(), String::new());
    for spec in &specs {
        match check(spec, &files) {
            Ok(report) => {
                for diagnostic in report.diagnostics() {
                    codes.push(diagnostic.code());
                    words.push_str(&format!("{diagnostic}; {}\n", diagnostic.help()));
                }
            }
            Err(errors) => {
                codes.extend(errors.iter().map(|error| error.code()));
                words.push_str(&lines(&errors));
            }
        }
    }
    (codes, words)
}

fn hold(path: &str, at_least: usize) {
    let blocks = blocks(path);
    assert!(blocks.len() >= at_least, "{path} has {} specs", blocks.len());
    for Block { place, fails, text } in blocks {
        let (codes, words) = judge(&text);
        if fails {
            let first = text.lines().next().unwrap_or_default();
            let code = first.strip_prefix("// error: ").unwrap_or_else(|| panic!("{place}: names no code"));
            assert_eq!(codes, [code.trim()], "{place}\n{words}");
        } else {
            assert!(codes.is_empty(), "{place}\n{words}");
        }
    }
}

#[test]
fn the_language_reference() {
    hold("docs/language.md", 20);
}

#[test]
fn the_readme() {
    hold("README.md", 1);
}

/// Tables of words cannot be run; that each word is mentioned at all can be held.
#[test]
fn the_reference_names_every_word() {
    use coec_ir::table::{self, Kind, MODEL, TRAIN};
    let page = text("docs/language.md");
    for table in table::all() {
        assert!(page.contains(&format!("`{}", table.word)), "the block `{}`", table.word);
    }
    let tables = table::all().iter().copied().chain([&MODEL, &TRAIN]);
    for field in tables.flat_map(|table| table.fields) {
        assert!(page.contains(&format!("`{}`", field.name)), "the field `{}`", field.name);
        if let Kind::Word(words) | Kind::Words(words) = field.kind {
            for word in words() {
                assert!(page.contains(&format!("`{word}`")), "`{}={word}`", field.name);
            }
        }
    }
    for figure in coec_ir::Figure::ALL {
        assert!(page.contains(&format!("`{}`", figure.name())), "the figure `{}`", figure.name());
    }
    for condition in coec_ir::budget::CONDITIONS {
        assert!(page.contains(&format!("`{condition}`")), "the condition `{condition}`");
    }
}

/// The pages that name tests and link to each other.
fn pages() -> Vec<String> {
    let mut pages = common::files("docs", "md");
    pages.push("README.md".into());
    pages
}

/// What stands between backticks.
fn spans(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// A page may name the test that holds a statement, as `file.rs::test`.
#[test]
fn named_tests_exist() {
    let mut seen = 0;
    for path in pages() {
        let page = text(&path);
        for (file, test) in spans(&page).filter_map(|span| span.split_once(".rs::")) {
            seen += 1;
            let home = if file.starts_with("tests/") { "" } else { "crates/" };
            let source = text(&format!("{home}{file}.rs"));
            assert!(source.contains(&format!("fn {test}(")), "{path}: there is no test `{file}.rs::{test}`");
        }
    }
    assert!(seen > 20, "the pages name their tests");
}

#[test]
fn links_lead_somewhere() {
    for path in pages() {
        let page = text(&path);
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in page.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            if !file.is_empty() && !file.contains("://") {
                let target = common::root().join(folder).join(file);
                assert!(target.exists(), "{path}: the link `{link}` leads nowhere");
            }
        }
    }
}
