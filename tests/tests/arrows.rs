//! Which crate may know which, as docs/architecture.md draws it.

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::{files, root, text};

/// What the binary and the tests may use: all there is below them.
const EVERYTHING: &[&str] = &[
    "coec-ir",
    "coec-lang",
    "coec-kernels",
    "coec-nn",
    "coec-graph",
    "coec-emit",
    "coec-hf",
    "coec-train",
    "burn",
];

/// A crate's own crates: those it depends on, and with them `burn` and `pest` by their prefix.
const ARROWS: [(&str, &[&str]); 10] = [
    ("coec-ir", &[]),
    ("coec-lang", &["coec-ir", "pest"]),
    ("coec-kernels", &["burn"]),
    ("coec-nn", &["coec-ir", "coec-kernels", "burn"]),
    ("coec-graph", &["coec-ir"]),
    ("coec-emit", &["coec-ir"]),
    ("coec-hf", &["coec-ir"]),
    ("coec-train", &["coec-nn", "coec-ir", "coec-hf", "coec-kernels", "burn"]),
    ("coec", EVERYTHING),
    ("coec-tests", EVERYTHING),
];

/// What each package of the workspace depends on to be built, by `cargo metadata`.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = |package: &serde_json::Value| {
        let name = package["name"].as_str().unwrap().to_string();
        let needed = package["dependencies"].as_array().unwrap().iter().filter(|d| d["kind"] != "dev");
        (name, needed.map(|d| d["name"].as_str().unwrap().to_string()).collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

/// The name an arrow is drawn to: `burn-ir` is `burn`; `None` for crates no arrow is about.
fn drawn(dependency: &str) -> Option<&str> {
    for family in ["burn", "cubecl"] {
        if dependency == family || dependency.starts_with(&format!("{family}-")) {
            return Some("burn");
        }
    }
    if dependency.starts_with("pest") {
        return Some("pest");
    }
    dependency.starts_with("coec").then_some(dependency)
}

#[test]
fn every_dependency_is_an_arrow() {
    let found = dependencies();
    let known: Vec<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert!(found.keys().all(|name| known.contains(&name.as_str())), "an undrawn crate: {:?}", found.keys());
    for (name, allowed) in ARROWS {
        let dependencies = found.get(name).unwrap_or_else(|| panic!("there is no crate {name}"));
        for to in dependencies.iter().filter_map(|dependency| drawn(dependency)) {
            assert!(allowed.contains(&to), "{name} -> {to} is no arrow of docs/architecture.md");
        }
    }
}

/// Burn is one version, to the last digit: generated code and the capture device name its items.
#[test]
fn burn_is_pinned_once() {
    let manifest = text("Cargo.toml");
    assert!(manifest.contains("burn = { version = \"=0.22.1\""), "the workspace pins Burn exactly");
    for path in files("crates", "toml").into_iter().chain(["tests/Cargo.toml".into()]) {
        for line in text(&path).lines().filter(|line| line.starts_with("burn")) {
            assert!(line.contains("workspace = true"), "{path}: `{line}` takes the workspace's Burn");
        }
    }
}

/// Everything above the kernels takes a device; only the binary, and tests, say which.
#[test]
fn only_the_binary_names_backends() {
    let sources = files("crates", "rs").into_iter().filter(|path| {
        let inside = path.contains("/src/") && !path.ends_with("/tests.rs") && !path.contains("/src/tests/");
        inside && !path.starts_with("crates/coec/")
    });
    let mut seen = 0;
    for path in sources {
        seen += 1;
        let text = text(&path);
        // Tests close a file, and need a device to run on.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for backend in ["Device::flex", "Device::ndarray", "Device::cuda"] {
            let named =
                code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(backend));
            assert!(!named, "{path} names the backend `{backend}`");
        }
    }
    assert!(seen > 50, "the sources are found");
}

/// Reading files, clocks and the environment is for the rim: coec-train and the binary.
#[test]
fn the_inner_crates_touch_nothing_outside() {
    let doors = ["std::fs", "std::env", "std::net", "std::process", "SystemTime", "Instant::now", "println!"];
    let inner = ["coec-ir", "coec-lang", "coec-graph", "coec-emit", "coec-hf", "coec-nn", "coec-kernels"];
    for path in inner.iter().flat_map(|name| files(&format!("crates/{name}/src"), "rs")) {
        let text = text(&path);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for door in doors {
                assert!(!line.contains(door), "{path}: `{}` opens a door", line.trim());
            }
        }
    }
}
