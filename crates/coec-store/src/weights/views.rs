//! Parts of tensors, and tensors of parts, against loops over every element.

use std::path::Path;

use coec_hf::{Axis, View};
use proptest::prelude::*;

use super::view::{Places, blockwise};
use super::*;

/// Where the elements of a view stand, by definition.
fn places(view: &View) -> Vec<usize> {
    view.axes.iter().fold(vec![view.offset], |places, axis| {
        let along = |place: usize| (0..axis.count).map(move |step| place + step * axis.stride);
        places.into_iter().flat_map(along).collect()
    })
}

fn view(offset: usize, axes: &[(usize, usize)]) -> View {
    View { offset, axes: axes.iter().map(|&(count, stride)| Axis { count, stride }).collect() }
}

fn axes() -> impl Strategy<Value = View> {
    let axis = (0..5usize, prop_oneof![1..8usize, 20..90usize]);
    (0..9usize, proptest::collection::vec(axis, 0..4)).prop_map(|(offset, axes)| view(offset, &axes))
}

/// A file of one tensor, whose bytes are all different as far as they can be.
fn file(folder: &Path, dtype: Dtype, elements: usize) -> (Weights, Vec<u8>) {
    let path = folder.join("w.safetensors");
    let bytes: Vec<u8> = (0..elements * dtype.bitsize() / 8).map(|n| (n * 7 + n / 256) as u8).collect();
    write(
        &path,
        &[("other", &[1], Values::I32(&[9])), ("t", &[elements], Values::Bytes(dtype, &bytes))],
        &[],
    )
    .unwrap();
    (Weights::open(&path).unwrap(), bytes)
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn places_are_where_the_axes_lead(view in axes()) {
        prop_assert_eq!(Places::new(view.offset, &view.axes).collect::<Vec<_>>(), places(&view));
        let simple = view.simplified();
        prop_assert_eq!(places(&simple), places(&view));
        prop_assert_eq!((simple.span(), simple.elements()), (view.span(), view.elements()));
    }

    /// In blocks of any size, and of numbers of any width.
    #[test]
    fn a_part_has_the_numbers_at_its_places(view in axes(), most in 1..200usize, dtype in 0..4usize) {
        let dtype = [Dtype::U8, Dtype::BF16, Dtype::F32, Dtype::F64][dtype];
        let folder = tempfile::tempdir().unwrap();
        let (weights, bytes) = file(folder.path(), dtype, view.offset + view.span() + 1);
        let size = dtype.bitsize() / 8;
        let reading = Reading::plain(&weights, "t").unwrap();
        let (mut found, mut longest) = (Vec::new(), 0);
        reading.view_in(&view, most, &mut |piece| {
            longest = longest.max(piece.len());
            found.extend_from_slice(piece);
            Ok(())
        }).unwrap();
        let expected = places(&view).into_iter().flat_map(|place| &bytes[place * size..][..size]);
        prop_assert_eq!(found, expected.copied().collect::<Vec<_>>());
        prop_assert!(view.is_dense() || longest <= most.max(view.axes.last().unwrap().count * 400) * size);
    }
}

/// What is in memory at once: as much as fits, or what lies among each other.
#[test]
fn blocks_are_no_larger_than_they_must_be() {
    let axes = |axes: &[(usize, usize)]| view(0, axes).axes;
    // Rows of a transpose lie among each other; experts do not.
    let transposed = axes(&[(4, 100), (5, 2), (10, 10)]);
    assert_eq!(blockwise(&transposed, 50).1.len(), 2);
    assert_eq!(blockwise(&transposed, 1000).1.len(), 3);
    // Every second element, a few at a time.
    assert_eq!(blockwise(&axes(&[(4, 100), (50, 2)]), 99).1.len(), 1);
    // Rows that stand apart are each as they are.
    assert_eq!(blockwise(&axes(&[(4, 100), (50, 1)]), 10).1, [Axis { count: 50, stride: 1 }]);
}

