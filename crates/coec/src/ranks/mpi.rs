//! Ranks that MPI started.

use coec_train::world::{World, WorldError};
use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

use crate::failure::Failure;

/// A process of an MPI job. All calls are made by the thread that joined.
pub struct Mpi {
    communicator: SimpleCommunicator,
    /// Ends MPI when it goes.
    _universe: Universe,
}

impl Mpi {
    /// Joins the `launched` processes that were started together.
    pub fn join(launched: usize) -> Result<Self, Failure> {
        let failed = |message: String| {
            Failure::environment(
                "coec::ranks::mpi",
                message,
                "start it with the mpiexec of the MPI that coec was built with",
            )
        };
        let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Funneled) else {
            return Err(failed("MPI cannot be initialised".into()));
        };
        if threading < Threading::Funneled {
            return Err(failed("this MPI does not allow a process to have threads".into()));
        }
        let communicator = universe.world();
        let size = communicator.size() as usize;
        if size != launched {
            // Each process on its own would do the work of all.
            return Err(failed(format!("{launched} processes were started together, and MPI knows {size}")));
        }
        Ok(Self { communicator, _universe: universe })
    }
}

impl World for Mpi {
    fn rank(&self) -> usize {
        self.communicator.rank() as usize
    }

    fn size(&self) -> usize {
        self.communicator.size() as usize
    }

    // An error inside MPI ends all processes at once: it is not returned.

    fn exchange(&self, all: &[f32], received: &mut [f32]) -> Result<(), WorldError> {
        self.communicator.all_to_all_into(all, received);
        Ok(())
    }

    fn gather(&self, slice: &[f32], all: &mut [f32]) -> Result<(), WorldError> {
        self.communicator.all_gather_into(slice, all);
        Ok(())
    }

    fn messages(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        let mut lengths = vec![0u64; self.size()];
        self.communicator.all_gather_into(&(message.len() as u64), &mut lengths[..]);
        let all: u64 = lengths.iter().sum();
        // MPI counts in 32 bits.
        if i32::try_from(all).is_err() {
            return Err(WorldError::Gone(format!("a message of {all} bytes is too long for MPI")));
        }
        let counts: Vec<i32> = lengths.iter().map(|&length| length as i32).collect();
        let starts = counts.iter().scan(0, |end, count| {
            let start = *end;
            *end += count;
            Some(start)
        });
        let starts: Vec<i32> = starts.collect();
        let mut bytes = vec![0u8; all as usize];
        let mut places = PartitionMut::new(&mut bytes[..], counts, &starts[..]);
        self.communicator.all_gather_varcount_into(&message[..], &mut places);
        let mut rest = bytes.as_slice();
        let messages = lengths.iter().map(|&length| {
            let message;
            (message, rest) = rest.split_at(length as usize);
            message.to_vec()
        });
        Ok(messages.collect())
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // Others would wait for a process that panics.
        if std::thread::panicking() {
            self.communicator.abort(101);
        }
    }
}
