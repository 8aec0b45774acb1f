//! What a comparison is of, and where it is kept.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::arms::Arm;
use super::fairness::{Demand, Excess, excesses};
use super::tune::Tune;
use crate::{
    experiments::{files, run::Run},
    failure::Failure,
};

/// A comparison that can be carried out.
pub struct Plan {
    pub dir: PathBuf,
    pub arms: Vec<Arm>,
    pub seeds: u64,
    pub tune: Option<Tune>,
    demands: Vec<Demand>,
    /// Of arms `i` and `j`, the figures that differ too much.
    unfair: Vec<Vec<Vec<Excess>>>,
}

/// What a comparison's directory says of itself.
const ABOUT: &str = "experiment.json";

impl Plan {
    pub fn new(dir: PathBuf, arms: Vec<Arm>, seeds: u64, tune: Option<Tune>, demands: Vec<Demand>) -> Self {
        let of = |first: &Arm| arms.iter().map(|second| excesses(&demands, first, second)).collect();
        let unfair = arms.iter().map(of).collect();
        Self { dir, arms, seeds, tune, demands, unfair }
    }

    /// The figures in which two arms differ by more than is allowed.
    pub fn excesses(&self, first: usize, second: usize) -> &[Excess] {
        &self.unfair[first][second]
    }

    /// Every two arms that do not cost the same, with the figures.
    pub fn unfair_pairs(&self) -> Vec<(&Arm, &Arm, &[Excess])> {
        let mut pairs = Vec::new();
        for (i, first) in self.arms.iter().enumerate() {
            for (j, second) in self.arms.iter().enumerate().skip(i + 1) {
                let found = self.excesses(i, j);
                if !found.is_empty() {
                    pairs.push((first, second, found));
                }
            }
        }
        pairs
    }

    pub fn demands(&self) -> &[Demand] {
        &self.demands
    }

    /// The folder of an arm.
    fn folder(&self, arm: &Arm) -> PathBuf {
        self.dir.join(&arm.name)
    }

    /// Where an arm's spec is.
    pub fn spec_of(&self, arm: &Arm) -> PathBuf {
        self.folder(arm).join("arm.coe")
    }

    /// The seeds that an arm is trained with.
    pub fn seeds_of(&self, arm: &Arm) -> impl Iterator<Item = u64> + use<> {
        let first = arm.train.seed;
        (0..self.seeds).map(move |i| first + i)
    }

    /// A run of an arm in a folder of its own.
    pub fn run(&self, arm: &Arm, folder: &str, what: &str, sets: Vec<String>) -> Run {
        Run {
            title: format!("{}, {what}", arm.name),
            spec: self.spec_of(arm),
            dir: self.folder(arm).join(folder),
            sets,
            steps: arm.steps(),
        }
    }

    /// What the comparison is of. Seeds are no part of it: more of them may follow.
    fn about(&self) -> Value {
        json!({
            "schema": coec_ir::SCHEMA,
            "arms": self.arms.iter().map(|arm| &arm.name).collect::<Vec<_>>(),
            "tune": self.tune.as_ref().map(|tune| format!("{}={}", tune.field, tune.values.join(","))),
        })
    }

    /// Begins the directory, or finds it as it was begun.
    ///
    /// # Errors
    ///
    /// Another comparison in it; what the system says.
    pub fn begin(&self) -> Result<(), Failure> {
        let about = self.dir.join(ABOUT);
        let text = format!("{:#}\n", self.about());
        match fs::read_to_string(&about) {
            Ok(found) => self.check(&about, found == text),
            Err(_) if has_files(&self.dir) => {
                Err(self.other(&format!("{} holds other files", self.dir.display())))
            }
            Err(_) => {
                for arm in &self.arms {
                    write(&self.spec_of(arm), &arm.text)?;
                }
                // What is begun is whole from here on.
                write(&about, &text)
            }
        }
    }

    fn check(&self, about: &Path, is_same: bool) -> Result<(), Failure> {
        if !is_same {
            return Err(self.other(&format!("{} is of another one", about.display())));
        }
        for arm in &self.arms {
            let path = self.spec_of(arm);
            if fs::read_to_string(&path).ok().as_deref() != Some(&arm.text) {
                return Err(self.other(&format!(
                    "{} is not the spec that {} is now",
                    path.display(),
                    arm.name
                )));
            }
        }
        Ok(())
    }

    fn other(&self, message: &str) -> Failure {
        Failure::input(
            "coec::compare::other",
            format!("the comparison cannot go on in this directory: {message}"),
            "name another one with --out, or give the arguments it was begun with",
        )
    }
}

/// Writes a file of the comparison.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    files::write(path, text).map_err(|error| {
        Failure::environment(
            "coec::compare::unwritable",
            format!("cannot write {}: {error}", path.display()),
            "check the folder, its permissions and the room on the disk",
        )
    })
}

fn has_files(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some())
}
