//! Ranks that train one model are one rank, bit for bit.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use coec_ir::{Balance, Data, Globs, Model, Sources, Train, Verified};
use coec_train::{
    TrainError,
    run::{self, Control, MemoryMeter, Start},
    run_dir::{Place, RunDir},
    world::{Alone, Threads, World, WorldError},
};
use common::{job, tiny, verified};
use serde_json::json;
use tempfile::TempDir;

/// Divided by every number of parts below.
const BATCH: usize = 60;

/// Two iterations with every balance term, trained for four steps in so many parts.
fn balanced(parts: usize) -> (Verified<Model>, Train) {
    let (mut model, mut train) = tiny(4);
    (train.batch, train.accumulate) = (BATCH, parts);
    model["layers"]["kinds"][0]["ffn"]["coe"]["balance"] = json!([
        Balance::SeqAux { alpha: 0.01 },
        Balance::SwitchAux { alpha: 0.01 },
        Balance::ZLoss { alpha: 0.001 },
        Balance::Bias { rate: 0.01 },
    ]);
    (verified(model), train)
}

struct Unmeasured;

impl MemoryMeter for Unmeasured {
    fn reset(&self) {}

    fn peak(&self) -> u64 {
        0
    }
}

/// What a rank does: where its data is, and whether somebody asks it to stop.
#[derive(Clone, Copy, Default)]
struct Rank<'a> {
    data: Option<&'a Path>,
    stops: bool,
}

fn on_rank(
    parts: usize,
    start: Start<'_>,
    world: &dyn World,
    rank: Rank<'_>,
) -> Result<Option<bool>, TrainError> {
    let (model, mut train) = balanced(parts);
    if let Some(path) = rank.data {
        train.data = Sources(vec![Data::Text { glob: Globs(vec![path.to_str().unwrap().into()]) }]);
    }
    let control = Control::default();
    let job = job(&model, &train, world, start, &Unmeasured);
    if rank.stops {
        control.stop();
    }
    Ok(run::run(&job, &mut |_| {}, &control)?.map(|outcome| outcome.summary.interrupted))
}

