//! A run: what happens to an engine and its disk, drawn from a seed, one step after the other. Runs
//! on the test's thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::account::Account;
use super::disk::{Died, Disk};
use super::engine::{Life, Shape};
use super::random::Random;
use super::weather::{Failed, Weather};
use crate::flush::Asked;
use crate::flush::signal::bit;
use crate::sys::moment::simulated::{pass, stop};

/// Steps of the threads in which a drain on a sound disk ends.
const DRAIN_STEPS_MAX: u32 = 300;

/// What a run has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) calls: u64,
    pub(super) failed_calls: u64,
    pub(super) lines: u64,
    pub(super) kills: u64,
    pub(super) power_cuts: u64,
    pub(super) rotations: u64,
    pub(super) confirmed: u64,
    pub(super) refused_barriers: u64,
    /// A sum of all that was done.
    pub(super) trace: u64,
}

/// A `sync` that waits.
struct Barrier {
    asked: Asked,
    position: u64,
    is_published: bool,
}

/// An engine, its disk, and what is known of the records.
struct World {
    random: Random,
    disk: Arc<Disk>,
    shape: Shape,
    life: Option<Life>,
    barriers: Vec<Barrier>,
    account: Account,
    next: u64,
    seen: Seen,
}

/// One run; panics where a promise is broken.
pub(super) fn run(seed: u64, is_told: bool) -> Seen {
    let _stopped = stop();
    let mut random = Random::new(seed);
    let disk = Arc::new(Disk::new(random.fork()));
    disk.state().is_told = is_told;
    let shape = Shape::of(&mut random);
    disk.state().note(format_args!("{shape:?}"));
    let steps = random.within(20..400);
    let mut world = World {
        random,
        disk,
        shape,
        life: None,
        barriers: Vec::new(),
        account: Account::default(),
        next: 0,
        seen: Seen::default(),
    };
    (0..steps).for_each(|_| world.act());
    world.drain();
    if world.random.permille(500) {
        world.disk.state().lose_power();
        world.account.check_after_power_cut(&mut world.disk.state());
    }
    let state = world.disk.state();
    let (lines, confirmed) = (world.next, world.account.confirmed());
    Seen { calls: state.calls, trace: state.trace, lines, confirmed, ..world.seen }
}

impl World {
    fn act(&mut self) {
        if self.life.is_none() {
            return self.start();
        }
        match self.random.within(0..100) {
            0..30 => self.log(),
            30..55 => self.step(Life::step_publisher),
            55..70 => self.step(Life::step_keeper),
            70..80 => self.wait(),
            80..88 => self.ask(),
            88..92 => self.change_weather(),
            92..95 => self.disk.state().disturb(),
            95..98 => {
                let calls = self.random.within(0..40);
                self.disk.state().dies_in = Some(calls);
            }
            _ => self.drain(),
        }
    }

