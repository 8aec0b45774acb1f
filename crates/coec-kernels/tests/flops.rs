//! The kernels count the products they make. One test, for the count is one of the whole process.
#![allow(deprecated)] // NdArray stays until upstream removes it

use burn::tensor::{Device, Int, Tensor};
use coec_kernels::{Activation, Biases, Precision, experts, flops::performed};

/// By hand: a token's selection is three products of width D x F with a gate, two without, forward;
/// backward each has two. Biases are added, which is no product.
#[test]
fn the_products_made_are_those_of_the_definition() {
    let [n, d, e, k, f] = [600, 24, 5, 2, 300];
    for device in [Device::flex().autodiff(), Device::ndarray().autodiff()] {
        let products =
            [(Activation::Swiglu, 2 * f, 3), (Activation::Clamped, 2 * f, 3), (Activation::Relu2, f, 2)];
        let both = [Precision::F32, Precision::Bf16];
        let cases = products.into_iter().flat_map(|p| both.map(|q| (p, q)));
        for (((act, wide, products), precision), is_biased) in cases.flat_map(|c| [(c, false), (c, true)]) {
            let float = |shape: [usize; 3]| Tensor::<3>::ones(shape, &device).require_grad();
            let (x, gates) = (float([1, n, d]).reshape([n, d]), float([1, n, k]).reshape([n, k]));
            // The last two experts have no token.
            let first = Tensor::<1, Int>::arange(0..n as i64, &device).remainder_scalar(3).reshape([n, 1]);
            let second = (first.clone() + 1).remainder_scalar(3);
            let indices = Tensor::cat(vec![first, second], 1);

            let bias = |width: usize| float([1, e, width]).reshape([e, width]);
            let biases = is_biased.then(|| Biases { b_in: bias(wide), b_out: bias(d) });
            let (w_in, w_out) = (float([e, wide, d]), float([e, d, f]));

            let before = performed();
            let y = experts(x, indices, gates, w_in, w_out, biases, act, precision);
            let forward = performed() - before;
            drop(y.sum().backward());
            let backward = performed() - before - forward;

            let multiply_adds = (n * k * products * d * f) as u64;
            assert_eq!((forward, backward), (2 * multiply_adds, 4 * multiply_adds), "{act:?}");
        }
    }
}
