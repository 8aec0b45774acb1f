//! `Cargo.lock` of a generated crate: that of this workspace, cut down to what the crate needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::EmitError;

/// This workspace's own, embedded when it is compiled: a generated crate is built with the very
/// versions that coec was tested with.
const WORKSPACE: &str = include_str!("../../../Cargo.lock");

/// Dependencies that a package of the workspace has for features that no generated crate turns on.
///
/// The workspace's lock does not say which feature a dependency is for. A test resolves a
/// generated crate with cargo and says what belongs here.
const UNUSED: &[(&str, &[&str])] = &[
    ("ahash", &["const-random"]),
    (
        "miette",
        &[
            "backtrace",
            "backtrace-ext",
            "owo-colors",
            "supports-color",
            "supports-hyperlinks",
            "supports-unicode",
            "terminal_size",
            "textwrap",
        ],
    ),
    ("url", &["serde_derive"]),
    ("winnow", &["memchr"]),
];

/// A package of a lock.
#[derive(Debug, Clone, Default)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
    checksum: Option<&'a str>,
    /// Names, with their versions where there are several of one name.
    dependencies: Vec<&'a str>,
}

/// The packages of the workspace.
#[derive(Debug)]
pub(crate) struct Lock<'a> {
    packages: BTreeMap<&'a str, Vec<Package<'a>>>,
}

impl Lock<'static> {
    /// The workspace's.
    pub fn of_workspace() -> Self {
        let mut packages: BTreeMap<&str, Vec<Package>> = BTreeMap::new();
        for block in WORKSPACE.split("[[package]]").skip(1) {
            let mut package = Package::default();
            for line in block.lines() {
                match line.split_once(" = ") {
                    Some(("name", value)) => package.name = value.trim_matches('"'),
                    Some(("version", value)) => package.version = value.trim_matches('"'),
                    Some(("source", value)) => package.source = Some(value.trim_matches('"')),
                    Some(("checksum", value)) => package.checksum = Some(value.trim_matches('"')),
                    _ => {
                        let dependency =
                            line.trim().strip_prefix('"').and_then(|rest| rest.strip_suffix("\","));
                        package.dependencies.extend(dependency);
                    }
                }
            }
            let unused = UNUSED.iter().find(|(name, _)| *name == package.name).map_or(&[][..], |(_, d)| d);
            let name = |dependency: &str| dependency.split(' ').next().unwrap_or_default().to_string();
            package.dependencies.retain(|dependency| !unused.contains(&name(dependency).as_str()));
            packages.entry(package.name).or_default().push(package);
        }
        Self { packages }
    }
}

impl<'a> Lock<'a> {
    /// The version of a package that a requirement such as `0.19` or `=0.22.1` means.
    pub fn version(&self, name: &str, requirement: &str) -> Result<&'a str, EmitError> {
        let wanted = requirement.trim_start_matches('=');
        let fits = |version: &str| {
            version.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let found = self.packages.get(name).and_then(|all| all.iter().find(|package| fits(package.version)));
        // A requirement of a whole number or a minor version above zero allows later minor versions.
        let major = wanted.split('.').next().unwrap_or_default();
        let later = || {
            let all = self.packages.get(name)?;
            all.iter().find(|package| major != "0" && package.version.split('.').next() == Some(major))
        };
        match found.or_else(later) {
            Some(package) => Ok(package.version),
            None => Err(EmitError::NotLocked { name: name.into(), requirement: requirement.into() }),
        }
    }

    /// The lock of a crate with these dependencies, each a name and a version.
    pub fn for_crate(&self, crate_name: &str, dependencies: &[(&str, &str)]) -> Result<String, EmitError> {
        let mut kept: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut next: Vec<&Package> = dependencies
            .iter()
            .map(|(name, version)| self.find(name, Some(version)))
            .collect::<Result<_, _>>()?;
        while let Some(package) = next.pop() {
            if kept.insert((package.name, package.version)) {
                for dependency in &package.dependencies {
                    let (name, version) = split(dependency);
                    next.push(self.find(name, version)?);
                }
            }
        }
        // A name is enough where one version of it is left.
        let shown = |name: &str, version: &str| {
            let several = kept.iter().filter(|(other, _)| *other == name).count() > 1;
            if several || name == crate_name { format!("{name} {version}") } else { name.to_string() }
        };
        let own = dependencies.iter().map(|(name, version)| shown(name, version)).collect();
        let mut blocks = vec![(crate_name, "0.1.0", block(crate_name, "0.1.0", None, None, own))];
        for &(name, version) in &kept {
            let package = self.find(name, Some(version))?;
            let mut listed = Vec::new();
            for dependency in &package.dependencies {
                let (name, version) = split(dependency);
                listed.push(shown(name, self.find(name, version)?.version));
            }
            blocks.push((name, version, block(name, version, package.source, package.checksum, listed)));
        }
        blocks.sort_by(|a, b| (a.0, order(a.1)).cmp(&(b.0, order(b.1))));
        let blocks: Vec<String> = blocks.into_iter().map(|(_, _, block)| block).collect();
        Ok(format!("version = 4\n\n{}", blocks.join("\n")))
    }

    fn find(&self, name: &str, version: Option<&str>) -> Result<&Package<'a>, EmitError> {
        let all = self.packages.get(name).map_or(&[][..], Vec::as_slice);
        all.iter().find(|package| version.is_none_or(|version| package.version == version)).ok_or_else(|| {
            EmitError::NotLocked { name: name.into(), requirement: version.unwrap_or("*").into() }
        })
    }
}

/// `name version` or `name`.
fn split(dependency: &str) -> (&str, Option<&str>) {
    let mut parts = dependency.split(' ');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Versions in the order of their numbers.
fn order(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map(|part| part.parse().unwrap_or_default()).collect()
}

fn block(
    name: &str,
    version: &str,
    source: Option<&str>,
    checksum: Option<&str>,
    mut dependencies: Vec<String>,
) -> String {
    let mut out = format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    for (field, value) in [("source", source), ("checksum", checksum)] {
        out.extend(value.map(|value| format!("{field} = \"{value}\"\n")));
    }
    dependencies.sort();
    dependencies.dedup();
    if !dependencies.is_empty() {
        let lines: String = dependencies.iter().map(|name| format!(" \"{name}\",\n")).collect();
        out.push_str(&format!("dependencies = [\n{lines}]\n"));
    }
    out
}
