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
        seconds: 0.5,
        ..Metrics::new(step, step * 512)
    }
}

/// The next run of a name.
fn next(parent: &Path, name: &str) -> RunDir {
    let place = Place::Next { parent: parent.to_owned(), name: name.into() };
    place.begin(disk::system(), &mut |run| run.write(RunFile::Tokenizer, b"{}")).unwrap()
}

/// A run in a given directory.
fn at(path: &Path) -> Result<RunDir, RunError> {
    Place::At(path.to_owned()).begin(disk::system(), &mut |run| run.write(RunFile::Tokenizer, b"{}"))
}

fn run() -> (tempfile::TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = next(&folder.path().join("runs"), "quickstart");
    (folder, run)
}

/// Adds lines behind those there are.
fn append(run: &RunDir, lines: &[Metrics]) {
    let there = if run.file(RunFile::Metrics).exists() { run.read_metrics().unwrap().len() } else { 0 };
    let mut log = run.metrics(LogState { lines: there as u64, waiting: Vec::new() });
    lines.iter().for_each(|line| log.push(line).unwrap());
}

#[test]
fn runs_are_numbered_from_one_and_parents_are_made() {
    let (folder, first) = run();
    assert_eq!(first.path(), folder.path().join("runs/quickstart-1"));
    let second = next(&folder.path().join("runs"), "quickstart");
    assert_eq!(second.path(), folder.path().join("runs/quickstart-2"));
}

#[test]
fn the_first_free_number_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("m-1")).unwrap();
    fs::write(folder.path().join("m-2"), "a file").unwrap();
    fs::create_dir(folder.path().join("m-4")).unwrap();
    assert_eq!(next(folder.path(), "m").path(), folder.path().join("m-3"));
}

#[test]
fn runs_that_start_at_once_get_their_own_directories() {
    let folder = tempfile::tempdir().unwrap();
    let paths: std::collections::HashSet<PathBuf> = std::thread::scope(|scope| {
        let create = || next(folder.path(), "m").path().to_owned();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(paths.len(), 8);
}

#[test]
fn names_become_file_names() {
    assert_eq!(place::plain("coe2_4_64"), "coe2_4_64");
    assert_eq!(place::plain("CoE-2(4/64)"), "CoE-2-4-64");
    assert_eq!(place::plain("../../etc"), "etc");
    assert_eq!(place::plain("日本"), "run");
}

#[test]
fn an_explicit_directory_is_made_with_its_parents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/c");
    assert_eq!(at(&path).unwrap().path(), path);
    assert!(path.join("tokenizer.json").is_file());
}

#[test]
fn an_explicit_directory_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "x").unwrap();
    assert_eq!(at(folder.path()).unwrap_err().code(), "coec::run::exists");
    assert_eq!(Place::At(folder.path().to_owned()).check().unwrap_err().code(), "coec::run::exists");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the lock, and what was there");
}

#[test]
fn a_file_is_not_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "x").unwrap();
    assert_eq!(Place::At(path.clone()).check().unwrap_err().code(), "coec::run::not_a_directory");
    assert_eq!(RunDir::open(&path).unwrap_err().code(), "coec::run::not_a_directory");
    assert_eq!(at(&path.join("x")).unwrap_err().code(), "coec::run::uncreatable");
}

