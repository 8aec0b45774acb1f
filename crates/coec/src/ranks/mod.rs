//! The ranks that train one model: those that MPI started, or this process alone.

#[cfg(feature = "mpi")]
mod mpi;

use coec_train::world::{Alone, World};

use crate::failure::Failure;

/// What launchers tell each process they start: how many there are, and its number. Of MPICH and Intel MPI with
/// their relatives, Open MPI, and Slurm's `srun`, which speaks either of the first two protocols.
const LAUNCHERS: [[&str; 2]; 3] = [
    ["PMI_SIZE", "PMI_RANK"],
    ["OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"],
    // PMIx tells the number alone; Slurm the rest.
    ["SLURM_STEP_NUM_TASKS", "PMIX_RANK"],
];

/// Processes that a launcher started together.
#[derive(Debug, PartialEq, Eq)]
struct Launched {
    size: usize,
    /// The number of this one.
    rank: usize,
}

impl Launched {
    fn by(variable: impl Fn(&str) -> Option<usize>) -> Self {
        let of = |[size, rank]: [&str; 2]| Some(Self { size: variable(size)?, rank: variable(rank)? });
        LAUNCHERS.into_iter().find_map(of).unwrap_or(Self { size: 1, rank: 0 })
    }

    fn here() -> Self {
        Self::by(|name| std::env::var(name).ok()?.parse().ok())
    }

    /// What the first of them says for all, where there are several.
    fn refused(self, failure: impl FnOnce(usize) -> Failure) -> Result<(), Failure> {
        match self {
            Self { size: 1, .. } => Ok(()),
            Self { size, rank: 0 } => Err(failure(size)),
            Self { .. } => Err(Failure::Shown),
        }
    }
}

/// The ranks that train together; where a launcher started several, all of them.
#[cfg(feature = "mpi")]
pub fn world() -> Result<Box<dyn World>, Failure> {
    match Launched::here().size {
        1 => Ok(Box::new(Alone)),
        size => Ok(Box::new(mpi::Mpi::join(size)?)),
    }
}

/// The process alone.
///
/// # Errors
///
/// A launcher started several, which would do the same work side by side.
#[cfg(not(feature = "mpi"))]
pub fn world() -> Result<Box<dyn World>, Failure> {
    Launched::here().refused(|ranks| {
        Failure::environment(
            "coec::ranks::no_mpi",
            format!("{ranks} processes were started together, and this coec knows no MPI"),
            "build it with `cargo install --path crates/coec --locked --features mpi`, or start one process",
        )
    })?;
    Ok(Box::new(Alone))
}

/// The number of this process among those of its machine: of MPICH and Intel MPI, Open MPI, and Slurm.
pub fn on_this_machine() -> usize {
    let names = ["MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"];
    names.into_iter().find_map(|name| std::env::var(name).ok()?.parse().ok()).unwrap_or(0)
}

/// The process alone, for a command that has nothing to share.
pub fn alone(command: &str) -> Result<(), Failure> {
    Launched::here().refused(|ranks| {
        Failure::input(
            "coec::ranks::alone",
            format!("{ranks} processes were started together, and `coec {command}` runs in one"),
            "start it without mpiexec or srun; `coec train` is what ranks share",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launched_with(set: &[(&str, &str)]) -> [usize; 2] {
        let Launched { size, rank } =
            Launched::by(|name| set.iter().find(|(other, _)| *other == name)?.1.parse().ok());
        [size, rank]
    }

    #[test]
    fn launchers_say_how_many_they_started() {
        assert_eq!(launched_with(&[]), [1, 0]);
        assert_eq!(launched_with(&[("PMI_SIZE", "3"), ("PMI_RANK", "0")]), [3, 0]);
        assert_eq!(launched_with(&[("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "1")]), [2, 1]);
        assert_eq!(launched_with(&[("SLURM_STEP_NUM_TASKS", "4"), ("PMIX_RANK", "2")]), [4, 2]);
    }

    /// `sbatch` runs its script once, whatever it reserves.
    #[test]
    fn a_script_of_slurm_is_one_process() {
        assert_eq!(launched_with(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), [1, 0]);
        assert_eq!(launched_with(&[("SLURM_STEP_NUM_TASKS", "8")]), [1, 0]);
    }
}
