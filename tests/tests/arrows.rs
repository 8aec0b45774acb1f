//! Which crate may know which, as docs/architecture.md draws it.

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use coec_tests::modules::{Source, circles, sources, uses};
use common::{files, root, text};

/// What the binary and the tests may use: all there is below them.
const EVERYTHING: &[&str] = &[
    "coec-ir",
    "coec-lang",
    "coec-lsp",
    "coec-kernels",
    "coec-nn",
    "coec-graph",
    "coec-report",
    "coec-emit",
    "coec-hf",
    "coec-store",
    "coec-torch",
    "coec-train",
    "burn",
];

/// A crate's own crates: those it depends on, and with them `burn` and `pest` by their prefix.
const ARROWS: [(&str, &[&str]); 14] = [
    ("coec-ir", &[]),
    ("coec-lang", &["coec-ir", "pest"]),
    ("coec-lsp", &["coec-lang", "coec-graph", "coec-ir"]),
    ("coec-kernels", &["burn"]),
    ("coec-nn", &["coec-ir", "coec-kernels", "burn"]),
    ("coec-graph", &["coec-ir"]),
    ("coec-report", &["coec-graph", "coec-ir"]),
    ("coec-emit", &["coec-ir"]),
    ("coec-hf", &["coec-ir"]),
    ("coec-store", &["coec-ir", "coec-hf"]),
    ("coec-torch", &["coec-ir"]),
    ("coec-train", &["coec-nn", "coec-ir", "coec-kernels", "coec-store", "burn"]),
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

/// Every source of a crate, tests apart.
fn sources_of(krate: &str) -> Vec<Source> {
    sources(&root().join("crates").join(krate).join("src"))
}

/// Everything above the kernels takes a device; only the binary, and tests, say which.
#[test]
fn only_the_binary_names_backends() {
    let mut seen = 0;
    for (krate, _) in ARROWS.into_iter().filter(|(name, _)| !["coec", "coec-tests"].contains(name)) {
        for source in sources_of(krate) {
            seen += 1;
            for backend in ["flex", "ndarray", "wgpu", "cuda"] {
                let named =
                    source.paths.iter().any(|path| path.ends_with(&["Device".into(), backend.into()]));
                assert!(!named, "{} names the backend `{backend}`", source.path.display());
            }
        }
    }
    assert!(seen > 50, "the sources are found");
}

/// What reads a tensor back, and so waits for the device: a step of training does it once, in coec-train.
/// The capture device, which has no values, finds a read that a model makes through the framework.
#[test]
fn models_and_kernels_read_nothing_back() {
    let reads = ["into_data", "to_data", "into_scalar", "read_one", "read_one_unchecked", "into_data_sync"];
    // Weights and loads are handed out to who asks, and CPUs have nothing to wait for.
    let may = ["bindings.rs", "pass.rs", "cpu/flex.rs", "cpu/ndarray.rs"];
    for source in ["coec-kernels", "coec-nn"].into_iter().flat_map(sources_of) {
        let text = std::fs::read_to_string(&source.path).unwrap();
        let own = text.split("#[cfg(test)]").next().unwrap();
        for read in reads.iter().filter(|read| own.contains(&format!("{read}("))) {
            let path = source.path.display().to_string();
            assert!(may.iter().any(|may| path.ends_with(may)), "{path} reads back with {read}");
        }
    }
}

/// Reading files, clocks and the environment is for the rim: coec-train and the binary.
#[test]
fn the_inner_crates_touch_nothing_outside() {
    let doors =
        ["std::fs", "std::env", "std::net", "std::process"].map(|door| door.split("::").collect::<Vec<_>>());
    let inner = [
        "coec-ir",
        "coec-lang",
        "coec-graph",
        "coec-report",
        "coec-emit",
        "coec-hf",
        "coec-nn",
        "coec-kernels",
    ];
    for source in inner.into_iter().flat_map(sources_of) {
        for path in &source.paths {
            let opens =
                doors.iter().any(|door| path.iter().map(String::as_str).take(2).eq(door.iter().copied()))
                    || path.iter().any(|name| {
                        ["SystemTime", "Instant", "println!", "eprintln!"].contains(&name.as_str())
                    });
            assert!(!opens, "{}: `{}` opens a door", source.path.display(), path.join("::"));
        }
    }
}

/// Inside a crate, too, arrows have one direction: no circle of files, nor of folders.
#[test]
fn no_modules_use_each_other() {
    for (krate, _) in ARROWS.into_iter().filter(|(name, _)| *name != "coec-tests") {
        let circles = circles(&uses(&sources_of(krate)));
        assert!(circles.is_empty(), "{krate}:\n{}", circles.join("\n"));
    }
}

/// What commands share has a room of its own.
#[test]
fn no_command_imports_another() {
    let sources = sources_of("coec");
    for (from, used) in uses(&sources).iter().filter(|(from, _)| from.len() > 1 && from[0] == "commands") {
        for to in used.iter().filter(|to| to.len() > 1 && to[0] == "commands") {
            assert_eq!(from[1], to[1], "{} uses {}", from.join("::"), to.join("::"));
        }
    }
}

/// What is printed goes through one file, which knows what to do when it cannot be.
#[test]
fn one_file_writes_to_the_streams() {
    let prints = ["print!(", "println!(", "dbg!("];
    for path in files("crates/coec/src", "rs") {
        // The other one asks what a stream can show.
        let may_name = ["render/streams.rs", "render/terminal.rs"].iter().any(|file| path.ends_with(file));
        for line in text(&path).lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!prints.iter().any(|print| line.contains(print)), "{path} prints: {line}");
            let names = line.contains("io::stdout") || line.contains("io::stderr");
            assert!(may_name || !names, "{path} names a stream: {line}");
        }
    }
}
