use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use safetensors::SafeTensors;
use tempfile::TempDir;

use super::*;

fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    (folder, path)
}

const A: [f32; 6] = [0.0, -1.5, 2.0, f32::MIN_POSITIVE, 3.25, -0.0];
const B: [i64; 2] = [7, -9];

fn sample(path: &Path) {
    let tensors: [(&str, &[usize], Values); 3] = [
        ("a", &[2, 3], Values::F32(&A)),
        ("half", &[1], Values::Bytes(Dtype::BF16, &[0x80, 0x3F])),
        ("b", &[2], Values::I64(&B)),
    ];
    write(path, &tensors, &[("format", "pt"), ("by", "coec")]).unwrap();
}

/// A file of a header and some data.
fn raw(header: &str, data: usize) -> (TempDir, PathBuf) {
    let (folder, path) = file();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn code(path: &Path) -> &'static str {
    Weights::open(path).unwrap_err().code()
}

#[test]
fn what_is_written_is_read() {
    let (_folder, path) = file();
    sample(&path);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.shape("a").unwrap(), [2, 3]);
    assert_eq!(weights.f32("a").unwrap().map_bits(), A.to_vec().map_bits());
    assert_eq!(weights.i64("b").unwrap(), B);
    assert_eq!(weights.f32("half").unwrap(), [1.0]);
    assert_eq!(weights.metadata()["format"], "pt");
}

trait MapBits {
    fn map_bits(&self) -> Vec<u32>;
}

impl MapBits for Vec<f32> {
    fn map_bits(&self) -> Vec<u32> {
        self.iter().map(|value| value.to_bits()).collect()
    }
}

#[test]
fn the_safetensors_crate_reads_the_same() {
    let (_folder, path) = file();
    sample(&path);
    let bytes = fs::read(&path).unwrap();
    let theirs = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(theirs.tensor("b").unwrap().data(), [7i64.to_le_bytes(), (-9i64).to_le_bytes()].concat());
    assert_eq!(theirs.tensor("a").unwrap().shape(), [2, 3]);
}

#[test]
fn wider_numbers_come_first_and_the_order_given_stays() {
    let (_folder, path) = file();
    sample(&path);
    assert_eq!(Weights::open(&path).unwrap().names().collect::<Vec<_>>(), ["b", "a", "half"]);
}

#[test]
fn the_same_tensors_give_the_same_bytes() {
    let (_folder, path) = file();
    sample(&path);
    let once = fs::read(&path).unwrap();
    sample(&path);
    assert_eq!(fs::read(&path).unwrap(), once);
}

#[test]
fn tensors_may_be_written_in_any_order() {
    let (_folder, path) = file();
    let announced = |name: &str| Announced { name: name.into(), dtype: Dtype::F32, shape: vec![1] };
    let mut writer = Writer::create(&path, &[announced("x"), announced("y")], &[]).unwrap();
    writer.write("y", Values::F32(&[2.0])).unwrap();
    writer.write("x", Values::F32(&[1.0])).unwrap();
    writer.finish().unwrap();
    let weights = Weights::open(&path).unwrap();
    assert_eq!((weights.f32("x").unwrap(), weights.f32("y").unwrap()), (vec![1.0], vec![2.0]));
}

