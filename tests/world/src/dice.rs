//! Seeded chance.

use faregate_core::model::Ms;

/// A small generator (splitmix64): the same seed, the same world.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From a seed; neighbouring seeds have nothing in common.
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0x1405_7B7E_F767_814F))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 0 to `n` - 1; 0 when `n` is below 1.
    pub fn below(&mut self, n: Ms) -> Ms {
        (self.bits() >> 2) as Ms % n.max(1)
    }

    /// `from` to `to`, the latter left out.
    pub fn between(&mut self, from: Ms, to: Ms) -> Ms {
        from + self.below(to - from)
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, p: u32) -> bool {
        self.below(1000) < Ms::from(p)
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, p: u32) -> bool {
        self.permille(p * 10)
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as Ms) as usize]
    }
}
