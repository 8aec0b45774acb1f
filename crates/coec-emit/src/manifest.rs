//! `Cargo.toml`: what a generated crate depends on, to the last digit.

use crate::{EmitError, Link, carried::Uses, lock::Lock};

/// This workspace's manifest: its features of Burn are those of every generated crate.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// A dependency: its name, and which models need it.
struct Needed {
    name: &'static str,
    by: Need,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The model itself, whoever holds the mathematics.
    Model,
    /// Carried files.
    Carried,
    /// Carried files of experts.
    Experts,
    /// Carried kernels for GPUs.
    Gpus,
    /// Tests and the example.
    Tests,
}

const NEEDED: &[Needed] = &[
    Needed { name: "burn", by: Need::Model },
    Needed { name: "burn-cubecl", by: Need::Gpus },
    Needed { name: "burn-ir", by: Need::Carried },
    Needed { name: "bytemuck", by: Need::Carried },
    Needed { name: "cubecl", by: Need::Gpus },
    Needed { name: "half", by: Need::Gpus },
    Needed { name: "libm", by: Need::Carried },
    Needed { name: "num-bigint", by: Need::Experts },
    Needed { name: "rayon", by: Need::Carried },
    Needed { name: "serde", by: Need::Carried },
    Needed { name: "thiserror", by: Need::Carried },
    Needed { name: "safetensors", by: Need::Tests },
    Needed { name: "serde_json", by: Need::Tests },
    Needed { name: "tokenizers", by: Need::Tests },
];

/// Every package a generated crate names.
pub(crate) fn packages() -> Vec<&'static str> {
    NEEDED.iter().map(|needed| needed.name).chain(["coec-ir", "coec-kernels", "coec-nn"]).collect()
}

/// What the workspace says of a dependency: the version, and the rest of its table.
fn workspace(name: &str) -> Result<(&'static str, &'static str), EmitError> {
    let missing = || EmitError::NotLocked { name: name.into(), requirement: "*".into() };
    let line = WORKSPACE
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))
        .ok_or_else(missing)?;
    let table = line.strip_prefix("{ version = ").unwrap_or(line);
    let mut parts = table.splitn(3, '"');
    let version = parts.nth(1).ok_or_else(missing)?;
    let rest = parts
        .next()
        .unwrap_or_default()
        .trim_start_matches(", ")
        .trim_end_matches(" }")
        .trim_end_matches('}');
    Ok((version, rest.trim()))
}

/// The manifest of a crate, and its lock where it stands alone.
pub(crate) fn write(
    name: &str,
    description: &str,
    uses: &Uses,
    link: Option<&Link>,
) -> Result<(String, Option<String>), EmitError> {
    let lock = Lock::of_workspace();
    let carries = link.is_none();
    let (mut normal, mut dev) = (String::new(), String::new());
    let mut pinned = Vec::new();
    for Needed { name, by } in NEEDED {
        let is_normal = match by {
            Need::Model => true,
            Need::Carried | Need::Gpus => carries,
            Need::Experts => carries && uses.has_experts(),
            Need::Tests => false,
        };
        // The tests read JSON into structs of their own.
        if !is_normal && *by != Need::Tests && *name != "serde" {
            continue;
        }
        let (requirement, rest) = workspace(name)?;
        let version = lock.version(name, requirement)?;
        let optional = if *by == Need::Gpus { "optional = true" } else { "" };
        let details: Vec<&str> = [rest, optional].into_iter().filter(|detail| !detail.is_empty()).collect();
        let line = match details.as_slice() {
            [] => format!("{name} = \"={version}\"\n"),
            details => format!("{name} = {{ version = \"={version}\", {} }}\n", details.join(", ")),
        };
        if is_normal { &mut normal } else { &mut dev }.push_str(&line);
        pinned.push((*name, version));
    }
    if let Some(link) = link {
        normal.push_str(&format!("coec-ir = {}\n", link.dependency("coec-ir", "")));
        normal.push_str(&format!("coec-nn = {}\n", link.dependency("coec-nn", ", default-features = false")));
    }
    let feature = |feature: &str| match (carries, feature) {
        (true, "wgpu" | "cuda") => format!("{feature} = [\"burn/{feature}\", \"cube\"]\n"),
        (true, _) => format!("{feature} = [\"burn/{feature}\"]\n"),
        (false, _) => format!("{feature} = [\"burn/{feature}\", \"coec-nn/{feature}\"]\n"),
    };
    let mut features: String = ["flex", "ndarray", "wgpu", "cuda"].map(feature).concat();
    if carries {
        features.push_str("# The kernels for GPUs, which are the same for all of them.\n");
        features.push_str("cube = [\"dep:burn-cubecl\", \"dep:cubecl\", \"dep:half\"]\n");
    }
    let lock = if carries { Some(lock.for_crate(name, &pinned)?) } else { None };
    let manifest = format!(
        "[package]
name = \"{name}\"
description = {description:?}
version = \"0.1.0\"
edition = \"2024\"
rust-version = \"1.95\"
publish = false

# A workspace of its own, so that it builds wherever it lies.
[workspace]

[features]
default = [\"flex\", \"ndarray\"]
{features}
[dependencies]
{normal}
[dev-dependencies]
{dev}
# Tests and the example run real models: one optimised profile for both, and Burn is compiled once.
[profile.dev]
opt-level = 3
debug = false
debug-assertions = false
overflow-checks = false

[profile.release]
incremental = false
"
    );
    Ok((manifest, lock))
}
