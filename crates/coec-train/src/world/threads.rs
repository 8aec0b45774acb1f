//! Ranks that are threads of one process.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{World, WorldError};

/// A rank that is a thread. For tests: kernels share the threads of the process, and so gain nothing.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    size: usize,
    table: Mutex<Table>,
    changed: Condvar,
}

/// What lies on the table between the ranks.
#[derive(Debug)]
struct Table {
    messages: Vec<Option<Vec<u8>>>,
    /// Ranks that have read them all.
    readers: usize,
    /// The first rank that is gone.
    gone: Option<usize>,
}

impl Threads {
    /// A world of `size` ranks, to be handed to as many threads.
    pub fn world(size: usize) -> Vec<Self> {
        let table = Table { messages: vec![None; size], readers: 0, gone: None };
        let shared = Arc::new(Shared { size, table: table.into(), changed: Condvar::new() });
        (0..size).map(|rank| Self { rank, shared: shared.clone() }).collect()
    }

    /// Waits until the table is as wanted, or a rank is gone.
    fn wait(&self, until: impl Fn(&Table) -> bool) -> Result<MutexGuard<'_, Table>, WorldError> {
        let table = self.shared.table.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |table: &mut Table| table.gone.is_none() && !until(table);
        let table = self.shared.changed.wait_while(table, waits).unwrap_or_else(PoisonError::into_inner);
        // What is there is there, whoever went since.
        match table.gone {
            Some(rank) if !until(&table) => Err(WorldError::Gone(format!("rank {rank} has ended"))),
            _ => Ok(table),
        }
    }

    fn floats(&self, values: &[f32]) -> Result<Vec<Vec<f32>>, WorldError> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let read = |bytes: &Vec<u8>| {
            let (values, _) = bytes.as_chunks::<4>();
            values.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
        };
        Ok(self.messages(bytes)?.iter().map(read).collect())
    }
}

impl World for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size
    }

    fn exchange(&self, all: &[f32], received: &mut [f32]) -> Result<(), WorldError> {
        let slice = all.len() / self.size();
        let here = self.rank * slice..(self.rank + 1) * slice;
        for (values, place) in self.floats(all)?.iter().zip(received.chunks_exact_mut(slice.max(1))) {
            place.copy_from_slice(&values[here.clone()]);
        }
        Ok(())
    }

    fn gather(&self, slice: &[f32], all: &mut [f32]) -> Result<(), WorldError> {
        for (values, place) in self.floats(slice)?.iter().zip(all.chunks_exact_mut(slice.len().max(1))) {
            place.copy_from_slice(values);
        }
        Ok(())
    }

    fn messages(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        let (rank, size) = (self.rank, self.shared.size);
        // Free again: all have read what lay there before.
        self.wait(|table| table.messages[rank].is_none() && table.readers == 0)?.messages[rank] =
            Some(message);
        self.shared.changed.notify_all();
        let mut table = self.wait(|table| table.messages.iter().all(Option::is_some))?;
        let messages = table.messages.iter().flatten().cloned().collect();
        table.readers += 1;
        if table.readers == size {
            table.messages.fill(None);
            table.readers = 0;
        }
        self.shared.changed.notify_all();
        Ok(messages)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        let mut table = self.shared.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.gone.get_or_insert(self.rank);
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_threads<R: Send>(size: usize, work: impl Fn(Threads) -> R + Sync) -> Vec<R> {
        std::thread::scope(|scope| {
            let ranks: Vec<_> =
                Threads::world(size).into_iter().map(|rank| scope.spawn(|| work(rank))).collect();
            ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
        })
    }

    #[test]
    fn messages_of_many_rounds_arrive_in_the_order_of_the_ranks() {
        for size in 1..=5 {
            for rounds in on_threads(size, |world| {
                (0..100u8)
                    .map(|round| world.messages(vec![world.rank() as u8; round as usize]))
                    .collect::<Vec<_>>()
            }) {
                for (round, messages) in rounds.into_iter().enumerate() {
                    let expected: Vec<_> = (0..size).map(|rank| vec![rank as u8; round]).collect();
                    assert_eq!(messages, Ok(expected));
                }
            }
        }
    }

    #[test]
    fn slices_are_exchanged_and_gathered() {
        for outcome in on_threads(3, |world| {
            let rank = world.rank() as f32;
            let all: Vec<f32> = (0..6).map(|at| 10.0 * rank + at as f32).collect();
            let (mut received, mut gathered) = ([0.0; 6], [0.0; 6]);
            world.exchange(&all, &mut received).unwrap();
            world.gather(&received[..2], &mut gathered).unwrap();
            (world.rank() as f32, received, gathered)
        }) {
            let (rank, received, gathered) = outcome;
            let of = |sender: f32| [10.0 * sender + 2.0 * rank, 10.0 * sender + 2.0 * rank + 1.0];
            assert_eq!(received, *[of(0.0), of(1.0), of(2.0)].as_flattened());
            assert_eq!(gathered, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        }
    }

    #[test]
    fn who_waits_for_a_rank_that_is_gone_is_told() {
        let outcomes = on_threads(3, |world| match world.rank() {
            1 => Ok(Vec::new()),
            _ => world.messages(Vec::new()),
        });
        assert!(matches!(outcomes[0], Err(WorldError::Gone(_))) && outcomes[1].is_ok());
        assert!(matches!(outcomes[2], Err(WorldError::Gone(_))));
    }
}
