//! An engine whose threads are stepped by hand: real calls from two threads into real rings, the
//! real collector and publisher over an arena in files.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::camera::{Calls, Filming, THREADS};
use crate::arena::commit::Commits;
use crate::arena::intent::Intents;
use crate::arena::{Arena, Identity, Lines, Shape, layout};
use crate::callsite::Callsite;
use crate::clock::{TickClock, TickSource};
use crate::collector::{self, Barriers, Collector, Idling, StartNote};
use crate::config::file_names::Unit;
use crate::config::{
    Filter, Modes, Overflow, Redaction, Rotate, RotateZone, Rotation, UrlPasswords,
};
use crate::emit::{Route, admit, emit_routed};
use crate::engine::FromArena;
use crate::flush::controller::{Limits, Mode, SyncGoal};
use crate::flush::signal::bit;
use crate::format::{Colour, Details, Format, Formatter};
use crate::level::Level;
use crate::primitive::stepped::watched;
use crate::publish::{self, Calendar, FileOutput, NameHeld, Places, Publisher, Target};
use crate::registry::{self, Registry};
use crate::segment::{Pool, SegmentWriter};
use crate::shared::Shared;
use crate::stats::Counters;
use crate::sys::bus_guard::SigbusGuard;
use crate::sys::io::Io;
use crate::value::{Fields, Scratch};

const HOT_SEGMENTS: usize = 2;
const SHAPE: Shape = Shape { ring_bytes: 16 << 10, record_bytes: 1 << 10, rings_max: 16 };
/// Two or three bursts fill a file.
const FILE_BYTES_MAX: u64 = 4 << 10;
const LINES: Lines = Lines::JSON;

static SITE: Callsite = Callsite::new(
    Level::Info,
    "steps",
    "{caller} says {n}",
    &["caller", "n", "text"],
    file!(),
    line!(),
);

/// The only engine of its log.
#[derive(Debug)]
struct Alone;

impl NameHeld for Alone {
    fn renew(&self, _: &dyn Io) -> io::Result<()> {
        Ok(())
    }
}

