//! The modules against independent PyTorch code, see tests/parity/README.md: logits, losses and
//! every gradient of whole models, in f32 and in bf16.

mod common;

use std::collections::HashMap;
use std::path::Path;

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use coec_ir::Precision;
use coec_lang::load_one;
use coec_nn::{LanguageModel, Manner, Source, cross_entropy};
use coec_store::folder::{self, Folder};
use coec_store::weights::Weights;
use coec_tests::device::{Tested, tested};
use coec_tests::errors::relative;
use common::{Repository, files, root};

/// Largest relative error, in the Frobenius norm, of a whole model's logits, losses and gradients.
const TOLERANCE: f64 = 1e-4;
/// The same of gradients on a GPU.
const TOLERANCE_OF_GRADIENTS: f64 = 1e-3;

/// How far a model is from its golden.
struct Errors {
    name: String,
    logits: f64,
    losses: f64,
    /// The worst of all gradients.
    gradients: f64,
    worst: String,
}

/// What of a golden a model is held against: the start of the names, and what the gradients' start with.
#[derive(Clone, Copy)]
struct Part {
    results: &'static str,
    gradients: &'static str,
}

/// What most goldens have.
const ALL: Part = Part { results: "", gradients: "grad." };

/// Runs the model of a spec with given weights against a golden.
fn compare(name: &str, spec: &str, weights: impl Fn(&str) -> Vec<f32>, golden: &Weights) -> Errors {
    compare_in(Precision::F32, ALL, name, spec, weights, golden)
}

/// The same in a precision against a part of it.
fn compare_in(
    precision: Precision,
    part: Part,
    name: &str,
    spec: &str,
    weights: impl Fn(&str) -> Vec<f32>,
    golden: &Weights,
) -> Errors {
    let expected = |what: &str| golden.f32(&format!("{}{what}", part.results)).unwrap();
    let device = tested().device.autodiff();
    let spec = load_one(spec, &[], &Repository).unwrap_or_else(|e| panic!("{}", common::lines(&e)));
    let model = LanguageModel::new(&spec.model, &device, Source::Zeros)
        .unwrap()
        .load(|param| Ok(weights(&param.name)))
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let ids = |name: &str| {
        let shape: [usize; 2] = golden.shape(name).unwrap().try_into().unwrap();
        let ids: Vec<i32> = golden.i64(name).unwrap().into_iter().map(|id| id as i32).collect();
        Tensor::<2, Int>::from_data(TensorData::new(ids, shape), &device)
    };
    let floats = |data: TensorData| data.iter::<f32>().collect::<Vec<_>>();
    let forward = model.forward_as(ids("tokens"), Manner { precision, ..Manner::default() });
    let logits = relative(&floats(forward.logits.clone().tensor().to_data()), &expected("logits"));
    let loss = cross_entropy(forward.logits, ids("targets"));
    let mut losses = relative(&floats(loss.to_data()), &expected("loss"));
    let aux_loss = forward.aux_loss.unwrap_or_else(|| Tensor::zeros([1], &device));
    if golden.contains("aux_loss") {
        losses = losses.max(relative(&floats(aux_loss.to_data()), &expected("aux_loss")));
    }
    let grads = GradientsParams::from_grads((loss + aux_loss).backward(), &model);
    let mut found: HashMap<String, Vec<f32>> =
        model.gradients(&grads).into_iter().map(|(param, grad)| (param.name, grad)).collect();
    let (mut gradients, mut worst) = (0.0, String::new());
    for of in golden.names().filter_map(|name| name.strip_prefix(part.gradients)) {
        let grad = found.remove(of).unwrap_or_else(|| panic!("{name}: the model has no {of}"));
        let error = relative(&grad, &golden.f32(&format!("{}{of}", part.gradients)).unwrap());
        if error >= gradients {
            (gradients, worst) = (error, of.to_string());
        }
    }
    assert!(found.is_empty(), "{name}: the golden has no gradient of {:?}", found.keys());
    Errors { name: name.into(), logits, losses, gradients, worst }
}

/// Every model of the language's own goldens.
fn chains() -> Vec<Errors> {
    let folder = "tests/parity/goldens/chains";
    let specs = files(folder, "coe");
    assert!(specs.len() >= 97, "goldens are missing");
    let one = |spec: &String| {
        let name = Path::new(spec).file_stem().unwrap().to_str().unwrap();
        let golden = Weights::open(&root().join(format!("{folder}/{name}.safetensors"))).unwrap();
        compare(name, spec, |tensor| golden.f32(&format!("weight.{tensor}")).unwrap(), &golden)
    };
    specs.iter().map(one).collect()
}

/// Every folder of the goldens, through an import: the settings and names of `transformers`, and the
/// way back.
fn families() -> Vec<Errors> {
    let folder = "tests/parity/goldens/families";
    let configs = files(folder, "json")
        .into_iter()
        .filter_map(|path| path.strip_suffix("/config.json").map(str::to_string));
    let configs: Vec<String> = configs.collect();
    assert!(configs.len() >= 18, "goldens are missing");
    configs.iter().map(|path| family(&path[folder.len() + 1..], path)).collect()
}