#[test]
fn opening_says_which_files_are_missing() {
    let (_folder, run) = run();
    run.write(RunFile::Spec, b"coe()").unwrap();
    let error = RunDir::open(run.path()).unwrap_err();
    assert_eq!(error.code(), "coec::run::incomplete");
    assert!(error.to_string().ends_with("it has no model.safetensors"), "{error}");
    assert!(error.help().contains("--resume"), "{}", error.help());
    run.write(RunFile::Model, b"").unwrap();
    assert_eq!(RunDir::open(run.path()).unwrap().path(), run.path());
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
        "seconds",
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
fn lines_of_an_earlier_version_do_not_say_how_long_it_took() {
    let (_folder, run) = run();
    append(&run, &[metrics(1)]);
    let text = run.read(RunFile::Metrics).unwrap().replace(",\"seconds\":0.5", "");
    fs::write(run.file(RunFile::Metrics), text).unwrap();
    assert!(run.read_metrics().unwrap()[0].seconds.is_nan());
}

#[test]
fn what_a_run_does_not_have_is_no_record() {
    let (_folder, run) = run();
    let records = Records::read(&run).unwrap();
    assert!(records.metrics.is_none() && records.routing.is_none() && records.moved.is_none());
    append(&run, &[metrics(1)]);
    run.write(RunFile::Samples, b"{}").unwrap();
    let error = Records::read(&run).unwrap_err();
    assert!(error.to_string().contains("samples.json:1:"), "{error}");
    fs::remove_file(run.file(RunFile::Samples)).unwrap();
    assert_eq!(Records::read(&run).unwrap().metrics.unwrap(), [metrics(1)]);
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

#[test]
fn lines_behind_a_commit_go_and_those_that_wait_come() {
    let (_folder, run) = run();
    append(&run, &[metrics(1), metrics(2), metrics(3)]);
    let waiting = vec![serde_json::to_string(&metrics(20)).unwrap()];
    let mut log = run.metrics(LogState { lines: 1, waiting });
    log.write_waiting().unwrap();
    assert_eq!(run.read_metrics().unwrap(), [metrics(1), metrics(20)]);
    assert_eq!(*log.state(), LogState { lines: 2, waiting: Vec::new() });
}

#[test]
fn a_log_that_cannot_be_written_loses_no_line() {
    let (_folder, run) = run();
    let path = run.file(RunFile::Metrics);
    fs::create_dir(&path).unwrap();
    let mut log = run.metrics(LogState::default());
    assert_eq!(log.push(&metrics(1)).unwrap_err().code(), "coec::run::unwritable");
    assert_eq!(log.state().waiting.len(), 1);
    fs::remove_dir(&path).unwrap();
    log.push(&metrics(2)).unwrap();
    assert_eq!(run.read_metrics().unwrap(), [metrics(1), metrics(2)]);
}

#[test]
fn a_log_that_became_shorter_than_its_commit_goes_on_where_it_ends() {
    let (_folder, run) = run();
    append(&run, &[metrics(1)]);
    let mut log = run.metrics(LogState { lines: 5, waiting: Vec::new() });
    log.push(&metrics(6)).unwrap();
    assert_eq!(run.read_metrics().unwrap(), [metrics(1), metrics(6)]);
}

#[test]
fn a_run_has_one_process_at_a_time() {
    let (_folder, run) = run();
    run.write(RunFile::Spec, b"coe()").unwrap();
    let error = RunDir::resume(run.path()).unwrap_err();
    assert_eq!(error.code(), "coec::run::locked");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    let path = run.path().to_owned();
    drop(run);
    RunDir::resume(&path).unwrap();
}

#[test]
fn scratch_files_of_killed_processes_disappear() {
    let (_folder, run) = run();
    run.write(RunFile::Spec, b"coe()").unwrap();
    let path = run.path().to_owned();
    fs::write(path.join(".budget.json.0.tmp"), "half").unwrap();
    fs::create_dir_all(path.join("commits/.step-00000001.0.tmp")).unwrap();
    fs::write(path.join("commits/.step-00000001.0.tmp/model.safetensors"), "half").unwrap();
    drop(run);
    RunDir::resume(&path).unwrap();
    assert!(!path.join(".budget.json.0.tmp").exists());
    assert_eq!(fs::read_dir(path.join("commits")).unwrap().count(), 0);
}

#[test]
fn a_run_of_an_earlier_version_is_not_begun_anew() {
    let (_folder, run) = run();
    run.write(RunFile::Spec, b"coe()").unwrap();
    run.write(RunFile::Model, b"weights").unwrap();
    let path = run.path().to_owned();
    drop(run);
    assert_eq!(RunDir::resume(&path).unwrap_err().code(), "coec::run::earlier");
    assert_eq!(fs::read(path.join("model.safetensors")).unwrap(), b"weights");
}

proptest! {
    #[test]
    fn any_name_stays_in_its_folder(name in "\\PC{0,20}") {
        let plain = place::plain(&name);
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
