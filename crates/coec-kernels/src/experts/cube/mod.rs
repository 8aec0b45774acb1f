//! GPUs: twelve launches forward and backward, whatever the number of experts.
//!
//! | pass | launches |
//! |---|---|
//! | forward | three of the [`Route`]; the first product with the activation; the second; the weighted sum |
//! | backward | the gradient of what was activated; its derivative, with the gates'; the gradients of `x` (two), of `w_in` and of `w_out` |
//!
//! Rows are gathered where a product reads them: no sorted copy of `x` is made.
//!
//! Biases are added by the products. Going back they take three launches more: their sums over rows, and what the
//! gates have of them.

mod biases;
mod rows;

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;
use burn_cubecl::tensor::CubeTensor;

use super::{Experts, ExpertsKernel, Forward, Gradients, Saved};
use crate::{
    biases::Added,
    cube::{Groups, Operand, Product, Route, activated_product, ask_for_f32, biased_product, empty, product},
    flops,
};
use biases::add_to_gates;
pub(crate) use biases::{Rows, sums_of_rows};
pub(crate) use rows::differentiated;
use rows::{Weighing, combined};

impl ExpertsKernel for Cube {
    type Route = Option<Route>;

    fn forward(inputs: Experts<Self>) -> Forward<Self> {
        ask_for_f32("experts", inputs.x.dtype());
        forward(inputs)
    }

    fn backward(saved: Saved<Self>, output_grad: FloatTensor<Self>) -> Gradients<Self> {
        ask_for_f32("the backward pass of experts", output_grad.dtype());
        let Saved { inputs, hidden, route } = saved;
        let [tokens, selected, _, experts, ..] = sizes(&inputs);
        let route = route.unwrap_or_else(|| Route::new(&inputs.indices, tokens, selected, experts));
        backward(&inputs, &hidden, &route, &output_grad)
    }
}

/// N, K, D, E, G*F and F.
fn sizes(inputs: &Experts<Cube>) -> [usize; 6] {
    let [tokens, selected] = inputs.indices.shape().dims();
    let [experts, wide, dim] = inputs.w_in.shape().dims();
    [tokens, selected, dim, experts, wide, wide / inputs.act.inputs()]
}

fn forward(inputs: Experts<Cube>) -> Forward<Cube> {
    let [tokens, selected, dim, experts, wide, width] = sizes(&inputs);
    let route = Route::new(&inputs.indices, tokens, selected, experts);
    let count = route.count;
    let floats = |rows: usize, columns: usize| empty(&inputs.x, [rows, columns], DType::F32);
    let groups = Groups::Rows(&route);
    let (b_in, b_out) = inputs.biases.pair().map(|[b_in, b_out]| (b_in, b_out)).unzip();

    let (hidden, activated) = (floats(count, wide), floats(count, width));
    flops::count([count, dim, wide]);
    activated_product(
        [&hidden, &activated],
        Product::new(count, wide, dim).of(inputs.precision),
        inputs.act,
        Operand::lines(&inputs.x, dim).gathered(),
        Operand::lines(&inputs.w_in, dim).each(wide * dim),
        groups,
        b_in,
    );
    let sorted = floats(count, dim);
    flops::count([count, width, dim]);
    biased_product(
        &sorted,
        Product::new(count, dim, width).of(inputs.precision),
        Operand::lines(&activated, width),
        Operand::lines(&inputs.w_out, width).each(dim * width),
        groups,
        b_out,
    );
    let output = combined(&sorted, &route, Some(&inputs.gates), [tokens, dim]);
    Forward { output, hidden, route: Some(route) }
}

fn backward(
    inputs: &Experts<Cube>,
    hidden: &CubeTensor,
    route: &Route,
    output_grad: &CubeTensor,
) -> Gradients<Cube> {
    let [tokens, selected, dim, experts, wide, width] = sizes(inputs);
    let count = route.count;
    let floats = |rows: usize, columns: usize| empty(&inputs.x, [rows, columns], DType::F32);
    let rows = Groups::Rows(route);

    // What flows back to what was activated: weighed in bf16 before it is rounded, where that can be undone for the
    // gradients of the gates; else afterwards.
    let flown = floats(count, width);
    flops::count([count, dim, width]);
    product(
        &flown,
        Product::new(count, width, dim).of(inputs.precision),
        Operand::lines(output_grad, dim).weighed(inputs.precision),
        Operand::transposed(&inputs.w_out, width).each(dim * width),
        rows,
        Some(&inputs.gates),
    );
    let gates_grad = floats(tokens, selected);
    let weighing = Weighing { gates: &inputs.gates, slots: &route.slots, gates_grad: &gates_grad };
    let [derivative, weighed] = differentiated(&flown, hidden, Some(weighing), inputs.act, inputs.precision);

    let sorted = floats(count, dim);
    flops::count([count, wide, dim]);
    product(
        &sorted,
        Product::new(count, dim, wide).of(inputs.precision),
        Operand::lines(&derivative, wide),
        Operand::transposed(&inputs.w_in, dim).each(wide * dim),
        rows,
        None,
    );
    let x_grad = combined(&sorted, route, None, [tokens, dim]);

    let w_in_grad = empty(&inputs.x, [experts, wide, dim], DType::F32);
    flops::count([wide, count, dim]);
    product(
        &w_in_grad,
        Product::new(wide, dim, count).of(inputs.precision),
        Operand::transposed(&derivative, wide),
        Operand::transposed(&inputs.x, dim).gathered(),
        Groups::Inner(route),
        None,
    );
    let w_out_grad = empty(&inputs.x, [experts, dim, width], DType::F32);
    flops::count([dim, count, width]);
    product(
        &w_out_grad,
        Product::new(dim, width, count).of(inputs.precision),
        Operand::transposed(output_grad, dim).weighed(inputs.precision),
        Operand::transposed(&weighed, width),
        Groups::Inner(route),
        Some(&inputs.gates),
    );
    let biases = match &inputs.biases {
        Added::Nothing => Added::Nothing,
        Added::Biases { b_out, .. } => {
            add_to_gates(&gates_grad, b_out, &inputs.indices, output_grad, route, dim);
            Added::Biases {
                b_in: sums_of_rows(&derivative, wide, Rows::Sorted(route)),
                b_out: sums_of_rows(output_grad, dim, Rows::Weighed(route, &inputs.gates)),
            }
        }
    };
    Gradients { x: x_grad, gates: gates_grad, w_in: w_in_grad, w_out: w_out_grad, biases }
}