    /// What the engine does, which its process may not live through.
    fn alive<T>(&mut self, work: impl FnOnce(&mut World) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(done) => Some(done),
            Err(cause) if cause.is::<Died>() => {
                self.die();
                None
            }
            Err(cause) => resume_unwind(cause),
        }
    }

    fn start(&mut self) {
        let (disk, shape) = (Arc::clone(&self.disk), self.shape);
        let started = self.alive(|world| {
            let mut life = Life::start(&disk, &shape).ok()?;
            let keeper = life.keeper.take();
            world.life = Some(life);
            // It may die of that.
            let mut keeper = keeper?;
            // What failed so far is the start's to tell.
            disk.state().failed = Failed::default();
            keeper.begin();
            world.life.as_mut()?.keeper = Some(keeper);
            Some(())
        });
        if started == Some(None) {
            // It could not, and said so. Somebody sees to the disk before the next try.
            self.disk.state().end_life();
            self.disk.state().weather = Weather::Fair;
        }
    }

    fn log(&mut self) {
        let count = self.random.within(1..40);
        let urgency = if self.random.permille(50) { bit::URGENT } else { 0 };
        let Some(life) = &mut self.life else { return };
        for _ in 0..count {
            self.next += 1;
            life.log(self.next);
        }
        life.commit(urgency);
    }

    fn step(&mut self, step: fn(&mut Life)) {
        self.disk.state().note(format_args!("step {}", self.next));
        self.alive(|world| world.life.as_mut().map(step));
        self.look();
    }

    /// What can be seen from outside, after each step.
    fn look(&mut self) {
        let Some(life) = &mut self.life else { return };
        self.account.published(life.newly_published());
        life.tell(|| {
            self.next += 1;
            self.next
        });
        life.commit(0);
        let progress = Arc::clone(&life.shared.progress);
        self.barriers.retain_mut(|barrier| {
            if !barrier.is_published {
                barrier.is_published = progress.published() >= barrier.position;
                if barrier.is_published {
                    life.keeper_signal.raise(bit::BARRIER);
                }
                return true;
            }
            // In this order, as whoever waits does it.
            let is_synced = progress.synced() >= barrier.position;
            if progress.answer(barrier.asked, barrier.position).is_some() {
                self.seen.refused_barriers += 1;
                life.answered = life.answered.max(barrier.position);
                return false;
            }
            if is_synced {
                self.disk.state().note(format_args!("confirmed up to {}", barrier.position));
                self.account.confirm(life.answered_for(barrier.position));
            }
            !is_synced
        });
    }

    fn wait(&mut self) {
        let times = [1, 5, 50, 1_000, 61_000, 3_600_000];
        pass(Duration::from_millis(*self.random.pick(&times)));
    }

    fn ask(&mut self) {
        let Some(life) = &mut self.life else { return };
        let asked = life.shared.progress.ask();
        life.shared.publisher.raise(bit::BARRIER);
        self.barriers.push(Barrier { asked, position: life.written.bytes, is_published: false });
    }

    fn change_weather(&mut self) {
        let weather = Weather::of(&mut self.random);
        let others = if self.random.permille(200) { self.random.within(1..100) } else { 0 };
        let mut state = self.disk.state();
        state.note(format_args!("{weather:?}, others {others}"));
        (state.weather, state.others_permille) = (weather, others);
    }

    /// The process is killed, or the machine loses its power.
    fn die(&mut self) {
        let is_power_cut = self.random.permille(500);
        if let Some(mut life) = self.life.take() {
            self.account.published(life.newly_published());
            self.count_rotations(&life);
        }
        self.barriers.clear();
        let mut state = self.disk.state();
        state.note(format_args!("dies, by power cut: {is_power_cut}"));
        if is_power_cut {
            self.seen.power_cuts += 1;
            state.lose_power();
            self.account.check_after_power_cut(&mut state);
        } else {
            self.seen.kills += 1;
            self.account.check(&mut state);
        }
        self.seen.failed_calls += state.failed.total();
        state.end_life();
    }

    fn count_rotations(&mut self, life: &Life) {
        self.seen.rotations += life.shared.counters.get(crate::stats::Counter::Rotations);
    }

    /// The disk is sound again, and the engine ends: nothing may be left, and all be accounted for.
    fn drain(&mut self) {
        {
            let mut state = self.disk.state();
            state.note(format_args!("drain"));
            (state.weather, state.others_permille, state.dies_in) = (Weather::Fair, 0, None);
        }
        if self.life.is_none() {
            self.start();
        }
        let Some(life) = &mut self.life else { panic!("it starts on a sound disk") };
        let asked = life.shared.progress.ask();
        life.shared.publisher.raise(bit::STOP);
        for _ in 0..DRAIN_STEPS_MAX {
            pass(Duration::from_secs(1));
            life.step_publisher();
            life.step_keeper();
            if life.publisher.is_none() && life.keeper.is_none() {
                break;
            }
        }
        assert!(life.keeper.is_none(), "a drain ends");
        self.account.published(life.newly_published());
        let mut state = self.disk.state();
        super::account::check_life(life, &state);
        if life.shared.progress.answer(asked, u64::MAX).is_none() {
            self.account.confirm(life.answered_for(u64::MAX));
        }
        self.account.check(&mut state);
        self.seen.failed_calls += state.failed.total();
        state.end_life();
        drop(state);
        if let Some(life) = self.life.take() {
            self.count_rotations(&life);
        }
        self.barriers.clear();
    }
}
