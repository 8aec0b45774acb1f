//! GPUs: products in f32, read where they are.

use burn::backend::{Cube, TensorMetadata, tensor::FloatTensor};
use burn::tensor::DType;

use super::{LinearKernel, Saved};
use crate::Precision;
use crate::cube::{Groups, Operand, Product, ask_for_f32, empty, product};

impl LinearKernel for Cube {
    fn forward(x: FloatTensor<Self>, weight: FloatTensor<Self>, precision: Precision) -> FloatTensor<Self> {
        ask_for_f32("linear", x.dtype());
        let ([n, inputs], [outputs, _]) = (x.shape().dims(), weight.shape().dims());
        let y = empty(&x, [n, outputs], DType::F32);
        let (left, right) = (Operand::lines(&x, inputs), Operand::lines(&weight, inputs));
        product(&y, Product::new(n, outputs, inputs).of(precision), left, right, Groups::One, None);
        y
    }

    fn backward(saved: Saved<Self>, grad: FloatTensor<Self>) -> [FloatTensor<Self>; 2] {
        let Saved { x, weight, precision } = saved;
        ask_for_f32("the backward pass of linear", grad.dtype());
        let ([n, inputs], [outputs, _]) = (x.shape().dims(), weight.shape().dims());
        let (x_grad, weight_grad) =
            (empty(&x, [n, inputs], DType::F32), empty(&x, [outputs, inputs], DType::F32));
        product(
            &x_grad,
            Product::new(n, inputs, outputs).of(precision),
            Operand::lines(&grad, outputs),
            Operand::transposed(&weight, inputs),
            Groups::One,
            None,
        );
        product(
            &weight_grad,
            Product::new(outputs, inputs, n).of(precision),
            Operand::transposed(&grad, outputs),
            Operand::transposed(&x, inputs),
            Groups::One,
            None,
        );
        [x_grad, weight_grad]
    }
}
