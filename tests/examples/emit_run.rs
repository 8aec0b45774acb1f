//! Writes a workspace of generated crates, for tests/emit_run/run to compile and compare.
//!
//! One package, `models`, holds every model as a module: the fixtures of tests/lang/pass and the specs
//! under specs/, reduced, and a hundred models drawn at random. They are linked to coec-nn, so
//! that a model costs its own file and nothing else. A few crates stand alone beside it, with
//! files carried: one for each set of blocks. All are built with the workspace's features, so that its Burn serves
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use coec_emit::{Files, Input, Link, emit};
use coec_ir::{Conditions, Ffn, Model, Recompute, Verified, cost::Setting, verify};
use coec_lang::{Loader, load};
use coec_nn::capture;
use coec_tests::models::{Sizes, model};
use coec_tests::reduced::reduced;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

/// Models drawn at random.
const DRAWN: usize = 100;

/// Models whose crates are also built standing alone. Together they have every block, alone and
/// beside each other, every way of holding layers, and selection biases.
const ALONE: [&str; 5] = [
    "lang_pass_one_line_one_line",
    "specs_quickstart_quickstart",
    "specs_paper_coe2_4_64_coe2_4_64",
    "lang_pass_latent_queries_latent_queries",
    "lang_pass_overrides_overrides",
];

/// The one of them whose layers are run again in the backward pass, as its README says how.
const RECOMPUTED: &str = "specs_paper_coe2_4_64_coe2_4_64";

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Specs beside the file that is loaded.
struct Beside(PathBuf);

impl Loader for Beside {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(path))
    }
}

/// The specs in a folder and the folders below it, sorted.
fn specs(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(specs(&path)?);
        } else if path.extension().is_some_and(|end| end == "coe")
            && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'))
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Every model, reduced, by a name that is a Rust identifier.
fn models() -> Result<BTreeMap<String, Verified<Model>>, Box<dyn Error>> {
    let mut models = BTreeMap::new();
    for (kind, folder) in [("lang_pass", root().join("tests/lang/pass")), ("specs", root().join("specs"))] {
        for path in specs(&folder)? {
            let text = fs::read_to_string(&path)?;
            let asked = |mark: &str| {
                text.lines().filter_map(|line| line.strip_prefix(mark)).map(String::from).collect::<Vec<_>>()
            };
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let spec = asked("// load: ").pop().unwrap_or(file);
            let beside = Beside(path.parent().unwrap_or(&folder).to_path_buf());
            let loaded = load(&spec, &asked("// set: "), &beside)
                .map_err(|errors| format!("{}: {errors:?}", path.display()))?;
            let place = path.strip_prefix(&folder)?.with_extension("");
            let place: String = place
                .to_string_lossy()
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            for spec in loaded {
                let name = format!("{kind}_{place}_{}", spec.model.name.to_lowercase());
                models.insert(name, verified(reduced(&spec.model))?);
            }
        }
    }
    let (strategy, mut runner) = (model(&Sizes::tiny()), TestRunner::deterministic());
    for number in 0..DRAWN {
        let name = format!("drawn_{number:02}");
        let drawn = strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current();
        models.insert(name.clone(), verified(Model { name, ..drawn })?);
    }
    Ok(models)
}

fn verified(model: Model) -> Result<Verified<Model>, String> {
    let name = model.name.clone();
    verify(model).map_err(|violations| format!("{name}: {violations:?}"))
}

fn has_biases(model: &Model) -> bool {
    model.layers.kinds().iter().any(|layer| matches!(&layer.ffn, Ffn::Coe(block) if block.has_bias()))
}

/// The crate of a model, with the parts of its budget that its test reads: of a pass that computes so much
/// again.
fn crate_of(
    model: &Verified<Model>,
    link: Option<&Link>,
    recompute: Recompute,
) -> Result<Files, Box<dyn Error>> {
    let setting = Setting { recompute, ..Setting::of(model, &Conditions::default()) };
    let counts = capture::check_built(model, setting)?;
    let budget = json!({
        "setting": setting,
        "captured": {
            "params": counts.params, "forward_flops": counts.forward, "backward_flops": counts.backward
        },
    });
    let pretty = |value: &Value| serde_json::to_string_pretty(value).map(|text| text + "\n");
    Ok(emit(Input {
        model,
        spec: &coec_ir::text::model(model),
        ir: &pretty(&json!({ "model": **model }))?,
        budget: &pretty(&budget)?,
        picture: "",
        link,
    })?)
}

