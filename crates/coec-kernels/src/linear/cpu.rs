//! The linear map on slices.

use burn::backend::{Element, TensorMetadata, tensor::FloatTensor};

use super::{LinearKernel, Saved};
use crate::{
    Precision,
    cpu::{Host, Multiply, View, by_dtype, shared_product, transpose, unwritten},
};

impl<B: Host> LinearKernel for B {
    fn forward(x: FloatTensor<B>, weight: FloatTensor<B>, precision: Precision) -> FloatTensor<B> {
        by_dtype!("linear", x.dtype(), T => forward::<B, T>(x, weight, precision))
    }

    fn backward(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
        by_dtype!("the backward pass of linear", grad.dtype(), T => backward::<B, T>(saved, grad))
    }
}

fn forward<B: Host, T: Multiply + Element>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    precision: Precision,
) -> FloatTensor<B> {
    let (device, [rows, width], [out, _]) = (x.device(), x.shape().dims(), weight.shape().dims());
    let (x, weight) = (B::hold(x), B::hold(weight));
    let y = linear::<T>(B::slice(&x), B::slice(&weight), [rows, width, out], precision);
    B::float(y, [rows, out], &device)
}

fn backward<B: Host, T: Multiply + Element>(saved: Saved<B>, grad: FloatTensor<B>) -> [FloatTensor<B>; 2] {
    let (device, shapes) = (saved.x.device(), [saved.x.shape(), saved.weight.shape()]);
    let ([rows, width], [out, _]) = (saved.x.shape().dims(), saved.weight.shape().dims());
    let precision = saved.precision;
    let [x, weight, grad] = [saved.x, saved.weight, grad].map(B::hold);
    let x = View::<T>::new(B::slice(&x), rows, width);
    let weight = View::new(B::slice(&weight), out, width);
    let grad = View::new(B::slice(&grad), rows, out);
    let (mut x_grad, mut weight_grad) = (unwritten(rows * width), unwritten(out * width));
    shared_product(&mut x_grad, grad, weight, false, precision);
    shared_product(&mut weight_grad, grad.transposed(), x, false, precision);
    let [x, weight] = shapes;
    [B::float(x_grad, x, &device), B::float(weight_grad, weight, &device)]
}

/// Rows up to which the weight is the left factor, which is not copied: of a generated token it is most of
/// what is read.
const FEW: usize = 32;

fn linear<T: Multiply>(
    x: &[T],
    weight: &[T],
    [rows, width, out]: [usize; 3],
    precision: Precision,
) -> Vec<T> {
    let (x, weight) = (View::new(x, rows, width), View::new(weight, out, width));
    let mut y = unwritten(rows * out);
    if rows <= FEW {
        let mut columns = unwritten(out * rows);
        shared_product(&mut columns, weight, x.transposed(), false, precision);
        if rows == 1 {
            return columns;
        }
        transpose(&columns, &mut y, [out, rows]);
    } else {
        shared_product(&mut y, x, weight.transposed(), false, precision);
    }
    y
}
