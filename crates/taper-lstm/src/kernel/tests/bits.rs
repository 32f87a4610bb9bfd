//! The same bits: at any number of threads, and whether activations are kept or computed again.

use super::*;

/// All of an f32 tensor.
pub(super) fn of(tensor: &Tensor) -> Vec<u32> {
    let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

/// Layers beyond one register, one tile and one slice of the batch, of sizes that fill none of them.
pub(super) fn large() -> impl Iterator<Item = LayerShape> {
    let lengths: Vec<usize> = (0..17).map(|i| 1 + (i * 37) % 60).collect();
    cells().flat_map(move |(cell, proj_size)| {
        [(70, 65), (9, 13)].map(|(input_size, hidden_size)| LayerShape {
            input_size,
            hidden_size,
            proj_size,
            ..shape(cell, &lengths, 2)
        })
    })
}

#[test]
fn any_number_of_threads_gives_the_same() {
    for shape in large() {
        let inputs = single(inputs(&shape));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fused(&shape, &inputs).each_ref().map(of))
        };
        let one = run(1);
        for threads in [2, 3, 4, 8] {
            assert!(run(threads) == one, "{threads} threads differ from one: {shape:?}");
        }
    }
}

#[test]
fn activations_computed_again_are_the_same() {
    for shape in large() {
        let inputs = single(inputs(&shape));
        let keep = fused(&shape, &inputs).each_ref().map(of);
        let shape = LayerShape { activations: Activations::Recompute, ..shape };
        assert!(fused(&shape, &inputs).each_ref().map(of) == keep, "{shape:?}");
    }
}

#[test]
fn memory_used_again_leaves_nothing_behind() {
    let workspaces = Arc::default();
    for shape in large().chain(cases()) {
        let inputs = single(inputs(&shape));
        let fresh = fused(&shape, &inputs).each_ref().map(of);
        for _ in 0..2 {
            let again = fused_in(&workspaces, &shape, &inputs).each_ref().map(of);
            assert!(again == fresh, "{shape:?}");
        }
    }
}
