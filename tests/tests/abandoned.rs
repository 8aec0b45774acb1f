//! What is computed on a tape and never differentiated is given back.

use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Precision, Recompute};
use coec_lang::{MapLoader, load_one};
use coec_nn::{LanguageModel, Manner, Source};
use coec_train::memory::CountingAllocator;

#[global_allocator]
static MEMORY: CountingAllocator = CountingAllocator::new();

const SPEC: &str = "
    model abandoned {
        vocab = 64
        context = 32
        dim = 32
        layers = 2
        ffn = coe(iter=2, k=2, experts=4, shared=1, hidden=32, residual=delta)
    }
";

/// One test, one process: the allocator counts everything. The framework gives an abandoned tape back when it next
/// goes through another, unless a step keeps hold of what it was computed from.
#[test]
fn a_tape_that_is_abandoned_is_given_back() {
    let spec = load_one("a.coe", &[], &MapLoader::new().with("a.coe", SPEC)).unwrap();
    let device = Device::flex().autodiff();
    let loss = |manner: Manner| {
        let model = LanguageModel::new(&spec.model, &device, Source::Seed(1)).unwrap();
        let ids = TensorData::new(vec![1i32; 32], [1, 32]);
        let tokens = Tensor::<2, Int>::from_data(ids, &device);
        model.forward_as(tokens.clone(), manner).loss(tokens)
    };
    let words =
        Recompute::ALL.iter().flat_map(|&recompute| Precision::ALL.iter().map(move |&p| (recompute, p)));
    for (recompute, precision) in words {
        let manner = Manner { recompute, precision };
        // What is made once, and is kept, comes first.
        drop(loss(manner).backward());
        let before = MEMORY.current();
        (0..10).for_each(|_| drop(loss(manner)));
        drop(loss(manner).backward());
        let kept = MEMORY.current().saturating_sub(before);
        assert!(kept < 10_000, "{kept} bytes of ten passes are kept by {manner:?}");
    }
}