/// What a package of this workspace depends on: the packages of coec, of which coec-tests has every
/// dependency with every feature, so that Burn and what is below it are those already compiled.
fn dependencies(root: &Path) -> String {
    let path = |(name, place): (&str, &str)| format!("{name} = {{ path = {:?} }}\n", root.join(place));
    let coec = [("coec-ir", "crates/coec-ir"), ("coec-nn", "crates/coec-nn"), ("coec-tests", "tests")];
    let used = "burn = { version = \"=0.22.1\", default-features = false }\nserde_json = \"1\"\n";
    coec.map(path).concat() + used
}

/// The release profile of a manifest: another would be another Burn.
fn release_profile(manifest: &str) -> String {
    const HEADER: &str = "[profile.release]";
    let lines = manifest.lines().skip_while(|line| *line != HEADER).skip(1);
    let own = lines.take_while(|line| !line.starts_with('['));
    std::iter::once(HEADER).chain(own).map(|line| format!("{line}\n")).collect()
}

/// The manifest of a crate that stands alone, as a member of this workspace: the package gets a
/// name of its own, and the profile is the workspace's.
fn member(manifest: &str, name: &str, tests_of_the_library: bool) -> String {
    let own = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default();
    let manifest = manifest.replacen(own, &format!("\"alone_{name}\""), 1).replace("[workspace]\n", "");
    let end = manifest.find("# Tests and the example run").unwrap_or(manifest.len());
    format!("{}[lib]\nname = {own}\ntest = {tests_of_the_library}\ndoctest = false\n", &manifest[..end])
}

