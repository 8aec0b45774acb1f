//! Measuring one kernel: its inputs are made once, and it is called with them again and again.

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput};

/// What a kernel does in its forward pass.
pub enum Work {
    /// Matrix products of so many FLOPs, and twice as many on the way back.
    Flops(u64),
    /// Something to each of so many elements, on either way.
    Elements(u64),
}

impl Work {
    /// A pass over a tensor.
    pub fn elements<const D: usize>(shape: [usize; D]) -> Self {
        Self::Elements(shape.iter().product::<usize>() as u64)
    }

    /// Criterion has no FLOPs: `Gelem/s` of products are GFLOP/s.
    fn throughput(&self, pass: Pass) -> Throughput {
        Throughput::Elements(match (self, pass) {
            (Self::Flops(count), Pass::Both) => 3 * count,
            (Self::Flops(count) | Self::Elements(count), _) => *count,
        })
    }
}

#[derive(Clone, Copy)]
enum Pass {
    Forward,
    Both,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Both => "both",
        }
    }
}

/// Makes inputs.
pub struct Make {
    device: Device,
}

impl Make {
    /// Normal values, with a gradient where there is a tape.
    pub fn float<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        let values = Tensor::random(shape, Distribution::Normal(0.0, 1.0), &self.device);
        if self.device.is_autodiff() { values.require_grad() } else { values }
    }

    /// Normal values that have no gradient.
    pub fn constant<const D: usize>(&self, shape: [usize; D]) -> Tensor<D> {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &self.device)
    }
}

/// A kernel at one size.
pub struct Kernel {
    pub name: &'static str,
    pub size: &'static str,
    pub work: Work,
}

impl Kernel {
    /// The forward pass without a tape, and both passes on one. The way back begins at the sum of the output,
    /// whose own two passes over it are counted too: what is light itself is mostly that.
    pub fn both<I: Clone, const D: usize>(
        &self,
        criterion: &mut Criterion,
        make: impl Fn(&Make) -> I,
        run: impl Fn(I) -> Tensor<D>,
    ) {
        self.forward(criterion, &make, &run);
        let inputs = make(&Make { device: Device::flex().autodiff() });
        self.bench(criterion, Pass::Both, || run(inputs.clone()).sum().backward());
    }

    /// The forward pass alone.
    pub fn forward<I: Clone, O>(
        &self,
        criterion: &mut Criterion,
        make: impl Fn(&Make) -> I,
        run: impl Fn(I) -> O,
    ) {
        let inputs = make(&Make { device: Device::flex() });
        self.bench(criterion, Pass::Forward, || run(inputs.clone()));
    }

    /// What is handed its own result the next time.
    pub fn in_place<S>(&self, criterion: &mut Criterion, make: impl Fn(&Make) -> S, run: impl Fn(S) -> S) {
        let mut state = Some(make(&Make { device: Device::flex() }));
        self.bench(criterion, Pass::Forward, || state = state.take().map(&run));
    }

    fn bench<O>(&self, criterion: &mut Criterion, pass: Pass, mut run: impl FnMut() -> O) {
        let mut group = criterion.benchmark_group(self.name);
        group.sample_size(20).throughput(self.work.throughput(pass));
        group.bench_function(BenchmarkId::new(pass.name(), self.size), |bencher| bencher.iter(&mut run));
        group.finish();
    }
}