fn family(name: &str, path: &str) -> Errors {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("out");
    let source = Folder::open(&root().join(path)).unwrap();
    let spec = |import: &coec_hf::Import, _| coec_ir::text::model(&import.model);
    let imported = folder::import(&source, "imported", None, &out, spec, &mut |_, _| ()).unwrap();

    // The way back: the same settings, the same tensors, bit for bit.
    let back = scratch.path().join("back");
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    let golden = Weights::open(&root().join(path).join("golden.safetensors")).unwrap();
    if imported.is_converted {
        return compare(name, &format!("{path}/model.coe"), |tensor| weights.f32(tensor).unwrap(), &golden);
    }
    folder::export(&out, &weights, &imported.import.model, None, 10_000, &back, &mut |_, _| ()).unwrap();
    let back = Folder::open(&back).unwrap();
    assert_eq!(source.config(), back.config(), "{name}");
    assert_eq!(source.shapes().unwrap(), back.shapes().unwrap(), "{name}");
    for (tensor, _) in source.shapes().unwrap() {
        let bytes = |folder: &Folder| folder.weights(tensor).unwrap().bytes(tensor).unwrap();
        assert_eq!(bytes(&source), bytes(&back), "{name}: {tensor}");
    }

    compare(name, &format!("{path}/model.coe"), |tensor| weights.f32(tensor).unwrap(), &golden)
}

/// Holds the errors within the tolerance. The table of docs/numerics.md is what this prints.
fn hold(errors: &[Errors]) {
    let page = common::text("docs/numerics.md");
    let of_gradients = if tested().is_exact { TOLERANCE } else { TOLERANCE_OF_GRADIENTS };
    for Errors { name, logits, losses, gradients, .. } in errors {
        println!("| `{name}` | {logits:.0e} | {losses:.0e} | {gradients:.0e} |");
    }
    for Errors { name, logits, losses, gradients, worst } in errors {
        assert!(*logits < TOLERANCE, "{name}: logits differ by {logits:e}");
        assert!(*losses < TOLERANCE, "{name}: losses differ by {losses:e}");
        assert!(*gradients < of_gradients, "{name}: the gradient of {worst} differs by {gradients:e}");
    }
    let names = errors.iter().map(|errors| errors.name.as_str());
    let unlisted: Vec<_> = names.filter(|name| !page.contains(&format!("\n| `{name}` |"))).collect();
    assert!(unlisted.is_empty(), "docs/numerics.md has no row for {unlisted:?}");
}

/// Products of small and large matrices on the device, whose results are known.
#[test]
fn products_of_every_size_are_right() {
    let Tested { device, most, .. } = tested();
    for size in [1, 5, 16, 33, 64, 100, 257, 1000, most] {
        // Each row of either factor is one number many times, which takes all bits of f32.
        let number = |row: usize, by: usize| 0.1 + ((row * by) % 7) as f32 / 3.0;
        let factor = |by: usize| {
            let values: Vec<f32> = (0..size * size).map(|at| number(at / size, by)).collect();
            Tensor::<2>::from_data(TensorData::new(values, [size, size]), &device)
        };
        let product = coec_kernels::linear(factor(3), factor(5), coec_kernels::Precision::F32).into_data();
        let worst = product.iter::<f32>().enumerate().map(|(at, found)| {
            let expected = size as f32 * number(at / size, 3) * number(at % size, 5);
            f64::from(found / expected - 1.0).abs()
        });
        let worst = worst.fold(0.0, f64::max);
        println!("products of {size}: {worst:.0e}");
        assert!(worst < TOLERANCE, "products of {size} differ by {worst:e}");
    }
}

/// What the goldens of bf16 are held against, and how far logits and gradients may be: PyTorch with the same
/// factors rounded, its gates' gradients made of the same rounded factor; of the outputs of experts, as they are
/// defined; and its own autocast, under the weights that training begins with.
const IN_BF16: [(&str, Part, [f64; 2]); 3] = [
    ("as made", ALL, [1e-3, 1e-2]),
    ("as defined", Part { results: "", gradients: "defined.grad." }, [1e-3, 5e-2]),
    ("autocast", Part { results: "autocast.", gradients: "autocast.grad." }, [2e-2, 2e-2]),
];

#[test]
fn bf16_agrees_with_the_definition_in_pytorch_and_with_autocast() {
    let folder = "tests/parity/goldens/bf16";
    let (specs, page) = (files(folder, "coe"), common::text("docs/numerics.md"));
    assert!(specs.len() >= 4, "goldens are missing");
    let of =
        |path: &String| path.strip_suffix(".coe").map(|stem| [stem.to_string(), format!("{stem}_initial")]);
    for stem in specs.iter().filter_map(of).flatten() {
        let name = Path::new(&stem).file_name().unwrap().to_str().unwrap();
        let golden = Weights::open(&root().join(format!("{stem}.safetensors"))).unwrap();
        let spec = format!("{}.coe", stem.trim_end_matches("_initial"));
        let weights = |tensor: &str| golden.f32(&format!("weight.{tensor}")).unwrap();
        let mut row = format!("| `bf16/{name}` |");
        for (what, part, [of_logits, of_gradients]) in IN_BF16 {
            if !golden.contains(&format!("{}logits", part.results)) {
                continue;
            }
            let found = compare_in(Precision::Bf16, part, name, &spec, weights, &golden);
            row += &format!(" {:.0e} | {:.0e} |", found.logits, found.gradients);
            assert!(found.logits < of_logits, "{name}, {what}: logits differ by {:e}", found.logits);
            assert!(found.losses < of_logits, "{name}, {what}: losses differ by {:e}", found.losses);
            let Errors { gradients, worst, .. } = found;
            assert!(
                gradients < of_gradients,
                "{name}, {what}: the gradient of {worst} differs by {gradients:e}"
            );
        }
        println!("{row}");
        assert!(page.contains(&format!("\n| `bf16/{name}` |")), "docs/numerics.md has no row for {name}");
        let whole = compare(name, &spec, weights, &golden);
        assert!(whole.logits > 1e-3, "{name}: f32 is within {:e}", whole.logits);
    }
}

#[test]
fn imported_families_agree_with_transformers_and_go_back_bit_for_bit() {
    hold(&families());
}

#[test]
fn every_word_agrees_with_the_definition_in_pytorch() {
    hold(&chains());
}
