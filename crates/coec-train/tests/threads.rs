//! A step and the gradient's norm give the same bits on any number of threads.

mod common;

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use coec_ir::{Act, AdamW, Coe, Dense, Ffn, Precision, Train};
use coec_train::optimizer::global_norm;
use common::*;

/// `run` on 1, 2, 3 and 7 threads gives the same.
fn assert_same<R: PartialEq + Send>(run: impl Fn() -> R + Send + Sync) {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&run)
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert!(on(threads) == one, "{threads} threads give other bits than one");
    }
}

/// Large enough that the framework's own products are made by several threads: 256 tokens, and 256 x 96
/// x 512 multiply-adds in the output head.
///
/// Under an eps far above every gradient a movement is proportional to its gradient, and the second one
/// is far larger than the weight: no bit of a gradient is lost in a weight, as most are at an ordinary rate.
#[test]
fn two_steps_are_the_same_bits() {
    let config = AdamW { clip: 0.5, eps: 1e6, weight_decay: 0.0, ..adamw() };
    let coe = Coe { experts: 8, hidden: 300, ..chain() };
    let model = model(512, 96, Ffn::Coe(coe));
    for &precision in Precision::ALL {
        let train = |accumulate| Train { precision, ..train(config, accumulate) };
        assert_same(|| {
            let trainer = trainer(&model, config, |_, _| None);
            let (trainer, first) = trainer.step(&train(2), &counting(4, 64, 0, 512), 1e5).unwrap();
            let (trainer, second) = trainer.step(&train(1), &counting(4, 64, 99, 512), 1e12).unwrap();
            assert!(first.applied && second.applied);
            (bits(&trainer), numbers(&first), numbers(&second))
        });
    }
}

/// The backend's own sum over 4Mi elements and more would split its work by what is idle.
#[test]
fn the_norm_of_a_large_gradient_is_the_same_bits() {
    let vocab = 70_000; // times a width of 64: 4.48 million elements in each of two tensors
    let dense = Ffn::Dense(Dense::plain(32, Act::Swiglu));
    let trainer = trainer(&model(vocab, 64, dense), adamw(), |_, _| None);
    let batch = counting(2, 4, 0, vocab);
    assert_same(|| {
        let tensor =
            |ids: &[i32]| Tensor::<2, Int>::from_data(TensorData::new(ids.to_vec(), [2, 4]), &trainer.device);
        let loss = trainer.model.forward(tensor(&batch.inputs)).loss(tensor(&batch.targets));
        let grads = GradientsParams::from_grads(loss.backward(), &trainer.model);
        global_norm(&trainer.model, &grads).unwrap().into_scalar::<f32>().to_bits()
    });
}
