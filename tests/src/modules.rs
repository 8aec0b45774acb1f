//! Which module uses which, read off the whole of a crate's sources, tests apart.
//!
//! A module is a file. Who imports a name through a `pub use` uses the module the name comes from.
//! What stands inside `macro_rules!` is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, File, Item, ItemUse, UseTree, Visibility};

/// A path of names, from the crate's root.
pub type Names = Vec<String>;

/// A source file.
#[derive(Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// The module it is.
    pub module: Names,
    /// Every path it writes out, as written: in `use` and elsewhere, macros by name with `!`.
    pub paths: BTreeSet<Names>,
    /// What it hands on: a name, and where it comes from.
    exports: BTreeMap<String, Names>,
    /// Modules it declares.
    children: BTreeSet<String>,
}

/// The sources below the folder `src` of a crate, files of tests apart.
pub fn sources(src: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let stem = entry.file_stem().unwrap().to_str().unwrap();
            if stem == "tests" {
                continue;
            }
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|end| end == "rs") {
                sources.push(Source::read(src, &entry));
            }
        }
    }
    // A file that only tests declare is one of theirs.
    let declared: BTreeSet<Names> = sources
        .iter()
        .flat_map(|source| source.children.iter().map(|child| joined(&source.module, child)))
        .collect();
    sources.retain(|source| source.module.is_empty() || declared.contains(&source.module));
    sources.sort_by(|a, b| a.module.cmp(&b.module));
    sources
}

impl Source {
    fn read(src: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        without_tests(&mut file);
        let mut module: Names = path
            .strip_prefix(src)
            .unwrap()
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if ["mod", "lib", "main"].contains(&module.last().unwrap().as_str()) {
            module.pop();
        }
        let mut found = Found::default();
        found.visit_file(&file);
        let Found { paths, exported, children } = found;
        let path = path.to_owned();
        let mut source = Self { path, module, paths, exports: BTreeMap::new(), children };
        for (name, from) in exported {
            if let Some(from) = source.absolute(&from) {
                source.exports.insert(name, from);
            }
        }
        source
    }

    /// A path as written here, from the crate's root; `None` if it leads to another crate or to
    /// something of this file.
    fn absolute(&self, path: &Names) -> Option<Names> {
        let mut module = self.module.clone();
        let mut rest = path.as_slice();
        match rest.first()?.as_str() {
            "crate" => return Some(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            name if self.children.contains(name) => {}
            _ => return None,
        }
        Some([module, rest.to_vec()].concat())
    }
}

/// The modules that each module uses, itself apart.
pub fn uses(sources: &[Source]) -> BTreeMap<Names, BTreeSet<Names>> {
    let by_module: BTreeMap<&Names, &Source> =
        sources.iter().map(|source| (&source.module, source)).collect();
    let of = |source: &Source| {
        let absolute = source.paths.iter().filter_map(|path| source.absolute(path));
        let used = absolute.filter_map(|path| home(&by_module, path, 0));
        used.filter(|module| *module != source.module).collect()
    };
    sources.iter().map(|source| (source.module.clone(), of(source))).collect()
}

/// The module that a path's name comes from.
fn home(sources: &BTreeMap<&Names, &Source>, path: Names, depth: usize) -> Option<Names> {
    let length = (0..=path.len()).rev().find(|&length| sources.contains_key(&path[..length].to_vec()))?;
    let module = path[..length].to_vec();
    match path.get(length).and_then(|name| sources[&module].exports.get(name)) {
        Some(from) if depth < 8 => home(sources, [from, &path[length + 1..]].concat(), depth + 1),
        _ => Some(module),
    }
}

/// Circles of rooms: of the files and folders in one folder, those that use each other, whatever file
/// inside them it is. A folder's `mod.rs` is its face, and stands outside.
pub fn circles(uses: &BTreeMap<Names, BTreeSet<Names>>) -> Vec<String> {
    let folders: BTreeSet<Names> =
        uses.keys().flat_map(|module| (0..module.len()).map(|length| module[..length].to_vec())).collect();
    folders.iter().flat_map(|folder| circles_in(folder, uses)).collect()
}

fn circles_in(folder: &Names, uses: &BTreeMap<Names, BTreeSet<Names>>) -> Vec<String> {
    let room = |module: &Names| module.strip_prefix(folder.as_slice())?.first().cloned();
    // From a room to another, by an example.
    let mut arrows: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (from, used) in uses {
        for to in used {
            if let (Some(a), Some(b)) = (room(from), room(to))
                && a != b
            {
                let example = format!("{} -> {}", from.join("::"), to.join("::"));
                arrows.entry(a).or_default().insert(b, example);
            }
        }
    }
    let reaches = |from: &String, to: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(room) = next.pop() {
            for used in arrows.get(room).into_iter().flat_map(BTreeMap::keys) {
                if seen.insert(used) {
                    next.push(used);
                }
            }
        }
        seen.contains(to)
    };
    let of = |(from, used): (&String, &BTreeMap<String, String>)| {
        let back = used.iter().filter(|(to, _)| reaches(to, from));
        back.map(|(_, example)| example.clone()).collect::<Vec<_>>()
    };
    arrows.iter().flat_map(of).collect()
}

