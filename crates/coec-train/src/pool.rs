//! Where the work on tensors of a CPU is begun.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Does `work` on a thread of the pool that kernels share theirs in. From any other thread each kernel hands its
/// work over and sleeps until it is done, which takes two changes of threads for every one of them.
///
/// On a GPU it is done where it is: queues belong to threads.
pub fn in_pool<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    #[allow(deprecated)] // NdArray stays until upstream removes it
    match device.clone().inner().as_dispatch() {
        DispatchDevice::Flex(_) => rayon::scope(|_| work()),
        #[cfg(feature = "ndarray")]
        DispatchDevice::NdArray(_) => rayon::scope(|_| work()),
        _ => work(),
    }
}