/// A thread that logs when it is told to.
struct Caller {
    bursts: Option<Sender<(u64, usize)>>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Caller {
    fn begin(
        number: usize,
        registry: &Arc<Registry>,
        film: &Arc<Filming>,
        calls: &Arc<Calls>,
    ) -> Caller {
        let (bursts, todo) = channel::<(u64, usize)>();
        let (ended, done) = channel();
        let (registry, film, calls) = (Arc::clone(registry), Arc::clone(film), Arc::clone(calls));
        let work = move || {
            while let Ok((count, text_bytes)) = todo.recv() {
                let watcher = Arc::clone(&film);
                watched(
                    move || watcher.shoot(),
                    || {
                        (0..count).for_each(|_| call(&registry, &calls, number, text_bytes));
                    },
                );
                ended.send(()).expect("somebody waits");
            }
        };
        let builder = std::thread::Builder::new().name(format!("caller-{number}"));
        let thread = Some(builder.spawn(work).expect("a thread"));
        Caller { bursts: Some(bursts), done, thread }
    }

    fn log(&self, count: u64, text_bytes: usize) {
        self.bursts.as_ref().expect("it lives").send((count, text_bytes)).expect("it waits");
        self.done.recv().expect("no panic");
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.bursts = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

fn call(registry: &Arc<Registry>, calls: &Calls, thread: usize, text_bytes: usize) {
    let n = calls.begun[thread].fetch_add(1, Ordering::Relaxed);
    let text = "x".repeat(text_bytes);
    assert!(admit(registry, &SITE), "the engine runs");
    let (scratch, text) = (Scratch::new(), &*text);
    let fields = (&thread, (&n, (&text, ())));
    emit_routed(&Route::to_logger(&SITE, registry, &[]), &fields.encode(&scratch));
    calls.returned[thread].fetch_add(1, Ordering::Relaxed);
}

/// The engine.
pub(super) struct Life {
    film: Arc<Filming>,
    arena: Arc<Arena>,
    collector: Collector,
    publisher: Publisher,
    shared: Shared,
    callers: Vec<Caller>,
}

impl Life {
    pub(super) fn start(dir: &Path, film: Filming, calls: &Arc<Calls>) -> Life {
        let film = Arc::new(film);
        let watcher = Arc::clone(&film);
        let (mut life, registry) = watched(move || watcher.shoot(), || Life::open(dir, &film));
        let callers = (0..THREADS).map(|number| Caller::begin(number, &registry, &film, calls));
        life.callers.extend(callers);
        life
    }

    /// Without anybody who logs.
    fn open(dir: &Path, film: &Arc<Filming>) -> (Life, Arc<Registry>) {
        let io: Arc<dyn Io> = Arc::clone(film) as _;
        let private_dir = dir.join(".fastlog");
        let identity = Identity {
            name: "app",
            base: "app",
            file_name: "app.jsonl",
            directory: dir,
            lines: LINES,
        };
        let arena =
            Arena::create(Arc::clone(&io), &private_dir, identity, SHAPE, SigbusGuard::Install);
        let arena = Arc::new(arena.expect("an arena"));
        let counters = Counters::new(Arc::clone(arena.fixed()), layout::COUNTERS_AT);
        let places = Places {
            dir: dir.to_owned(),
            private_dir,
            base: "app".to_owned(),
            unit: Unit::Lines,
            modes: Modes::default(),
            has_former: false,
        };
        let zone = RotateZone::Utc;
        let calendar = Calendar::new(Rotate::Never, zone).expect("no zone");
        let (bytes, segment_age) = (FILE_BYTES_MAX, Duration::MAX);
        let rotation = Rotation { bytes, period: Rotate::Never, zone, segment_age };
        let held: Arc<dyn NameHeld> = Arc::new(Alone);
        let output = FileOutput::open(io, (places, held), rotation, calendar, counters.clone());
        let output = output.expect("the log");
        let registry = registry(&arena, counters);
        let shared = registry.shared.clone();
        let pool = Pool::new(HOT_SEGMENTS, HOT_SEGMENTS, FromArena::new(Arc::clone(&arena)));
        let pool = Arc::new(pool.expect("segments"));
        let commits = Commits::new(Arc::clone(arena.fixed()));
        let publisher = Publisher::new(publish::Parts {
            target: Target::File(Box::new(output)),
            commits: commits.clone(),
            intents: Intents::new(Arc::clone(arena.fixed())),
            pool: Arc::clone(&pool),
            shared: shared.clone(),
        });
        let clock = TickClock::calibrate(registry.source);
        arena.store_clock(clock.pieces());
        let collector = Collector::new(collector::Parts {
            registry: Arc::clone(&registry),
            arena: Arc::clone(&arena),
            commits,
            clock,
            formatter: Formatter::new(
                Format::Json,
                Colour::Off,
                Details::default(),
                LINES.message_max as usize,
            ),
            writer: SegmentWriter::begin(pool, arena.id()).expect("a segment"),
            barriers: Arc::new(Barriers::default()),
            order_window: Duration::ZERO,
            idling: Idling::Spin,
            start_note: StartNote::default(),
            sides: Vec::new(),
            segment_age: None,
            binary: None,
            url_passwords: UrlPasswords::Shown,
        });
        let (film, callers) = (Arc::clone(film), Vec::new());
        (Life { film, arena, collector, publisher, shared, callers }, registry)
    }

    /// Calls from one thread.
    pub(super) fn log(&mut self, thread: usize, count: u64, text_bytes: usize) {
        self.callers[thread].log(count, text_bytes);
    }

    /// The collector takes all that was logged.
    pub(super) fn collect(&mut self) {
        let watcher = Arc::clone(&self.film);
        watched(move || watcher.shoot(), || self.collector.step());
    }

    /// The publisher appends all that was written.
    pub(super) fn publish(&mut self) {
        let watcher = Arc::clone(&self.film);
        self.shared.publisher.raise(bit::BARRIER);
        let bits = self.shared.publisher.take();
        let step = watched(move || watcher.shoot(), || self.publisher.step(bits));
        assert!(step.is_continue(), "it goes on");
    }

    /// Without pictures, for what was tried already.
    pub(super) fn unseen(&mut self, work: impl FnOnce(&mut Life)) {
        self.film.is_on.store(false, Ordering::Relaxed);
        work(self);
        self.film.is_on.store(true, Ordering::Relaxed);
        self.film.shoot();
    }

    /// Ends without a drain: what is in the files stays as it is.
    pub(super) fn end(self) -> Arc<Mutex<super::camera::Camera>> {
        let Life { film, arena, callers, .. } = self;
        film.is_on.store(false, Ordering::Relaxed);
        drop(callers);
        // What was taken is known; the files themselves are of no use any more.
        arena.unlink().expect("its files are removed");
        Arc::clone(&film.camera)
    }
}

fn registry(arena: &Arc<Arena>, counters: Counters) -> Arc<Registry> {
    let limits = Limits {
        mode: Mode::Fixed,
        publish_every: Duration::ZERO,
        sync: SyncGoal::Never,
        urgent_sync_every: None,
        publish_bytes: 1,
        staging_bytes: (HOT_SEGMENTS * layout::SEGMENT_BYTES) as u64,
        shed_below: None,
    };
    Arc::new(Registry::new(registry::Parts {
        source: TickSource::Monotonic,
        limits: registry::Limits {
            ring_granules: SHAPE.ring_bytes / 8,
            record_granules: SHAPE.record_bytes / 8,
            reserve_granules: 2 * SHAPE.record_bytes / 8,
            rings_max: SHAPE.rings_max,
            overflow: Overflow::Drop,
            stall_after: Duration::MAX,
        },
        shared: Shared::new(counters, limits, None),
        arena: Arc::clone(arena),
        filter: Filter::parse("", Level::Info).expect("no directive"),
        redaction: Redaction::default(),
    }))
}
