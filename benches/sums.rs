//! The sum of gradients over ranks, in its fixed order, beside the sum that MPI itself offers:
//! `mpirun -n 4 target/release/deps/sums-* 34500000`, after `cargo bench --features mpi --bench sums --no-run`.

use std::time::Instant;

use vae_gpu::ranks::{Ranks, World};

/// Words of a block where no argument names another number: the parameters of a large model of pictures.
const WORDS: usize = 34_500_000;
/// Sums of each kind, after one that is not counted.
const ROUNDS: usize = 7;

fn main() -> vae_gpu::Result<()> {
    // Cargo's own arguments are no numbers.
    let words = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(WORDS);
    let world = World::join()?;
    let (size, rank) = (world.size(), world.rank());
    // Whole numbers, whose sum is exact in any order.
    let number = |i: usize, rank: usize| ((i + 3 * rank) % 64) as f32;
    let fresh = || (0..words).map(|i| number(i, rank)).collect::<Vec<f32>>();
    let check = |sum: &[f32]| {
        let is_right = |(i, sum): (usize, &f32)| *sum == (0..size).map(|rank| number(i, rank)).sum::<f32>();
        assert!(sum.iter().enumerate().all(is_right), "rank {rank}: a wrong sum");
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut spare = vec![0.0; words];
    for _ in 0..=ROUNDS {
        let block = fresh();
        world.gather(&[])?;
        let begin = Instant::now();
        let sum = world.sum(block)?;
        ours.push(begin.elapsed().as_secs_f64());
        check(&sum);
        let block = fresh();
        world.gather(&[])?;
        let begin = Instant::now();
        let [_, sum] = world.sum_by_mpi(block, spare)?;
        theirs.push(begin.elapsed().as_secs_f64());
        check(&sum);
        spare = sum;
    }
    if rank == 0 {
        let median = |times: &mut Vec<f64>| {
            times.remove(0);
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "{words} words among {size} ranks: {:.1} ms, MPI's own {:.1} ms: {:.2} times as long",
            1e3 * ours,
            1e3 * theirs,
            ours / theirs
        );
    }
    world.leave();
    Ok(())
}
