//! Counter-based random numbers: the value is a function of (seed, stream, step, index), so there is
//! no generator state to order, to share between threads, or to save.
//!
//! The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! SC 2011), the one behind `curand` and PyTorch's CUDA dropout.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// A family of random numbers: one seed, one purpose (`stream`), one moment (`step`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Philox {
    /// The run's seed.
    pub seed: u64,
    /// What the numbers are for; two purposes never share a stream.
    pub stream: u32,
    /// When they are drawn: the training step, the epoch, or 0.
    pub step: u32,
}

impl Philox {
    /// Numbers for `stream` at `step` of the run with `seed`.
    pub fn new(seed: u64, stream: u32, step: u32) -> Self {
        Self { seed, stream, step }
    }

    /// Block `index`: four independent uniform 32-bit words.
    #[inline]
    pub fn block(self, index: u64) -> [u32; 4] {
        let mut key = [self.seed as u32, (self.seed >> 32) as u32];
        let mut counter = [index as u32, (index >> 32) as u32, self.stream, self.step];
        for _ in 0..ROUNDS {
            let low = u64::from(counter[0]) * u64::from(MULTIPLIERS[0]);
            let high = u64::from(counter[2]) * u64::from(MULTIPLIERS[1]);
            counter = [
                (high >> 32) as u32 ^ counter[1] ^ key[0],
                high as u32,
                (low >> 32) as u32 ^ counter[3] ^ key[1],
                low as u32,
            ];
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        counter
    }

    /// `N` blocks from `first` on, drawn side by side: what [`Self::block`] gives, for loops that the
    /// compiler is to turn into vector instructions.
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "it takes on the instructions of the loop it stands in"
    )]
    #[allow(clippy::needless_range_loop, reason = "lane by lane: so it is vectorised")]
    pub(crate) fn blocks<const N: usize>(self, first: u64) -> [[u32; 4]; N] {
        let mut key = [self.seed as u32, (self.seed >> 32) as u32];
        let mut counters = [[0; N], [0; N], [self.stream; N], [self.step; N]];
        for lane in 0..N {
            let index = first + lane as u64;
            (counters[0][lane], counters[1][lane]) = (index as u32, (index >> 32) as u32);
        }
        for _ in 0..ROUNDS {
            for lane in 0..N {
                let [a, b, c, d] = [0, 1, 2, 3].map(|word| counters[word][lane]);
                let low = u64::from(a) * u64::from(MULTIPLIERS[0]);
                let high = u64::from(c) * u64::from(MULTIPLIERS[1]);
                counters[0][lane] = (high >> 32) as u32 ^ b ^ key[0];
                counters[1][lane] = high as u32;
                counters[2][lane] = (low >> 32) as u32 ^ d ^ key[1];
                counters[3][lane] = low as u32;
            }
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let mut blocks = [[0; 4]; N];
        for (lane, block) in blocks.iter_mut().enumerate() {
            *block = [0, 1, 2, 3].map(|word| counters[word][lane]);
        }
        blocks
    }

    /// Word number `index` of the family.
    #[inline]
    pub fn word(self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// Number `index`, uniform in `[0, 1)`, with 24 bits.
    #[inline]
    pub fn uniform(self, index: u64) -> f64 {
        f64::from(self.word(index) >> 8) / f64::from(1u32 << 24)
    }

    /// Number `index`, standard normal (Box and Muller 1958).
    pub fn normal(self, index: u64) -> f64 {
        let words = self.block(index);
        // The radius takes (0, 1], so that its logarithm is finite.
        let radius = (f64::from(words[0]) + 1.0) / (f64::from(u32::MAX) + 1.0);
        let angle = f64::from(words[1]) / (f64::from(u32::MAX) + 1.0);
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// A permutation of `0..len`: the indices sorted by their random words.
    pub fn permutation(self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        order.sort_by_cached_key(|&index| (self.block(index as u64), index));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known-answer vectors of Random123's `kat_vectors` file, philox4x32 with 10 rounds.
    #[test]
    fn known_answers() {
        assert_eq!(
            Philox::new(0, 0, 0).block(0),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        let pi = Philox::new(0x299f_31d0_a409_3822, 0x1319_8a2e, 0x0370_7344);
        assert_eq!(
            pi.block(0x85a3_08d3_243f_6a88),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn side_by_side_they_are_the_same() {
        let numbers = Philox::new(0x299f_31d0_a409_3822, 3, 4);
        let first = u64::from(u32::MAX) - 2;
        let blocks = numbers.blocks::<16>(first);
        for (index, block) in (first..).zip(blocks) {
            assert_eq!(block, numbers.block(index));
        }
    }

    #[test]
    fn moments() {
        let numbers = Philox::new(7, 1, 2);
        let n = 20_000u64;
        let mean = (0..n).map(|i| numbers.uniform(i)).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        let variance = (0..n).map(|i| numbers.normal(i).powi(2)).sum::<f64>() / n as f64;
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
    }

    #[test]
    fn permutation_is_one() {
        let mut order = Philox::new(1, 2, 3).permutation(1000);
        assert_ne!(order, (0..1000).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }
}
