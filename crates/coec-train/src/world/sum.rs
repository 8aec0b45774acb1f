//! The gradients of a batch, added in the order of its parts.

use burn::module::ParamId;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use coec_ir::EXCHANGED;
use coec_nn::LanguageModel;

use super::{World, WorldError};

/// The sum of the gradients of the parts of a batch.
///
/// It begins with the value of the first part, not with zero, and takes the others in their order, as one rank
/// does that computes them one after the other: rank `r` of `R` computes the parts `r`, `r + R`, and so on. For
/// that each rank sums one slice of all gradients, and in the end gives it to the others: the bytes of a ring
/// all-reduce, in the order of the parts and not of a ring.
pub(crate) enum Sum<'w> {
    /// On one rank they stay on the device.
    Alone(GradientsAccumulator<LanguageModel>),
    /// Slices of them, on the host.
    Shared(Slices<'w>),
}

pub(crate) struct Slices<'w> {
    world: &'w dyn World,
    /// The parameters that have gradients, in walk order: the same on all ranks.
    layout: Vec<Place>,
    /// This rank's slice of each bucket, one behind the other.
    sums: Vec<f32>,
    /// Whether the sums have the value of a part.
    is_begun: bool,
}

/// Where a gradient belongs.
struct Place {
    id: ParamId,
    shape: Vec<usize>,
}

impl<'w> Sum<'w> {
    pub fn new(world: &'w dyn World) -> Self {
        match world.size() {
            1 => Self::Alone(GradientsAccumulator::new()),
            _ => Self::Shared(Slices { world, layout: Vec::new(), sums: Vec::new(), is_begun: false }),
        }
    }

    /// Adds those of a round: the first `parts` ranks have a part each, of which these are the gradients.
    pub fn add(
        &mut self,
        model: &LanguageModel,
        grads: Option<GradientsParams>,
        parts: usize,
    ) -> Result<(), WorldError> {
        match self {
            Self::Alone(sum) => {
                grads.into_iter().for_each(|grads| sum.accumulate(model, grads));
                Ok(())
            }
            Self::Shared(slices) => slices.add(model, grads, parts),
        }
    }

    /// The sum, whole on every rank.
    pub fn finish(self, device: &Device) -> Result<GradientsParams, WorldError> {
        match self {
            Self::Alone(mut sum) => Ok(sum.grads()),
            Self::Shared(slices) => slices.finish(device),
        }
    }
}

impl Slices<'_> {
    fn add(
        &mut self,
        model: &LanguageModel,
        grads: Option<GradientsParams>,
        parts: usize,
    ) -> Result<(), WorldError> {
        let mut grads = grads.unwrap_or_default();
        if !self.is_begun {
            // Every rank has a part of the first round.
            let bindings = model.bindings().iter();
            self.layout =
                bindings.filter_map(|binding| Place::of(&grads, binding.id, binding.rank)).collect();
            let slices = self.buckets().map(|length| length.div_ceil(self.world.size()));
            self.sums = vec![0.0; slices.sum()];
        }
        let mut sender = Sender::new(self, parts);
        let layout = std::mem::take(&mut sender.slices.layout);
        for place in &layout {
            // A rank without a part sends what nobody adds.
            let values = place.take(&mut grads).unwrap_or_else(|| vec![0.0; place.elements()]);
            sender.send(&values)?;
        }
        sender.flush()?;
        self.layout = layout;
        self.is_begun = true;
        Ok(())
    }

    /// The lengths of the buckets that all gradients fill.
    fn buckets(&self) -> impl Iterator<Item = usize> + use<> {
        let elements: usize = self.layout.iter().map(Place::elements).sum();
        (0..elements.div_ceil(EXCHANGED)).map(move |bucket| EXCHANGED.min(elements - bucket * EXCHANGED))
    }

    fn finish(self, device: &Device) -> Result<GradientsParams, WorldError> {
        let mut grads = GradientsParams::new();
        let (mut buckets, mut sums) = (self.buckets(), self.sums.as_slice());
        let (mut all, mut at) = (Vec::new(), 0);
        for place in &self.layout {
            let mut values = Vec::with_capacity(place.elements());
            while values.len() < place.elements() {
                if at == all.len() {
                    let length = buckets.next().unwrap_or_default();
                    let slice;
                    (slice, sums) = sums.split_at(length.div_ceil(self.world.size()));
                    all.resize(slice.len() * self.world.size(), 0.0);
                    self.world.gather(slice, &mut all)?;
                    // What fills the last slice up is no gradient.
                    all.truncate(length);
                    at = 0;
                }
                let count = (place.elements() - values.len()).min(all.len() - at);
                values.extend_from_slice(&all[at..at + count]);
                at += count;
            }
            place.register(&mut grads, values, device);
        }
        Ok(grads)
    }
}