#[test]
fn a_tensor_must_be_written_as_announced() {
    let (folder, path) = file();
    let announced = [Announced { name: "x".into(), dtype: Dtype::F32, shape: vec![2] }];
    let mut writer = Writer::create(&path, &announced, &[]).unwrap();
    for (name, values) in
        [("y", Values::F32(&[0.0; 2])), ("x", Values::F32(&[0.0])), ("x", Values::I64(&[0]))]
    {
        assert_eq!(writer.write(name, values).unwrap_err().code(), "coec::weights::announced");
    }
    assert!(writer.finish().unwrap_err().to_string().contains("it is missing"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn two_tensors_of_one_name_are_refused() {
    let (_folder, path) = file();
    let twice: [(&str, &[usize], Values); 2] =
        [("x", &[1], Values::F32(&[1.0])), ("x", &[1], Values::F32(&[2.0]))];
    assert_eq!(write(&path, &twice, &[]).unwrap_err().code(), "coec::weights::announced");
}

#[test]
fn a_check_lists_all_that_differs() {
    let (_folder, path) = file();
    sample(&path);
    let weights = Weights::open(&path).unwrap();
    let expected: [(&str, &[usize]); 4] = [("a", &[3, 2]), ("b", &[2]), ("c", &[1]), ("d", &[1])];
    let error = weights.check(&expected).unwrap_err();
    assert_eq!(error.code(), "coec::weights::mismatch");
    let text = error.to_string();
    let end = "does not fit the model: 2 missing: `c`, `d`; 1 surplus: `half`; 1 misshapen: `a` [2, 3] (expected [3, 2])";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let (_folder, path) = file();
    write(&path, &[], &[]).unwrap();
    let expected: Vec<(String, [usize; 0])> = (0..20).map(|i| (format!("t{i}"), [])).collect();
    let error = Weights::open(&path).unwrap().check(&expected).unwrap_err();
    assert!(error.to_string().ends_with("`t6`, `t7` and 12 more"), "{error}");
}

#[test]
fn the_right_tensors_pass() {
    let (_folder, path) = file();
    sample(&path);
    let expected: [(&str, &[usize]); 3] = [("half", &[1]), ("a", &[2, 3]), ("b", &[2])];
    Weights::open(&path).unwrap().check(&expected).unwrap();
}

#[test]
fn a_missing_tensor_and_a_wrong_kind_are_named() {
    let (_folder, path) = file();
    sample(&path);
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.f32("zz").unwrap_err().code(), "coec::weights::no_tensor");
    let error = weights.f32("b").unwrap_err();
    assert_eq!(error.code(), "coec::weights::wrong_dtype");
    assert!(error.to_string().contains("`b`") && error.to_string().contains("I64"), "{error}");
    assert_eq!(weights.i64("a").unwrap_err().code(), "coec::weights::wrong_dtype");
}

#[test]
fn a_truncated_file_is_found_before_it_is_used() {
    let (_folder, path) = file();
    sample(&path);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(code(&path), "coec::weights::length");
}

#[test]
fn a_header_longer_than_the_file_takes_no_memory() {
    let (_folder, path) = file();
    fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    assert_eq!(code(&path), "coec::weights::invalid");
    fs::write(&path, 99_999_999u64.to_le_bytes()).unwrap();
    assert_eq!(code(&path), "coec::weights::invalid");
}

#[test]
fn a_tensor_longer_than_the_file_takes_no_memory() {
    let (_folder, path) =
        raw(r#"{"x":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#, 4);
    assert_eq!(code(&path), "coec::weights::length");
}

#[test]
fn headers_that_contradict_themselves_are_invalid() {
    for header in [
        r#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
        r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
        r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#,
        r#"{"x":{"dtype":"F32","shape":[18446744073709551615,2],"data_offsets":[0,4]}}"#,
        r#"{"x":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        r#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        "[]",
        "not json",
    ] {
        let (_folder, path) = raw(header, 4);
        assert_eq!(code(&path), "coec::weights::invalid", "{header}");
    }
}

#[test]
fn a_missing_file_is_unreadable() {
    assert_eq!(code(Path::new("no/such.safetensors")), "coec::weights::unreadable");
}

proptest! {
    #[test]
    fn a_damaged_file_opens_or_is_an_error(at in 0usize..200, byte: u8) {
        let (_folder, path) = file();
        sample(&path);
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        fs::write(&path, bytes).unwrap();
        if let Ok(weights) = Weights::open(&path) {
            for name in weights.names() {
                weights.bytes(name).unwrap();
            }
        }
    }

    #[test]
    fn any_bytes_open_or_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (_folder, path) = file();
        fs::write(&path, bytes).unwrap();
        let _ = Weights::open(&path);
    }
}
