//! The products of attention on the capture device, which records them with their sizes: those of the keys
//! that blocks of queries see, and no others.
#![allow(deprecated)] // NdArray stays until upstream removes it

use burn::backend::{
    Autodiff, AutodiffBackend, BackendTensor, Capture, DispatchKindConversion, DispatchTensor,
};
use burn::tensor::{Device, Tensor};
use burn_ir::{FloatOperationIr, OperationIr};
use coec_kernels::{Mixing, Precision, attention};

/// Sequences, queries, keys, heads, key-value heads, widths of keys and values.
type Sizes = [usize; 7];

/// Multiply-adds of the matrix products of attention, forward and backward.
fn captured([b, t, s, h, g, d, e]: Sizes, mixing: Mixing, has_sinks: bool) -> u64 {
    let device = Device::capture();
    let run = |device: &Device| {
        let of = |shape: [usize; 4]| Tensor::<4>::zeros(shape, device).require_grad();
        let sinks = has_sinks.then(|| Tensor::<1>::zeros([h], device).require_grad());
        let y = attention(of([b, t, h, d]), of([b, s, g, d]), of([b, s, g, e]), sinks, mixing);
        // `Tensor::backward` refuses captured tensors, but the tape is there.
        let loss: Result<BackendTensor<Autodiff<Capture>>, _> =
            DispatchTensor::try_into_backend(y.sum().into_dispatch());
        let loss = loss.expect("a tensor of the capture device").float();
        drop(Autodiff::<Capture>::backward(loss));
    };
    let graph = device.capture_scope(|scope| {
        run(&device.clone().autodiff());
        scope.complete([], [])
    });
    let multiply_adds = |operation: &OperationIr| match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(product)) => {
            let inner = product.lhs.shape.iter().last().copied().unwrap_or(1);
            (product.out.shape.num_elements() * inner) as u64
        }
        _ => 0,
    };
    graph.expect("a recording").graph.operations.iter().map(multiply_adds).sum()
}

/// Pairs of a query and a key of its block: of each block its queries times the keys that some query of it
/// sees.
fn pairs([_, t, s, ..]: Sizes, mixing: Mixing) -> usize {
    let sees = |query: usize, key: usize| {
        let position = s - t + query;
        key <= position && mixing.window.is_none_or(|window| position - key < window)
    };
    let queries: Vec<usize> = (0..t).collect();
    let of_block = |block: &[usize]| {
        let keys = (0..s).filter(|&key| block.iter().any(|&query| sees(query, key))).count();
        block.len() * keys
    };
    queries.chunks(mixing.block).map(of_block).sum()
}

/// By hand: of a pair, forward a score and its part of the mix, d and e multiply-adds; backward two of each.
#[test]
fn attention_multiplies_the_keys_that_blocks_see() {
    for sizes in [[2, 64, 64, 4, 2, 6, 5], [1, 30, 47, 3, 1, 4, 4], [3, 1, 50, 2, 2, 8, 3]] {
        for window in [None, Some(1), Some(5), Some(16), Some(33), Some(1000)] {
            for block in [1, 7, 16, 100] {
                for has_sinks in [false, true] {
                    let mixing = Mixing { scale: 0.3, window, block, precision: Precision::F32 };
                    let [b, _, _, h, _, d, e] = sizes;
                    let expected = 3 * b * h * pairs(sizes, mixing) * (d + e);
                    let found = captured(sizes, mixing, has_sinks);
                    assert_eq!(found, expected as u64, "{sizes:?}, window {window:?}, blocks of {block}");
                }
            }
        }
    }
    // A window of a block: all but the first have twice as many keys, less one.
    let mixing = Mixing { scale: 1.0, window: Some(16), block: 16, precision: Precision::F32 };
    assert_eq!(pairs([1, 64, 64, 1, 1, 1, 1], mixing), 16 * (16 + 3 * 31));
}
