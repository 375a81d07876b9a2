//! Numbers that look random and follow from a seed, so that what went wrong once can be tried again.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The generator splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Seeds for so many runs: from the clock, or the one in the variable `name`, alone.
    pub fn seeds(name: &str, count: usize) -> Vec<u64> {
        if let Ok(text) = std::env::var(name) {
            return vec![text.parse().expect("a seed is a number")];
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let mut random = Random::new(now.expect("it is past 1970").as_nanos() as u64);
        (0..count).map(|_| random.next()).collect()
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of them.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (start, end) = range.into_inner();
        start + self.next() % (end - start + 1)
    }

    /// One of them.
    pub fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.next() as usize % choices.len()]
    }

    /// Whether something happens that does so once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.next() % times == 0
    }

    /// A time in microseconds.
    pub fn micros(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_micros(self.within(range))
    }
}

/// How many runs a test makes: so many, or what the variable `name` says.
pub fn count(name: &str, count: usize) -> usize {
    std::env::var(name).map_or(count, |text| text.parse().expect("a number of runs"))
}