/// `src/model.rs` with the line in place of another that the README gives for recomputation.
fn recomputed(model: &str, readme: &str) -> Result<String, String> {
    let again = readme.lines().find(|line| line.starts_with("h = crate::recompute("));
    let again = again.ok_or("the README says nothing of recomputation")?;
    let kept = model.lines().find(|line| line.trim_start().starts_with("h = layer.forward(h, &mut pass);"));
    let kept = kept.ok_or("no layer is passed as the README says")?;
    let indent = &kept[..kept.len() - kept.trim_start().len()];
    Ok(model.replacen(kept, &format!("{indent}{again}"), 1))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).ok_or("usage: emit_run FOLDER")?);
    let root = root().canonicalize()?;
    let mut files = Files::new();
    let mut add = |path: String, text: String| files.insert(path, text);

    let link = Link::Path(root.to_string_lossy().into_owned());
    let (mut library, mut tests, mut alone) = (String::new(), String::new(), Vec::new());
    let models = models()?;
    for (name, model) in &models {
        let linked = crate_of(model, Some(&link), Recompute::None)?;
        add(format!("models/src/{name}/mod.rs"), linked["src/lib.rs"].clone());
        add(format!("models/src/{name}/model.rs"), linked["src/model.rs"].clone());
        add(format!("models/ir/{name}.json"), serde_json::to_string(&**model)?);
        library.push_str(&format!("pub mod {name};\n"));
        let biases = if has_biases(model) { ", biases" } else { "" };
        tests
            .push_str(&format!("generated!({name}, models::{name}, coec_nn, \"ir/{name}.json\"{biases});\n"));
        if ALONE.contains(&name.as_str()) {
            let recompute = if name == RECOMPUTED { Recompute::Layers } else { Recompute::None };
            for (path, text) in crate_of(model, None, recompute)? {
                add(format!("alone/{name}/{path}"), text);
            }
            alone.push((name.clone(), biases));
        }
    }
    let known: BTreeSet<_> = alone.iter().map(|(name, _)| name.as_str()).collect();
    if let Some(missing) = ALONE.iter().find(|name| !known.contains(*name)) {
        return Err(format!("there is no model {missing}").into());
    }

    let mut members = String::new();
    let mut dependencies = dependencies(&root);
    for (number, (name, biases)) in alone.iter().enumerate() {
        // The crate itself is left as it is for cargo to check its lock; its member is a copy.
        let from = format!("alone/{name}/");
        let copied: Vec<(String, String)> = files
            .range(from.clone()..)
            .take_while(|(path, _)| path.starts_with(&from))
            .map(|(path, text)| (path[from.len()..].to_string(), text.clone()))
            .collect();
        for (path, text) in copied {
            match path.as_str() {
                "Cargo.lock" => {}
                "src/model.rs" if name == RECOMPUTED => {
                    let readme = &files[&format!("{from}README.md")];
                    let text = recomputed(&text, readme)?;
                    files.insert(format!("member/{name}/{path}"), text);
                }
                "Cargo.toml" => {
                    files.insert(format!("member/{name}/{path}"), member(&text, name, number == 0));
                }
                example if example.starts_with("examples/generate/") => {
                    // Examples of one workspace need names of their own.
                    let file = &example["examples/generate/".len()..];
                    files.insert(format!("member/{name}/examples/{name}/{file}"), text);
                }
                _ => {
                    files.insert(format!("member/{name}/{path}"), text);
                }
            }
        }
        members.push_str(&format!(", \"member/{name}\""));
        // By a key that is not the package's name, so that it is the name in Rust too.
        dependencies.push_str(&format!(
            "own_{name} = {{ package = \"alone_{name}\", path = \"../member/{name}\" }}\n"
        ));
        tests.push_str(&format!(
            "generated!(alone_{name}, own_{name}, own_{name}, \"ir/{name}.json\"{biases});\n"
        ));
    }
    let head = "//! Every generated model.\n\n";
    files.insert("models/src/lib.rs".into(), format!("{head}{library}"));
    files.insert("models/tests/bitwise.rs".into(), include_str!("../emit_run/bitwise.rs").into());
    files.insert("models/list.rs".into(), tests);
    let owned = alone.iter().map(|(name, _)| format!("\"own_{name}/cuda\""));
    let cuda = std::iter::once("\"coec-nn/cuda\"".to_string()).chain(owned).collect::<Vec<_>>().join(", ");
    files.insert(
        "models/Cargo.toml".into(),
        format!(
            "[package]\nname = \"models\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
             [features]\ncuda = [{cuda}]\n\n[lib]\ntest = false\ndoctest = false\n\n\
             [dependencies]\n{dependencies}"
        ),
    );
    // What is generated is compiled faster and not as well: bits do not depend on it.
    let profiles: String = std::iter::once("models".to_string())
        .chain(alone.iter().map(|(name, _)| format!("alone_{name}")))
        .map(|name| format!("[profile.release.package.{name}]\nopt-level = 1\n"))
        .collect();
    files.insert(
        "Cargo.toml".into(),
        format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"models\"{members}]\nexclude = [\"alone\"]\n\n\
             {}\n{profiles}",
            release_profile(&fs::read_to_string(root.join("Cargo.toml"))?)
        ),
    );
    files.insert("Cargo.lock".into(), fs::read_to_string(root.join("Cargo.lock"))?);
    files.insert("rustfmt.toml".into(), fs::read_to_string(root.join("rustfmt.toml"))?);
    write(&out, &files)?;
    println!("{}: {} models, {} of them also alone", out.display(), models.len(), alone.len());
    Ok(())
}

/// Writes what differs and removes what is no longer written, so that cargo compiles what changed.
fn write(out: &Path, files: &Files) -> io::Result<()> {
    for folder in ["models", "alone", "member"] {
        prune(out, &out.join(folder), files)?;
    }
    for (path, text) in files {
        let path = out.join(path);
        if fs::read_to_string(&path).ok().as_deref() != Some(text) {
            fs::create_dir_all(path.parent().unwrap_or(out))?;
            fs::write(path, text)?;
        }
    }
    Ok(())
}

fn prune(out: &Path, folder: &Path, files: &Files) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            prune(out, &path, files)?;
        } else if path.strip_prefix(out).is_ok_and(|path| !files.contains_key(&*path.to_string_lossy())) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
