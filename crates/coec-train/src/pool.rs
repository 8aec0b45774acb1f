//! Where the work on tensors of a CPU is begun.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Does `work` on a thread of the pool that kernels share theirs in, and keeps the pool's other threads awake
/// until it is done. From a thread outside each kernel hands its work over and sleeps until it is done; and a
/// thread that sleeps between two kernels takes as long to wake as a small one takes to run.
///
/// On a GPU it is done where it is: queues belong to threads.
pub fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    #[allow(deprecated)] // NdArray stays until upstream removes it
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Flex(_) => awake(work),
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => awake(work),
        _ => work(),
    }
}

fn awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let over = &AtomicBool::new(false);
    rayon::scope(|scope| {
        // Also when it panics.
        let _over = Over(over);
        let here = rayon::current_thread_index();
        scope.spawn_broadcast(move |_, thread| {
            // This thread finds its own turn while it waits for others in the middle of the work.
            while Some(thread.index()) != here && !over.load(Ordering::Relaxed) {
                // Takes part in what there is to do, else lets whoever else is on this machine go first.
                if rayon::yield_now() != Some(rayon::Yield::Executed) {
                    std::thread::yield_now();
                }
            }
        });
        work()
    })
}

/// Says that the work is over when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