/// A matrix of every kind of layout that a folder has, taken apart and put together again.
#[test]
fn parts_are_put_together_as_they_were_taken_apart() {
    let (experts, width, dim) = (3, 2, 5);
    let expert = 2 * width * dim;
    let stacked = |of: fn(usize, usize, usize, usize) -> View| -> Vec<View> {
        (0..2 * experts).map(|part| of(part / 2, part % 2, 2, 5)).collect()
    };
    let layouts = [
        // gate, then up.
        stacked(|e, kind, f, d| view(e * 2 * f * d + kind * f * d, &[(f, d), (d, 1)])),
        // Rows in turn.
        stacked(|e, kind, f, d| view(e * 2 * f * d + kind * d, &[(f, 2 * d), (d, 1)])),
        // Columns in turn of the transpose.
        stacked(|e, kind, f, d| view(e * 2 * f * d + kind, &[(f, 2), (d, 2 * f)])),
        // One tensor as it is.
        vec![View::whole(experts * expert)],
    ];
    for dtype in [Dtype::BF16, Dtype::F32, Dtype::F8_E4M3] {
        for views in &layouts {
            let folder = tempfile::tempdir().unwrap();
            let (weights, bytes) = file(folder.path(), dtype, experts * expert);
            let names: Vec<String> = (0..views.len()).map(|part| format!("part {part}")).collect();
            let announced = |(name, view): (&String, &View)| Announced {
                name: name.clone(),
                dtype,
                shape: vec![view.elements()],
            };
            let announced: Vec<_> = names.iter().zip(views).map(announced).collect();
            let apart = folder.path().join("apart.safetensors");
            let mut writer = Writer::create(&apart, &announced, &[]).unwrap();
            for (name, view) in names.iter().zip(views).rev() {
                writer.copy(name, &Reading::plain(&weights, "t").unwrap(), view).unwrap();
            }
            writer.finish().unwrap();

            let apart = Weights::open(&apart).unwrap();
            let placed = |(name, view): (&String, &View)| Placed {
                reading: Reading::plain(&apart, name).unwrap(),
                view: view.clone(),
            };
            let placed: Vec<_> = names.iter().zip(views).map(placed).collect();
            let whole = Announced { name: "t".into(), dtype, shape: vec![experts, 2, width, dim] };
            let path = folder.path().join("whole.safetensors");
            let mut writer = Writer::create(&path, &[whole], &[]).unwrap();
            writer.join("t", &placed).unwrap();
            writer.finish().unwrap();
            assert_eq!(Weights::open(&path).unwrap().bytes("t").unwrap(), bytes, "{dtype} {views:?}");
        }
    }
}

#[test]
fn parts_that_are_no_whole_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, _) = file(folder.path(), Dtype::F32, 6);
    let part = |view| Placed { reading: Reading::plain(&weights, "t").unwrap(), view };
    let code = |parts: &[Placed<'_>], elements| {
        let whole = Announced { name: "t".into(), dtype: Dtype::F32, shape: vec![elements] };
        let mut writer = Writer::create(&folder.path().join("x"), &[whole], &[]).unwrap();
        writer.join("t", parts).map_err(|error| error.code())
    };
    let announced = Err("coec::weights::announced");
    assert_eq!(code(&[part(View::whole(6))], 6), Ok(()));
    assert_eq!(code(&[part(View::whole(6))], 7), announced);
    assert_eq!(code(&[part(View::whole(5))], 5), announced);
    assert_eq!(code(&[part(view(0, &[(6, 2)]))], 6), announced);
    assert_eq!(code(&[], 6), announced);
    // A part beyond the tensor is none of the next one's numbers.
    let reading = Reading::plain(&weights, "t").unwrap();
    let read = reading.view(&view(4, &[(3, 1)]), &mut |_| Ok(()));
    assert_eq!(read.unwrap_err().code(), "coec::weights::invalid");
}
