//! What the arguments of an experiment say of its runs.

use super::jobs::Jobs;
use crate::{
    cli::RunsArgs,
    data::{data_setting, sources},
    failure::Failure,
};

impl RunsArgs {
    /// The fields that are set for every run, its data among them.
    pub fn sets(&self) -> Result<Vec<String>, Failure> {
        let mut sets = self.set.sets.clone();
        if !self.data.is_empty() {
            sets.push(data_setting(&sources(&self.data, None)?));
        }
        Ok(sets)
    }

    /// How the runs are trained; those that fail leave the others to go on where the experiment `keeps_going`.
    pub fn jobs(&self, keeps_going: bool) -> Jobs {
        let side_by_side = self.jobs as usize;
        let threads = (rayon::current_num_threads() / side_by_side).max(1);
        Jobs { at: self.at, side_by_side, threads, keeps_going }
    }
}
