//! Folders of FP8 made by hand, against the definition of its numbers, computed another way.

use std::fs;
use std::path::{Path, PathBuf};

use half::bf16;
use serde_json::{Value, json};

use super::*;
use crate::weights::{self, Dtype, Values, Weights};

/// Rows and columns of a block: neither divides the sides of the matrices here.
const BLOCK: [usize; 2] = [2, 3];

/// A tensor of a folder: its name, kind of numbers, shape, and bytes.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// Numbers that look random and are the same each time.
fn bytes(count: usize, seed: usize) -> Vec<u8> {
    (0..count).map(|n| ((n + 31 * seed).wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

/// A factor for each block, as f32: none is a power of two.
fn factors(count: usize, seed: usize) -> Vec<f32> {
    bytes(count, seed).iter().map(|&byte| (f32::from(byte) + 1.5) / 773.0).collect()
}

fn little_endian(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A small folder of the family qwen3_moe whose matrices but for embedding, head and routers are FP8.
fn folder(config_changes: &[(&str, Value)]) -> (String, Vec<Stored>) {
    let mut config = json!({
        "model_type": "qwen3_moe", "vocab_size": 5, "hidden_size": 8, "moe_intermediate_size": 5,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
        "num_experts": 2, "num_experts_per_tok": 1, "max_position_embeddings": 8, "torch_dtype": "bfloat16",
        "quantization_config": {
            "activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8", "weight_block_size": BLOCK,
        },
    });
    for (key, value) in config_changes {
        config[key] = value.clone();
    }
    let import = coec_hf::import(&config.to_string(), "a").unwrap();
    let mut stored = Vec::new();
    for (seed, tensor) in import.tensors().into_iter().enumerate() {
        let count = tensor.shape.iter().product::<usize>();
        let is_plain = ["embed_tokens", "lm_head", "mlp.gate."].iter().any(|part| tensor.hf.contains(part));
        if tensor.shape.len() == 1 || is_plain {
            let numbers = factors(count, seed);
            let halves = numbers.iter().flat_map(|&number| bf16::from_f32(number).to_le_bytes());
            stored.push((tensor.hf, Dtype::BF16, tensor.shape, halves.collect()));
            continue;
        }
        let sides = [tensor.shape[0].div_ceil(BLOCK[0]), tensor.shape[1].div_ceil(BLOCK[1])];
        let scales = little_endian(&factors(sides[0] * sides[1], seed));
        stored.push((format!("{}_scale_inv", tensor.hf), Dtype::F32, sides.to_vec(), scales));
        // Neither of these two codes is a number.
        let mut codes = bytes(count, seed);
        (codes[0], codes[count - 1]) = (0x7F, 0xFF);
        stored.push((tensor.hf, Dtype::F8_E4M3, tensor.shape, codes));
    }
    (config.to_string(), stored)
}

fn save(at: &Path, config: &str, stored: &[Stored]) {
    fs::create_dir_all(at).unwrap();
    fs::write(at.join("config.json"), config).unwrap();
    file(&at.join("model.safetensors"), stored);
}

fn file(path: &Path, stored: &[Stored]) {
    let tensors: Vec<_> = stored
        .iter()
        .map(|(name, dtype, shape, bytes)| (name.as_str(), shape.as_slice(), Values::Bytes(*dtype, bytes)))
        .collect();
    weights::write(path, &tensors, &[]).unwrap();
}

fn scratch() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (at, out) = (dir.path().join("in"), dir.path().join("out"));
    (dir, at, out)
}

fn take(at: &Path, dtype: Option<Dtype>, out: &Path) -> Result<Imported, FolderError> {
    let spec = |import: &coec_hf::Import, _| coec_ir::text::model(&import.model);
    import(&Folder::open(at)?, "a", dtype, out, spec, &mut |_, _| ())
}

/// What a byte of E4M3 says, from its bits: a sign, four of exponent, three of mantissa.
fn number(byte: u8) -> f64 {
    let (exponent, mantissa) = (f64::from(byte >> 3 & 15), f64::from(byte & 7) / 8.0);
    let magnitude = match byte & 0x7F {
        0x7F => f64::NAN,
        code if code < 8 => mantissa * 2f64.powf(-6.0),
        _ => (1.0 + mantissa) * 2f64.powf(exponent - 7.0),
    };
    if byte >= 0x80 { -magnitude } else { magnitude }
}

/// The products of a tensor of the folder with its factors, exactly: both fit into f64 together.
fn products(stored: &[Stored], name: &str) -> Vec<f64> {
    let find = |name: &str| stored.iter().find(|tensor| tensor.0 == name).unwrap();
    let (_, _, shape, codes) = find(name);
    let (_, _, scales, factors) = find(&format!("{name}_scale_inv"));
    let factor = |at: usize| f32::from_le_bytes(factors[4 * at..][..4].try_into().unwrap());
    let place = |at: usize| at / shape[1] / BLOCK[0] * scales[1] + at % shape[1] / BLOCK[1];
    codes.iter().enumerate().map(|(at, &code)| number(code) * f64::from(factor(place(at)))).collect()
}

/// The nearest bf16, the even one of two: among all of them.
fn nearest(product: f64) -> bf16 {
    let all = (0..=u16::MAX).map(bf16::from_bits).filter(|half| half.is_finite());
    let distance = |half: &bf16| (half.to_f64() - product).abs();
    let key = |half: &bf16| (distance(half), half.to_bits() & 1);
    all.min_by(|a, b| key(a).partial_cmp(&key(b)).unwrap()).unwrap()
}

#[test]
fn every_number_is_its_code_times_its_factor() {
    let (_dir, at, out) = scratch();
    let (config, stored) = folder(&[]);
    save(&at, &config, &stored);
    let imported = take(&at, None, &out).unwrap();
    assert!(imported.is_converted && imported.import.quantization.is_some() && imported.carried.is_empty());
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    let mut compared = 0;
    for (name, dtype, ..) in stored.iter().filter(|tensor| !tensor.0.ends_with("_scale_inv")) {
        if *dtype != Dtype::F8_E4M3 {
            assert_eq!(weights.dtype(name).unwrap(), Dtype::BF16, "{name} stays as it is");
            continue;
        }
        assert_eq!(weights.dtype(name).unwrap(), Dtype::F32);
        for (found, expected) in weights.f32(name).unwrap().into_iter().zip(products(&stored, name)) {
            assert!(found.is_nan() == expected.is_nan());
            assert!(expected.is_nan() || found == expected as f32, "{name}: {found:e} for {expected:e}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * 8 * 8 + 2 * 4 * 8 + 2 * 3 * 5 * 8);
}

/// As bf16 each is rounded once, from the product: of f32 that was rounded before, some ties would fall
/// otherwise.
#[test]
fn bf16_is_rounded_once() {
    let (_dir, at, out) = scratch();
    let (config, stored) = folder(&[]);
    save(&at, &config, &stored);
    take(&at, Some(Dtype::BF16), &out).unwrap();
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    for (found, expected) in weights.f32(name).unwrap().into_iter().zip(products(&stored, name)) {
        assert!(if expected.is_nan() { found.is_nan() } else { found == nearest(expected).to_f32() });
    }
    let kept: Value = serde_json::from_str(&fs::read_to_string(out.join("hf/config.json")).unwrap()).unwrap();
    assert_eq!(kept["torch_dtype"], "bfloat16");
}

/// An export is an ordinary folder: its settings name no quantisation, and the precision that it has.
#[test]
fn the_way_back_is_not_quantised() {
    let (dir, at, out) = scratch();
    let (config, stored) = folder(&[("num_nextn_predict_layers", Value::Null)]);
    save(&at, &config, &stored);
    let imported = take(&at, None, &out).unwrap();
    let back = dir.path().join("back");
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    export(&out, &weights, &imported.import.model, None, 100, &back, &mut |_, _| ()).unwrap();
    let kept: Value = serde_json::from_str(Folder::open(&back).unwrap().config()).unwrap();
    let mut expected: Value = serde_json::from_str(&config).unwrap();
    expected.as_object_mut().unwrap().remove("quantization_config");
    expected["torch_dtype"] = "float32".into();
    assert_eq!(kept, expected);
    // And what was exported is what was imported.
    let again = dir.path().join("again");
    assert!(!take(&back, None, &again).unwrap().is_converted);
    let again = Weights::open(&again.join("model.safetensors")).unwrap();
    for name in weights.names() {
        assert_eq!(weights.bytes(name).unwrap(), again.bytes(name).unwrap(), "{name}");
    }
}

/// Factors may be bf16, as Qwen's are, and stand in another shard than what they are for.
#[test]
fn factors_in_another_shard_and_of_another_kind() {
    let (_dir, at, out) = scratch();
    let (config, mut stored) = folder(&[]);
    for (_, dtype, _, bytes) in stored.iter_mut().filter(|tensor| tensor.0.ends_with("_scale_inv")) {
        let numbers = bytes.as_chunks::<4>().0.iter().map(|&number| f32::from_le_bytes(number));
        *bytes = numbers.flat_map(|number| bf16::from_f32(number).to_le_bytes()).collect();
        *dtype = Dtype::BF16;
    }
    let (scales, others): (Vec<Stored>, Vec<Stored>) =
        stored.iter().cloned().partition(|tensor| tensor.0.ends_with("_scale_inv"));
    save(&at, &config, &others);
    fs::rename(at.join("model.safetensors"), at.join("a.safetensors")).unwrap();
    file(&at.join("b.safetensors"), &scales);
    let places = [(&others, "a.safetensors"), (&scales, "b.safetensors")];
    let map: serde_json::Map<String, Value> = places
        .iter()
        .flat_map(|(tensors, file)| tensors.iter().map(|tensor| (tensor.0.clone(), (*file).into())))
        .collect();
    let index = json!({ "weight_map": map }).to_string();
    fs::write(at.join("model.safetensors.index.json"), index).unwrap();
    take(&at, None, &out).unwrap();
    for (_, dtype, _, bytes) in stored.iter_mut().filter(|tensor| tensor.0.ends_with("_scale_inv")) {
        let numbers = bytes.as_chunks::<2>().0.iter().map(|&half| bf16::from_le_bytes(half).to_f32());
        (*bytes, *dtype) = (little_endian(&numbers.collect::<Vec<_>>()), Dtype::F32);
    }
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    let name = "model.layers.0.mlp.experts.1.down_proj.weight";
    for (found, expected) in weights.f32(name).unwrap().into_iter().zip(products(&stored, name)) {
        assert!(if expected.is_nan() { found.is_nan() } else { found == expected as f32 });
    }
}

/// A layer beyond the model's becomes what the others become.
#[test]
fn what_is_carried_is_not_quantised_either() {
    let (_dir, at, out) = scratch();
    let config = json!({
        "model_type": "deepseek_v3", "vocab_size": 5, "hidden_size": 8, "moe_intermediate_size": 5,
        "intermediate_size": 7, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "kv_lora_rank": 4, "q_lora_rank": 3, "qk_nope_head_dim": 4, "qk_rope_head_dim": 4, "v_head_dim": 4,
        "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "n_shared_experts": 1,
        "first_k_dense_replace": 0, "max_position_embeddings": 8,
        "quantization_config": {"quant_method": "fp8", "weight_block_size": BLOCK},
    });
    let import = coec_hf::import(&config.to_string(), "a").unwrap();
    let mut stored: Vec<Stored> = Vec::new();
    for tensor in import.tensors() {
        let zeros = vec![0; 4 * tensor.shape.iter().product::<usize>()];
        stored.push((tensor.hf, Dtype::F32, tensor.shape, zeros));
    }
    let name = "model.layers.1.eh_proj.weight";
    stored.push((name.into(), Dtype::F8_E4M3, vec![3, 4], bytes(12, 5)));
    let scales = little_endian(&factors(4, 5));
    stored.push((format!("{name}_scale_inv"), Dtype::F32, vec![2, 2], scales));
    save(&at, &config.to_string(), &stored);
    let imported = take(&at, None, &out).unwrap();
    assert_eq!(imported.carried.len(), 1);
    let carried = Weights::open(&out.join("hf/carried.safetensors")).unwrap();
    assert_eq!(carried.names().collect::<Vec<_>>(), [name]);
    for (found, expected) in carried.f32(name).unwrap().into_iter().zip(products(&stored, name)) {
        assert!(if expected.is_nan() { found.is_nan() } else { found == expected as f32 });
    }
}

#[test]
fn what_is_no_fp8_with_its_factors() {
    let (_dir, at, out) = scratch();
    let (config, stored) = folder(&[]);
    let name = "model.layers.0.self_attn.q_proj.weight";
    let code = |config: &str, change: &dyn Fn(&mut Stored) -> bool| {
        let mut stored = stored.clone();
        stored.retain_mut(change);
        save(&at, config, &stored);
        let error = take(&at, None, &out).unwrap_err();
        assert!(!out.exists() && error.is_input());
        (error.code(), error.to_string())
    };
    let scale = format!("{name}_scale_inv");
    let (found, words) = code(&config, &|tensor| tensor.0 != scale);
    assert_eq!(found, "coec::folder::factors");
    assert_eq!(words, format!("`{name}` is FP8, and has no `{scale}`"));
    let (found, words) = code(&config, &|tensor| {
        if tensor.0 == scale {
            (tensor.2, tensor.3) = (vec![3, 4], vec![0; 48]);
        }
        true
    });
    assert_eq!(found, "coec::folder::factors");
    assert!(
        words.ends_with(&format!("needs factors of the shape [4, 3], and `{scale}` is [3, 4]")),
        "{words}"
    );
    let turned = |tensor: &mut Stored, to: Dtype| {
        if tensor.0 == name {
            tensor.1 = to;
        }
        true
    };
    assert_eq!(code(&config, &|tensor| turned(tensor, Dtype::F8_E5M2)).0, "coec::folder::dtype");
    // Without the setting that says so, nobody knows of blocks; nor by another method.
    let (plain, _) = folder(&[("quantization_config", Value::Null)]);
    assert_eq!(code(&plain, &|tensor| !tensor.0.ends_with("_scale_inv")).0, "coec::folder::dtype");
    let (other, _) = folder(&[("quantization_config", json!({"quant_method": "gptq", "bits": 4}))]);
    assert_eq!(code(&other, &|_| true).0, "coec::hf::refused");
}

/// Any folder may be imported in another precision: numbers are rounded to the nearest, and none becomes
/// infinite.
#[test]
fn another_precision() {
    let (_dir, at, out) = scratch();
    let config = json!({
        "model_type": "qwen3_moe", "vocab_size": 5, "hidden_size": 8, "moe_intermediate_size": 5,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 4,
        "num_experts": 2, "num_experts_per_tok": 1, "max_position_embeddings": 8, "dtype": "float32",
    });
    let import = coec_hf::import(&config.to_string(), "a").unwrap();
    let stored = |largest: f32| -> Vec<Stored> {
        let tensors = import.tensors().into_iter();
        let bytes = |shape: &[usize]| {
            let mut numbers = factors(shape.iter().product(), 3);
            numbers[0] = largest;
            little_endian(&numbers)
        };
        tensors.map(|tensor| (tensor.hf, Dtype::F32, tensor.shape.clone(), bytes(&tensor.shape))).collect()
    };
    save(&at, &config.to_string(), &stored(1.0 + 2f32.powi(-8)));
    assert!(take(&at, Some(Dtype::BF16), &out).unwrap().is_converted);
    let weights = Weights::open(&out.join("model.safetensors")).unwrap();
    assert_eq!(weights.f32("model.norm.weight").unwrap()[0], 1.0, "ties to even");
    let kept: Value = serde_json::from_str(&fs::read_to_string(out.join("hf/config.json")).unwrap()).unwrap();
    assert_eq!(kept["dtype"], "bfloat16");
    fs::remove_dir_all(&out).unwrap();
    // In the precision that it has, a folder is copied.
    assert!(!take(&at, Some(Dtype::F32), &out).unwrap().is_converted);
    assert_eq!(fs::read_to_string(out.join("hf/config.json")).unwrap(), config.to_string());
    fs::remove_dir_all(&out).unwrap();
    save(&at, &config.to_string(), &stored(70_000.0));
    let error = take(&at, Some(Dtype::F16), &out).unwrap_err();
    assert_eq!(error.code(), "coec::weights::overflow");
    assert!(error.to_string().ends_with("has a number that F16 cannot hold"), "{error}");
    assert!(!out.exists());
}
