//! The device that tests across crates run on: the CPU, or what `COEC_TEST_DEVICE` names.

use burn::tensor::Device;

/// A device, and what may be asked of it.
pub struct Tested {
    /// Without a tape.
    pub device: Device,
    /// Whether equal runs have equal bits, and f64 is wide.
    pub is_exact: bool,
    /// The side of the largest square matrices that it multiplies in seconds.
    pub most: usize,
}

/// The device to test. `COEC_TEST_DEVICE=wgpu cargo test --profile quick --features wgpu --test parity` tests a
/// GPU, or a Vulkan device in software; `cuda` one of NVIDIA's.
///
/// # Panics
///
/// When this build has no such device.
pub fn tested() -> Tested {
    match std::env::var("COEC_TEST_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Tested { device: Device::flex(), is_exact: true, most: 1024 },
        #[cfg(feature = "cuda")]
        Ok("cuda") => Tested { device: Device::cuda(0), is_exact: false, most: 8192 },
        #[cfg(feature = "wgpu")]
        Ok("wgpu") => {
            let found = Device::enumerate(burn::tensor::DeviceType::Wgpu).into_iter().next();
            Tested { device: found.expect("a device of wgpu"), is_exact: false, most: 1024 }
        }
        Ok(other) => panic!("COEC_TEST_DEVICE={other}: this build has no such device"),
    }
}