/// Sends gradients as they come, a bucket at a time.
struct Sender<'a, 'w> {
    slices: &'a mut Slices<'w>,
    /// Ranks whose gradients count.
    parts: usize,
    bucket: Vec<f32>,
    received: Vec<f32>,
    /// Where the sums of the next bucket begin.
    at: usize,
}

impl<'a, 'w> Sender<'a, 'w> {
    fn new(slices: &'a mut Slices<'w>, parts: usize) -> Self {
        Self { slices, parts, bucket: Vec::new(), received: Vec::new(), at: 0 }
    }

    fn send(&mut self, mut values: &[f32]) -> Result<(), WorldError> {
        while !values.is_empty() {
            let (fits, rest) = values.split_at(values.len().min(EXCHANGED - self.bucket.len()));
            self.bucket.extend_from_slice(fits);
            values = rest;
            if self.bucket.len() == EXCHANGED {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Exchanges what is in the bucket, and adds what comes for it in the order of the ranks.
    fn flush(&mut self) -> Result<(), WorldError> {
        if self.bucket.is_empty() {
            return Ok(());
        }
        let Slices { world, sums, is_begun, .. } = &mut *self.slices;
        let slice = self.bucket.len().div_ceil(world.size());
        self.bucket.resize(slice * world.size(), 0.0);
        self.received.resize(self.bucket.len(), 0.0);
        world.exchange(&self.bucket, &mut self.received)?;
        self.bucket.clear();
        let sums = &mut sums[self.at..self.at + slice];
        self.at += slice;
        for (rank, values) in self.received.chunks_exact(slice).take(self.parts).enumerate() {
            match rank == 0 && !*is_begun {
                true => sums.copy_from_slice(values),
                false => sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value),
            }
        }
        Ok(())
    }
}

impl Place {
    /// That of the gradient of a parameter with so many dimensions, if it has one.
    fn of(grads: &GradientsParams, id: ParamId, rank: usize) -> Option<Self> {
        let shape = match rank {
            1 => grads.get::<1>(id)?.dims().to_vec(),
            2 => grads.get::<2>(id)?.dims().to_vec(),
            _ => grads.get::<3>(id)?.dims().to_vec(),
        };
        Some(Self { id, shape })
    }

    /// The elements of the gradient, which is then gone from the device.
    fn take(&self, grads: &mut GradientsParams) -> Option<Vec<f32>> {
        let data = match self.shape.len() {
            1 => grads.remove::<1>(self.id)?.into_data(),
            2 => grads.remove::<2>(self.id)?.into_data(),
            _ => grads.remove::<3>(self.id)?.into_data(),
        };
        data.convert::<f32>().try_into_vec().ok()
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn register(&self, grads: &mut GradientsParams, values: Vec<f32>, device: &Device) {
        let data = TensorData::new(values, self.shape.clone());
        match self.shape.len() {
            1 => grads.register(self.id, Tensor::<1>::from_data(data, device)),
            2 => grads.register(self.id, Tensor::<2>::from_data(data, device)),
            _ => grads.register(self.id, Tensor::<3>::from_data(data, device)),
        }
    }
}
