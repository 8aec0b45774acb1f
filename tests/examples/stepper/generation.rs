//! The likeliest continuation of a prompt, token by token with a cache, as `coec generate` makes it.

use std::error::Error;
use std::time::Instant;

use burn::tensor::{Int, Tensor, TensorData};
use coec_nn::LanguageModel;
use coec_train::{
    data::{Purpose, Stream},
    sample::Sampler,
};
use serde_json::{Value, json};

/// Continues `prompt` by `count` tokens, none of which ends it.
pub fn generate(model: &LanguageModel, prompt: &[i32], count: usize) -> Result<Value, Box<dyn Error>> {
    let device = model.device();
    let greedy = Sampler::new(0.0, 1.0)?;
    let mut cache = model.cache();
    let (mut unread, mut tokens, mut seconds) = (prompt.to_vec(), Vec::new(), Vec::new());
    for position in 0..count {
        let start = Instant::now();
        let length = unread.len();
        let row = Tensor::<2, Int>::from_data(TensorData::new(unread, [1, length]), &device);
        let logits = model.extend(row, &mut cache).narrow(1, length - 1, 1);
        let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
        let mut stream = Stream::new(0, position as u64, Purpose::Sample);
        let next = greedy.sample(&logits, &mut stream)?;
        seconds.push(start.elapsed().as_secs_f64());
        tokens.push(next);
        unread = vec![next as i32];
    }
    Ok(json!({ "tokens": tokens, "seconds": seconds }))
}
