//! Promise [P5]: an engine whose disk stands still holds up those alone who wait for its disk.
//! Others start, log, filter, look, end and drain as ever, and each drain with a limit keeps it.
//!
//! Attacked by an ext4 that is frozen, while a thread waits in a page fault of an engine's
//! dictionary, and while nobody does. Needs the right to mount, and `fsfreeze`; without them the
//! test says so and passes.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::frozen::FrozenDisk;
use fastlog::{Arena, Config, Engine, fastlog};

/// What no step takes, however busy the machine is; the disk is frozen for longer.
const STEP_MAX: Duration = Duration::from_secs(15);

/// The limit of each drain. What an abandoned collector may take comes on top.
const LIMIT: Duration = Duration::from_millis(200);

/// Runs a step on a thread of its own: it has to end while the disk is frozen.
fn step<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Nobody listens any more when it took too long.
        let _ = sender.send(work());
    });
    let result = receiver.recv_timeout(STEP_MAX);
    result.unwrap_or_else(|_| panic!("{what} waits for a disk that is another's"))
}

fn config(dir: &Path, name: &str) -> Config {
    Config::default().dir(dir.join(name)).name(name).ignore_env()
}

fn detached(config: Config) -> Engine {
    Engine::detached(config).expect("the engine starts")
}

/// A thread that, once it may, meets a callsite which is new to the engine; and its number.
fn stuck_thread(engine: &Engine, may_go: &Arc<AtomicBool>) -> (JoinHandle<()>, String) {
    let (logger, may_go) = (engine.logger(), Arc::clone(may_go));
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Its ring first: it is the entry that it shall wait for.
        fastlog!(logger: logger, INFO, "known to the engine");
        let task = std::fs::read_link("/proc/thread-self").expect("its number");
        sender.send(task.to_str().expect("a number").to_owned()).expect("somebody waits");
        while !may_go.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
        fastlog!(logger: logger, INFO, "new to the engine");
    });
    (thread, receiver.recv().expect("the thread runs"))
}

/// Whether the thread waits in the kernel and takes no signal meanwhile, as for a disk.
fn waits_for_disk(task: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{task}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('D'))
}

/// What others do meanwhile, each step on an engine whose disk is in order unless it says so.
fn others_go_on(elsewhere: &Path, frozen: &Arc<Engine>, sound: &Arc<Engine>) {
    let logger = sound.logger();
    step("a call from a new callsite", move || fastlog!(logger: logger, INFO, "new to both"));
    let engine = Arc::clone(sound);
    step("set_filter", move || engine.set_filter("debug").expect("a filter"));
    let engine = Arc::clone(frozen);
    step("set_filter of the engine itself", move || engine.set_filter("debug").expect("a filter"));
    let engine = Arc::clone(frozen);
    let stats = step("stats of the engine itself", move || engine.stats());
    assert_eq!(stats.submitted(), 2);
    let third = config(elsewhere, "third").arena(Arena::Anonymous);
    let third = step("another engine's start", move || detached(third));
    let logger = third.logger();
    step("a thread's end", move || {
        thread::spawn(move || fastlog!(logger: logger, INFO, "ends")).join().expect("it ends");
    });
    let report = step("another engine's drain", move || third.drain_timeout(STEP_MAX));
    assert_eq!(report.expect("it drains").written(), 1);
    let engine = Arc::clone(sound);
    let report = step("a drain with a limit", move || engine.drain_timeout(STEP_MAX));
    assert_eq!(report.expect("it drains").written(), 2);
}

#[test]
fn a_frozen_disk_holds_up_its_own_writers_alone() {
    let Some(mut disk) = FrozenDisk::mount() else {
        println!("not tested: no disk can be mounted and frozen here");
        return;
    };
    let elsewhere = tempfile::tempdir().expect("a directory");
    let frozen = Arc::new(detached(config(&disk.path(), "frozen")));
    let idle = Arc::new(detached(config(&disk.path(), "idle")));
    // Its files stand still; what it writes to does not.
    let arena_only = Config::default().name("arena").output(fastlog::Output::Null);
    let arena_only = arena_only.arena(Arena::Dir(disk.path())).ignore_env();
    let arena_only = Arc::new(detached(arena_only));
    let sound = config(elsewhere.path(), "sound").arena(Arena::Anonymous);
    let sound = Arc::new(detached(sound));
    let logger = sound.logger();
    fastlog!(logger: logger, INFO, "known to the engine");
    let may_go = Arc::new(AtomicBool::new(false));
    let (stuck, task) = stuck_thread(&frozen, &may_go);
    let logger = frozen.logger();
    fastlog!(logger: logger, INFO, "known to the engine as well");
    for engine in [&frozen, &idle, &arena_only, &sound] {
        engine.sync().expect("on the disk");
    }
    disk.freeze();
    may_go.store(true, Ordering::Release);
    common::wait_until("the page fault", || waits_for_disk(&task) || stuck.is_finished());
    assert!(!stuck.is_finished(), "the dictionary's page is written to again without a fault");

    others_go_on(elsewhere.path(), &frozen, &sound);
    step("a drain of an engine whose own disk it is", move || {
        thread::scope(|scope| {
            for engine in [&frozen, &idle, &arena_only] {
                // Whether there was anything left to do is not the question.
                scope.spawn(|| drop(engine.drain_timeout(LIMIT)));
            }
        });
    });
    assert!(!stuck.is_finished(), "all of that while the thread was stuck");
    assert!(disk.thaw(), "all of that while the disk was frozen");
    stuck.join().expect("the thread goes on");
}
