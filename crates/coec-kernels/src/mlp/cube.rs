//! GPUs: plain products.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;

use super::{Gradients, Mlp, MlpKernel, Saved};
use crate::{
    biases::Added,
    cube::{Groups, Operand, Product, activated_product, ask_for_f32, biased_product, empty, product},
    experts::{Rows, differentiated, sums_of_rows},
    flops,
};

impl MlpKernel for Cube {
    fn forward(inputs: Mlp<Self>) -> [FloatTensor<Self>; 2] {
        ask_for_f32("mlp", inputs.x.dtype());
        let [tokens, dim, wide, width] = sizes(&inputs);
        let floats = |rows: usize, columns: usize| empty(&inputs.x, [rows, columns], DType::F32);
        let (hidden, activated, output) = (floats(tokens, wide), floats(tokens, width), floats(tokens, dim));
        let (b_in, b_out) = inputs.biases.pair().map(|[b_in, b_out]| (b_in, b_out)).unzip();
        flops::count([tokens, dim, wide]);
        activated_product(
            [&hidden, &activated],
            Product::new(tokens, wide, dim).of(inputs.precision),
            inputs.act,
            Operand::lines(&inputs.x, dim),
            Operand::lines(&inputs.w_in, dim),
            Groups::One,
            b_in,
        );
        flops::count([tokens, width, dim]);
        biased_product(
            &output,
            Product::new(tokens, dim, width).of(inputs.precision),
            Operand::lines(&activated, width),
            Operand::lines(&inputs.w_out, width),
            Groups::One,
            b_out,
        );
        [output, hidden]
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> Gradients<Self> {
        let Saved { inputs, hidden } = saved;
        ask_for_f32("the backward pass of mlp", grad.dtype());
        let [tokens, dim, wide, width] = sizes(&inputs);
        let floats = |rows: usize, columns: usize| empty(&inputs.x, [rows, columns], DType::F32);
        let activated_grad = floats(tokens, width);
        flops::count([tokens, dim, width]);
        product(
            &activated_grad,
            Product::new(tokens, width, dim).of(inputs.precision),
            Operand::lines(&grad, dim),
            Operand::transposed(&inputs.w_out, width),
            Groups::One,
            None,
        );
        let [derivative, activated] =
            differentiated(&activated_grad, &hidden, None, inputs.act, inputs.precision);
        let (x, w_in, w_out) = (floats(tokens, dim), floats(wide, dim), floats(dim, width));
        flops::count([tokens, wide, dim]);
        product(
            &x,
            Product::new(tokens, dim, wide).of(inputs.precision),
            Operand::lines(&derivative, wide),
            Operand::transposed(&inputs.w_in, dim),
            Groups::One,
            None,
        );
        flops::count([wide, tokens, dim]);
        product(
            &w_in,
            Product::new(wide, dim, tokens).of(inputs.precision),
            Operand::transposed(&derivative, wide),
            Operand::transposed(&inputs.x, dim),
            Groups::One,
            None,
        );
        flops::count([dim, tokens, width]);
        product(
            &w_out,
            Product::new(dim, width, tokens).of(inputs.precision),
            Operand::transposed(&grad, dim),
            Operand::transposed(&activated, width),
            Groups::One,
            None,
        );
        let biases = match &inputs.biases {
            Added::Nothing => Added::Nothing,
            Added::Biases { .. } => {
                let rows = Rows::All { count: tokens };
                Added::Biases {
                    b_in: sums_of_rows(&derivative, wide, rows),
                    b_out: sums_of_rows(&grad, dim, rows),
                }
            }
        };
        Gradients { x, w_in, w_out, biases }
    }
}

/// N, D, G*F and F.
fn sizes(inputs: &Mlp<Cube>) -> [usize; 4] {
    let [tokens, dim] = inputs.x.shape().dims();
    let [wide, _] = inputs.w_in.shape().dims();
    [tokens, dim, wide, wide / inputs.act.inputs()]
}
