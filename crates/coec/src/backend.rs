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
    /// A GPU through Vulkan, Metal or DirectX 12.
    Wgpu,
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
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Ndarray, Self::Wgpu, Self::Cuda];

    /// The name on the command line and in budgets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Ndarray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
        }
    }

    /// The CPU, which devices of this backend are checked against; none for the CPU.
    pub fn reference(self) -> Option<Device> {
        matches!(self, Self::Wgpu | Self::Cuda).then(Device::flex)
    }

    /// Side of the largest square matrices whose product may be taken as the peak.
    pub fn gemm_most(self) -> usize {
        match self {
            Self::Cpu | Self::Ndarray => 1024,
            Self::Wgpu | Self::Cuda => 8192,
        }
    }

    /// The device of this number, or what is missing.
    pub fn device(self, number: usize) -> Result<Device, Failure> {
        let found = self.devices();
        let count = found.len();
        found.into_iter().nth(number).ok_or_else(|| {
            let says = match count {
                0 => self.says(false),
                1 => format!("{} has one device, number 0, and none with number {number}", self.name()),
                _ => format!("{} has devices 0 to {}, and none with number {number}", self.name(), count - 1),
            };
            Failure::environment(
                "coec::device::unavailable",
                says,
                "`coec devices` lists what there is; --backend cpu always works",
            )
        })
    }

    /// How many devices there are.
    pub fn count(self) -> usize {
        match self {
            Self::Cpu | Self::Ndarray => 1,
            Self::Wgpu | Self::Cuda => self.devices().len(),
        }
    }

    /// What is compiled in, found, and missing.
    pub fn availability(self) -> Availability {
        let found = self.devices();
        // Those of the pool that everything is computed in: RAYON_NUM_THREADS and limits of the system count.
        let threads = rayon::current_num_threads();
        let is_cpu = matches!(self, Self::Cpu | Self::Ndarray) && !found.is_empty();
        let devices = match is_cpu {
            true => vec![format!("{threads} thread{}", if threads == 1 { "" } else { "s" })],
            false => found.iter().map(name_of).collect(),
        };
        let says = self.says(!found.is_empty());
        Availability { backend: self, devices, threads: is_cpu.then_some(threads), says }
    }

    /// The devices found, none if the backend is not compiled in.
    #[allow(deprecated)] // NdArray stays until upstream removes it
    fn devices(self) -> Vec<Device> {
        match self {
            Self::Cpu => vec![Device::flex()],
            #[cfg(feature = "ndarray")]
            Self::Ndarray => vec![Device::ndarray()],
            #[cfg(feature = "wgpu")]
            Self::Wgpu => enumerated(burn::tensor::DeviceType::Wgpu),
            #[cfg(feature = "cuda")]
            Self::Cuda => enumerated(burn::tensor::DeviceType::Cuda),
            #[allow(unreachable_patterns)] // reached where a feature is missing
            _ => vec![],
        }
    }

    /// One sentence about the backend, of which devices were found or not.
    fn says(self, is_found: bool) -> String {
        let says = match (self, is_found) {
            (Self::Cpu, _) => "the CPU through Burn's Flex backend; the default",
            (Self::Ndarray, true) => "the CPU through Burn's NdArray backend, kept for those who ask for it",
            (Self::Ndarray, false) => "ndarray is not compiled in; build with `--features ndarray`",
            (Self::Wgpu, true) => "GPUs of any make through Vulkan, Metal or DirectX 12",
            (Self::Wgpu, false) if cfg!(feature = "wgpu") => {
                "wgpu is compiled in, but no GPU with a driver for Vulkan, Metal or DirectX 12 was found"
            }
            (Self::Wgpu, false) => {
                "wgpu is not compiled in; build with `cargo install --path crates/coec --locked --features wgpu`"
            }
            (Self::Cuda, true) => "NVIDIA GPUs through CubeCL",
            (Self::Cuda, false) if cfg!(feature = "cuda") => {
                "cuda is compiled in, but no NVIDIA GPU or driver was found"
            }
            (Self::Cuda, false) => {
                "cuda is not compiled in; build with `cargo install --path crates/coec --locked --features cuda`"
            }
        };
        says.into()
    }
}

/// The devices of a runtime. An absent driver panics inside the runtime's own thread; it must end as none found.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn enumerated(kind: burn::tensor::DeviceType) -> Vec<Device> {
    std::panic::catch_unwind(|| Device::enumerate(kind).into_iter().collect()).unwrap_or_default()
}

/// What a device calls itself.
#[cfg(any(feature = "wgpu", feature = "cuda"))]
pub fn name_of(device: &Device) -> String {
    let identity = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.identity()));
    identity.ok().flatten().map_or_else(|| format!("{device:?}"), |identity| identity.name)
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
pub fn name_of(device: &Device) -> String {
    format!("{device:?}")
}
