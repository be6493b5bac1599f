//! Many seeds, on all processors; one of them again, by its number.

use std::{
    fmt::Display,
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use replication::planted::{self, Fault};

/// How often a seed that is asked for is run. Signatures differ in length by a byte or two, and raft cuts its log when it
/// comes to it: so a seed does the same operations in the same order most of the time, not always.
const REPETITIONS: u64 = 20;

/// Numbers from a seed (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Whether one in `n` times.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Runs what a seed says, as the threads of a test do it.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// How many seeds: the number that the test command has, unless `SEEDS` says another.
fn count(usual: u64) -> u64 {
    number("SEEDS").unwrap_or(usual)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// Runs seeds `0..usual`, or as many as `SEEDS` says, or the one that `SEED` names, and adds up what they did. A seed that
/// fails is named with the command that runs it again; the smallest one, if several do.
pub(crate) fn all<T: Default + Send + std::ops::AddAssign>(
    test: &str,
    usual: u64,
    run: impl Fn(u64) -> Result<T, String> + Sync,
) -> T {
    let begin = Instant::now();
    let only = number("SEED");
    let (first, behind) = only.map_or((0, count(usual)), |seed| (seed, seed + 1));
    let (mut sum, mut failed) = search(first..behind, None, &run);
    for _ in 1..only.map_or(1, |_| REPETITIONS) {
        if failed.is_none() {
            (sum, failed) = search(first..behind, None, &run);
        }
    }
    if let Some((seed, why)) = failed {
        panic!("seed {seed}: {why}\nagain: SEED={seed} cargo test -p replication --test power_loss {test}");
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{test}: {} seeds in {seconds:.1} s, {:.0}/s", behind - first, (behind - first) as f64 / seconds);
    sum
}

/// How many seeds it takes until one notices the fault; none of them if no seed does.
pub(crate) fn until_found<T: Default + Send + std::ops::AddAssign>(
    fault: Option<Fault>,
    seeds: u64,
    run: impl Fn(u64) -> Result<T, String> + Sync,
) -> Option<(u64, String)> {
    search(0..seeds, fault, &run).1
}

fn search<T: Default + Send + std::ops::AddAssign>(
    seeds: std::ops::Range<u64>,
    fault: Option<Fault>,
    run: &(impl Fn(u64) -> Result<T, String> + Sync),
) -> (T, Option<(u64, String)>) {
    let (next, end) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end));
    let result = Mutex::new((T::default(), None::<(u64, String)>));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                planted::plant(fault);
                let mut mine = T::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end.load(Ordering::Relaxed) {
                        break;
                    }
                    match run(seed) {
                        Ok(done) => mine += done,
                        Err(why) => {
                            end.fetch_min(seed, Ordering::Relaxed);
                            let mut result = result.lock().unwrap();
                            if result.1.as_ref().is_none_or(|(found, _)| seed < *found) {
                                result.1 = Some((seed, why));
                            }
                        }
                    }
                }
                result.lock().unwrap().0 += mine;
            });
        }
    });
    result.into_inner().unwrap()
}

/// What went wrong, as a text.
pub(crate) fn text(why: impl Display) -> String {
    why.to_string()
}
