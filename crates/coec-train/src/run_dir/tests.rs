use proptest::prelude::*;

use super::*;

fn metrics(step: u64) -> Metrics {
    Metrics {
        loss: 2.5,
        aux_loss: 0.01,
        lr: 3e-4,
        grad_norm: 1.0,
        tokens_per_s: 5000.0,
        mfu: 0.25,
        ..Metrics::new(step, step * 512)
    }
}

fn run() -> (tempfile::TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create_next(&folder.path().join("runs"), "quickstart").unwrap();
    (folder, run)
}

fn append(run: &RunDir, lines: &[Metrics]) {
    let mut file = run.metrics().unwrap();
    lines.iter().for_each(|line| file.push(line).unwrap());
}

#[test]
fn runs_are_numbered_from_one_and_parents_are_made() {
    let (folder, first) = run();
    assert_eq!(first.path(), folder.path().join("runs/quickstart-1"));
    let second = RunDir::create_next(&folder.path().join("runs"), "quickstart").unwrap();
    assert_eq!(second.path(), folder.path().join("runs/quickstart-2"));
}

#[test]
fn the_first_free_number_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("m-1")).unwrap();
    fs::write(folder.path().join("m-2"), "a file").unwrap();
    fs::create_dir(folder.path().join("m-4")).unwrap();
    assert_eq!(RunDir::create_next(folder.path(), "m").unwrap().path(), folder.path().join("m-3"));
}

#[test]
fn runs_that_start_at_once_get_their_own_directories() {
    let folder = tempfile::tempdir().unwrap();
    let paths: std::collections::HashSet<PathBuf> = std::thread::scope(|scope| {
        let create = || RunDir::create_next(folder.path(), "m").unwrap().path().to_owned();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(paths.len(), 8);
}

#[test]
fn names_become_file_names() {
    assert_eq!(plain("coe2_4_64"), "coe2_4_64");
    assert_eq!(plain("CoE-2(4/64)"), "CoE-2-4-64");
    assert_eq!(plain("../../etc"), "etc");
    assert_eq!(plain("日本"), "run");
}

#[test]
fn an_explicit_directory_is_made_with_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/c");
    assert_eq!(RunDir::create_at(&path).unwrap().path(), path);
    assert!(path.is_dir());
    RunDir::create_at(&path).unwrap();
}

#[test]
fn an_explicit_directory_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "x").unwrap();
    assert_eq!(RunDir::create_at(folder.path()).unwrap_err().code(), "coec::run::exists");
}

#[test]
fn a_file_is_not_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "x").unwrap();
    assert_eq!(RunDir::create_at(&path).unwrap_err().code(), "coec::run::not_a_directory");
    assert_eq!(RunDir::open(&path).unwrap_err().code(), "coec::run::not_a_directory");
    assert_eq!(RunDir::create_at(&path.join("x")).unwrap_err().code(), "coec::run::uncreatable");
}

#[test]
fn opening_says_which_files_are_missing() {
    let (_folder, run) = run();
    run.write(RunFile::Spec, b"coe()").unwrap();
    let error = RunDir::open(run.path()).unwrap_err();
    assert_eq!(error.code(), "coec::run::incomplete");
    assert!(error.to_string().ends_with("it has no tokenizer.json, model.safetensors"), "{error}");
    run.write(RunFile::Tokenizer, b"{}").unwrap();
    run.write(RunFile::Model, b"").unwrap();
    assert_eq!(RunDir::open(run.path()).unwrap(), run);
}

#[test]
fn opening_what_is_not_there_is_an_error() {
    assert_eq!(RunDir::open(Path::new("no/such/run")).unwrap_err().code(), "coec::run::no_run");
}

#[test]
fn a_line_has_the_fields_of_the_contract() {
    let mut line = metrics(3);
    line.val_loss = Some(2.0);
    let value = serde_json::to_value(&line).unwrap();
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = vec![
        "schema",
        "step",
        "tokens",
        "loss",
        "aux_loss",
        "lr",
        "grad_norm",
        "tokens_per_s",
        "mfu",
        "val_loss",
    ];
    expected.sort_unstable();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
}

#[test]
fn metrics_are_read_back() {
    let (_folder, run) = run();
    let lines = [metrics(1), Metrics { val_loss: Some(2.0), ..metrics(2) }];
    append(&run, &lines);
    assert_eq!(run.read_metrics().unwrap(), lines);
}

#[test]
fn figures_that_are_not_finite_are_null() {
    let (_folder, run) = run();
    append(&run, &[Metrics { loss: f64::INFINITY, val_loss: Some(f64::NAN), ..metrics(1) }]);
    let text = run.read(RunFile::Metrics).unwrap();
    assert!(text.contains("\"loss\":null") && text.contains("\"val_loss\":null"), "{text}");
    let line = &run.read_metrics().unwrap()[0];
    assert!(line.loss.is_nan() && line.val_loss.unwrap().is_nan());
}

#[test]
fn without_evaluation_there_is_no_val_loss() {
    let (_folder, run) = run();
    append(&run, &[metrics(1)]);
    assert!(!run.read(RunFile::Metrics).unwrap().contains("val_loss"));
}

#[test]
fn a_torn_line_is_dropped_and_written_over() {
    let (_folder, run) = run();
    append(&run, &[metrics(1)]);
    let mut text = fs::read(run.file(RunFile::Metrics)).unwrap();
    text.extend_from_slice(b"{\"step\":2,\"tok");
    fs::write(run.file(RunFile::Metrics), text).unwrap();
    assert_eq!(run.read_metrics().unwrap(), [metrics(1)]);
    append(&run, &[metrics(2)]);
    assert_eq!(run.read_metrics().unwrap(), [metrics(1), metrics(2)]);
}

#[test]
fn a_line_that_is_not_one_is_named() {
    let (_folder, run) = run();
    append(&run, &[metrics(1)]);
    let text = run.read(RunFile::Metrics).unwrap() + "nonsense\n";
    fs::write(run.file(RunFile::Metrics), text).unwrap();
    let error = run.read_metrics().unwrap_err();
    assert_eq!(error.code(), "coec::run::bad_line");
    assert!(error.to_string().contains("metrics.jsonl:2:"), "{error}");
}

proptest! {
    #[test]
    fn any_name_stays_in_its_folder(name in "\\PC{0,20}") {
        let plain = plain(&name);
        prop_assert!(!plain.is_empty() && !plain.starts_with('.'));
        prop_assert!(plain.chars().all(|char| char.is_ascii_alphanumeric() || "_.-".contains(char)));
    }

    #[test]
    fn finite_metrics_are_read_back_exactly(loss: f64, step in 0u64..1 << 60) {
        prop_assume!(loss.is_finite());
        let line = Metrics { loss, ..metrics(step & 0xFFFF_FFFF) };
        let again: Metrics = serde_json::from_str(&serde_json::to_string(&line).unwrap()).unwrap();
        prop_assert!((again.loss - loss).abs() <= loss.abs() * 1e-15);
    }
}