fn joined(module: &Names, name: &str) -> Names {
    [module.as_slice(), &[name.to_owned()]].concat()
}

/// What a file writes out.
#[derive(Default)]
struct Found {
    paths: BTreeSet<Names>,
    exported: Vec<(String, Names)>,
    children: BTreeSet<String>,
}

impl Visit<'_> for Found {
    fn visit_item_use(&mut self, item: &ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut leaves);
        match item.vis {
            Visibility::Inherited => self.paths.extend(leaves.into_iter().map(|(_, path)| path)),
            _ => self.exported.extend(leaves),
        }
    }

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        self.children.insert(item.ident.to_string());
        visit::visit_item_mod(self, item);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        self.paths.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &syn::Macro) {
        let name = item.path.segments.last().unwrap().ident.to_string();
        self.paths.insert(vec![format!("{name}!")]);
        visit::visit_macro(self, item);
    }
}

/// The leaves of a tree of imports: the name each has here, and its path.
fn flatten(tree: &UseTree, above: &mut Names, leaves: &mut Vec<(String, Names)>) {
    match tree {
        UseTree::Path(path) => {
            above.push(path.ident.to_string());
            flatten(&path.tree, above, leaves);
            above.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, above, leaves)),
        UseTree::Glob(_) => leaves.push(("*".into(), above.clone())),
        UseTree::Name(name) if name.ident == "self" => {
            leaves.push((above.last().cloned().unwrap_or_default(), above.clone()));
        }
        UseTree::Name(name) => leaves.push((name.ident.to_string(), joined(above, &name.ident.to_string()))),
        UseTree::Rename(name) => {
            leaves.push((name.rename.to_string(), joined(above, &name.ident.to_string())))
        }
    }
}

/// Drops what is compiled for tests alone, here and in the modules inside.
fn without_tests(file: &mut File) {
    fn clean(items: &mut Vec<Item>) {
        items.retain(|item| !attributes(item).iter().any(is_for_tests));
        for item in items {
            if let Item::Mod(module) = item
                && let Some((_, items)) = &mut module.content
            {
                clean(items);
            }
        }
    }
    clean(&mut file.items);
}

fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate of the given files.
    fn krate(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        circles(&uses(&sources(folder.path())))
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b; pub use b::B;");

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let found = krate(&[
            ROOT,
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "pub struct B(crate::a::A);"),
        ]);
        assert_eq!(found, ["a -> b", "b -> a"]);
    }

    #[test]
    fn a_name_comes_from_where_it_is_defined() {
        let found =
            krate(&[ROOT, ("a.rs", "use crate::B; pub struct A;"), ("b.rs", "pub struct B(super::a::A);")]);
        assert_eq!(found, ["a -> b", "b -> a"]);
    }

    #[test]
    fn what_only_tests_use_is_no_arrow() {
        let test =
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; } pub fn after() { super::a::f() }";
        assert_eq!(krate(&[ROOT, ("a.rs", "use crate::b::B;"), ("b.rs", test)]), ["a -> b", "b -> a"]);
        let test = "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }";
        assert_eq!(krate(&[ROOT, ("a.rs", "use crate::b::B;"), ("b.rs", test)]), Vec::<String>::new());
    }

    #[test]
    fn folders_are_rooms_and_their_faces_are_theirs() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a/mod.rs", "mod c; pub use c::C; pub struct A;"),
            ("a/c.rs", "use super::A; use crate::b::B; pub struct C;"),
            ("b.rs", "pub struct B;"),
        ];
        assert_eq!(krate(&files), Vec::<String>::new(), "a file and its folder's face are one room");
        let mut back = files;
        back[3] = ("b.rs", "use crate::a::C; pub struct B;");
        assert_eq!(krate(&back), ["a::c -> b", "b -> a::c"]);
    }
}
