//! The backends: the one place that knows their names.

use burn::tensor::Device;
use clap::ValueEnum;

use crate::failure::Failure;

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// The CPU, through Burn's Flex backend.
    Cpu,
    /// The CPU, through Burn's older NdArray backend.
    Ndarray,
    /// An NVIDIA GPU.
    Cuda,
}

/// What `coec devices` says about a backend.
pub struct Availability {
    pub backend: Backend,
    /// Devices found; empty if it cannot be used.
    pub devices: Vec<String>,
    /// Threads that will be used, of a backend of the CPU.
    pub threads: Option<usize>,
    /// One sentence.
    pub says: String,
}

impl Backend {
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Ndarray, Self::Cuda];

    /// The name on the command line and in budgets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
            Self::Cuda => "cuda",
        }
    }

    /// Side of the square matrices whose product is taken as the peak.
    pub fn gemm_size(self) -> usize {
        match self {
            Self::Cpu | Self::Ndarray => 1024,
            Self::Cuda => 8192,
        }
    }

    /// The device, or what is missing.
    pub fn device(self) -> Result<Device, Failure> {
        let availability = self.availability();
        if availability.devices.is_empty() {
            return Err(Failure::environment(
                "coec::device::unavailable",
                availability.says,
                "`coec devices` lists what there is; --backend cpu always works",
            ));
        }
        Ok(self.open())
    }

    #[allow(deprecated)] // NdArray stays until upstream removes it
    fn open(self) -> Device {
        match self {
            Self::Cpu => Device::flex(),
            #[cfg(feature = "ndarray")]
            Self::Ndarray => Device::ndarray(),
            #[cfg(feature = "cuda")]
            Self::Cuda => Device::cuda(0),
            #[allow(unreachable_patterns)] // reached only where a feature is missing, and then never opened
            _ => Device::flex(),
        }
    }

    /// What is compiled in, found, and missing.
    pub fn availability(self) -> Availability {
        // Those of the pool that everything is computed in: RAYON_NUM_THREADS and limits of the system count.
        let threads = rayon::current_num_threads();
        let cpu = format!("{threads} thread{}", if threads == 1 { "" } else { "s" });
        let (devices, says) = match self {
            Self::Cpu => (vec![cpu], "the CPU through Burn's Flex backend; the default".to_string()),
            Self::Ndarray if cfg!(feature = "ndarray") => {
                (vec![cpu], "the CPU through Burn's NdArray backend, kept for those who ask for it".into())
            }
            Self::Ndarray => (vec![], "ndarray is not compiled in; build with `--features ndarray`".into()),
            Self::Cuda => cuda(),
        };
        let is_cpu = self != Self::Cuda && !devices.is_empty();
        Availability { backend: self, devices, threads: is_cpu.then_some(threads), says }
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> (Vec<String>, String) {
    // An absent driver panics inside the runtime's own thread; asking how many devices there are
    // does not open one. Either way it must end as a sentence.
    let found = std::panic::catch_unwind(|| {
        Device::enumerate(burn::tensor::DeviceType::Cuda)
            .into_iter()
            .map(|d| format!("{d:?}"))
            .collect::<Vec<_>>()
    })
    .unwrap_or_default();
    if found.is_empty() {
        (vec![], "cuda is compiled in, but no NVIDIA GPU or driver was found".into())
    } else {
        (found, "NVIDIA GPUs through CubeCL".into())
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> (Vec<String>, String) {
    let says =
        "cuda is not compiled in; build with `cargo install --path crates/coec --locked --features cuda`";
    (vec![], says.into())
}