/// The outcome of each rank, on as many threads as there are.
fn on_ranks(
    parts: usize,
    path: &Path,
    resumes: bool,
    ranks: &[Rank<'_>],
) -> Vec<Result<Option<bool>, TrainError>> {
    let locked = resumes.then(|| RunDir::resume(path).unwrap());
    let start = |rank: usize| match &locked {
        None => Start::Fresh(Place::At(path.to_owned())),
        Some(locked) => {
            let dir = if rank == 0 { locked.clone() } else { RunDir::read_only(path).unwrap() };
            let commit = dir.newest().unwrap().newest;
            Start::Resume(dir, commit.map(Box::new))
        }
    };
    thread::scope(|scope| {
        let worlds = Threads::world(ranks.len()).into_iter().zip(ranks);
        let threads: Vec<_> = worlds
            .map(|(world, rank)| {
                let start = start(world.rank());
                scope.spawn(move || on_rank(parts, start, &world, *rank))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Everything a run leaves that no clock and no count of the whole process is in.
fn left_by(path: &Path) -> Vec<(String, Vec<u8>)> {
    let commit = path.join("commits/step-00000004");
    let files = ["experts.jsonl", "routing.jsonl", "model.safetensors"].map(|name| path.join(name));
    let files =
        files.into_iter().chain(["model.safetensors", "optimizer.safetensors"].map(|name| commit.join(name)));
    let mut left: Vec<_> =
        files.map(|path: PathBuf| (path.display().to_string(), fs::read(path).unwrap())).collect();
    for metrics in RunDir::open(path).unwrap().read_metrics().unwrap() {
        let bits = [metrics.loss, metrics.aux_loss, metrics.lr, metrics.grad_norm].map(f64::to_bits);
        let said = format!("{} {} {bits:?} {:?}", metrics.step, metrics.tokens, metrics.val_loss);
        left.push(("metrics.jsonl".into(), said.into_bytes()));
    }
    let mut state: serde_json::Value =
        serde_json::from_slice(&fs::read(commit.join("state.json")).unwrap()).unwrap();
    state["expert_flops"] = 0.into();
    state["logs"] = 0.into();
    left.push(("state.json".into(), state.to_string().into_bytes()));
    left.into_iter().map(|(name, bytes)| (name.rsplit('/').next().unwrap().to_owned(), bytes)).collect()
}

#[track_caller]
fn assert_same(what: &str, found: &Path, expected: &Path) {
    for ((name, found), (_, expected)) in left_by(found).iter().zip(&left_by(expected)) {
        assert!(found == expected, "{what}: {name} differs");
    }
}

#[test]
fn a_run_is_the_same_however_many_ranks_share_its_parts() {
    let folder = TempDir::new().unwrap();
    for parts in 1..=5 {
        let alone = folder.path().join(format!("{parts}"));
        on_rank(parts, Start::Fresh(Place::At(alone.clone())), &Alone, Rank::default()).unwrap();
        for ranks in 2..=parts {
            let path = folder.path().join(format!("{parts}-{ranks}"));
            let outcomes = on_ranks(parts, &path, false, &vec![Rank::default(); ranks]);
            let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
            assert_eq!(outcomes[0], Some(false));
            assert!(outcomes[1..].iter().all(Option::is_none), "the first rank has the outcome");
            assert_same(&format!("{parts} parts on {ranks} ranks"), &path, &alone);
        }
    }
}

#[test]
fn who_is_asked_to_stop_stops_all_and_other_ranks_go_on() {
    let folder = TempDir::new().unwrap();
    let (alone, cut) = (folder.path().join("alone"), folder.path().join("cut"));
    on_rank(3, Start::Fresh(Place::At(alone.clone())), &Alone, Rank::default()).unwrap();
    let ranks = [Rank::default(), Rank { stops: true, ..Rank::default() }];
    let outcomes: Vec<_> = on_ranks(3, &cut, false, &ranks).into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes, [Some(true), None]);
    for outcome in on_ranks(3, &cut, true, &[Rank::default(); 3]) {
        outcome.unwrap();
    }
    assert_same("two ranks, then three", &cut, &alone);
}

fn world_error(outcome: &Result<Option<bool>, TrainError>) -> &WorldError {
    match outcome {
        Err(TrainError::World(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_rank_that_fails_ends_all_and_says_why() {
    let folder = TempDir::new().unwrap();
    let (path, text) = (folder.path().join("run"), folder.path().join("text"));
    fs::write(&text, "Some text to learn from, and to be held out.\n\n".repeat(200)).unwrap();
    let (here, gone) = (Rank { data: Some(&text), stops: false }, folder.path().join("gone"));
    let outcomes = on_ranks(3, &path, false, &[here, Rank { data: Some(&gone), ..here }, here]);
    assert!(matches!(&outcomes[1], Err(TrainError::Data(_))), "{:?}", outcomes[1]);
    for rank in [0, 2] {
        match world_error(&outcomes[rank]) {
            WorldError::Failed { rank: 1, reason } => assert!(reason.contains("gone"), "{reason}"),
            other => panic!("{other}"),
        }
    }
    assert!(!path.exists(), "nothing is left of a run that did not begin");
}

#[test]
fn ranks_with_other_data_do_not_train_together() {
    let folder = TempDir::new().unwrap();
    let texts = [folder.path().join("a/text"), folder.path().join("b/text")];
    for (at, text) in texts.iter().enumerate() {
        fs::create_dir(text.parent().unwrap()).unwrap();
        fs::write(text, format!("Some text {at} to learn from, and to be held out.\n\n").repeat(200))
            .unwrap();
    }
    let rank = |text| Rank { data: Some(text), stops: false };
    let outcomes = on_ranks(2, &folder.path().join("run"), false, &[rank(&texts[0]), rank(&texts[1])]);
    for outcome in &outcomes {
        assert!(
            matches!(world_error(outcome), WorldError::Apart { ranks, .. } if ranks == &[1]),
            "{outcome:?}"
        );
    }
}

#[test]
fn more_ranks_than_parts_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("run");
    for outcome in on_ranks(2, &path, false, &[Rank::default(); 3]) {
        assert_eq!(world_error(&outcome), &WorldError::TooMany { ranks: 3, parts: 2 });
    }
    assert!(!path.exists());
}
