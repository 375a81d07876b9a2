//! Promise [P5]: user code may come back into the logger from anywhere: a global allocator that
//! logs, a `Display` that renders into the scratch it was given, a thread-local destructor whose
//! fields log. Nothing deadlocks, no text is mixed up, and what cannot be heard is counted.

#![allow(unsafe_code, reason = "a global allocator is unsafe to implement")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use fastlog::value::{Rendered, Scratch};
use fastlog::{Engine, Logger, Value, error, fastlog, info};

/// Logs each allocation of a thread that asks for it, and nothing from within that call.
struct Talkative;

static IS_TALKING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Talkative {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_TALKING.load(Ordering::Relaxed) && !IS_INSIDE.replace(true) {
            error!("allocated", bytes = layout.size());
            IS_INSIDE.set(false);
        }
        // SAFETY: handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if IS_TALKING.load(Ordering::Relaxed) && !IS_INSIDE.replace(true) {
            info!("freed", bytes = layout.size());
            IS_INSIDE.set(false);
        }
        // SAFETY: handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Talkative = Talkative;

/// The default engine is one for all tests of this file: one at a time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn an_allocator_that_logs_does_not_deadlock() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::start(common::config(dir.path())).expect("the engine starts");
    IS_TALKING.store(true, Ordering::Relaxed);
    // First records of callsites and threads allocate under the engine's locks.
    let threads: Vec<_> = (0..4)
        .map(|number| {
            std::thread::spawn(move || {
                fastlog!(INFO, "first of a thread", number, text = %number);
                fastlog!(ERROR, "second of a thread", number);
            })
        })
        .collect();
    engine.set_filter("debug").expect("a filter");
    threads.into_iter().for_each(|thread| thread.join().expect("the thread ends"));
    engine.set_filter("info").expect("a filter");
    IS_TALKING.store(false, Ordering::Relaxed);
    let report = common::drain(&engine);
    let lines = common::lines(&report);
    for message in ["first of a thread", "second of a thread"] {
        assert_eq!(lines.iter().filter(|line| line["message"] == message).count(), 4);
    }
    assert!(lines.iter().any(|line| line["message"] == "allocated"));
}

/// Renders one text while it renders another, with the scratch that it was given.
struct Within<'a> {
    scratch: &'a Scratch,
    before: &'a str,
}

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.before)?;
        let inner: Rendered<'_> = self.scratch.format(format_args!("inner {}", self.before));
        f.write_str(" after")?;
        // Still whole although the outer text went on.
        assert_eq!(format!("{inner:?}"), format!("{:?}", self.scratch_again()));
        Ok(())
    }
}

impl Within<'_> {
    fn scratch_again(&self) -> Rendered<'_> {
        self.scratch.format(format_args!("inner {}", self.before))
    }
}

/// Its text is rendered by [`Within`].
struct Nested(&'static str);

impl Value for Nested {
    type Encoded<'a> = Rendered<'a>;

    fn encode<'a>(&'a self, scratch: &'a Scratch) -> Rendered<'a> {
        scratch.format(format_args!("<{}>", Within { scratch, before: self.0 }))
    }
}

/// Renders, and then travels as a number.
struct Length(&'static str);

impl Value for Length {
    type Encoded<'a> = u64;

    fn encode<'a>(&'a self, scratch: &'a Scratch) -> u64 {
        let _ = scratch.format(format_args!("{}", self.0.repeat(400)));
        self.0.len() as u64
    }
}

#[test]
fn texts_rendered_within_texts_stay_apart() {
    let (engine, _dir) = common::engine();
    let logger = engine.logger();
    for _ in 0..100 {
        let (a, b) = (Nested("one"), Nested("two"));
        fastlog!(logger: logger, INFO, "nested", a, b, c = %"three", length = Length("four"));
    }
    drop(logger);
    let lines = common::lines(&common::drain(&engine));
    assert_eq!(lines.len(), 100);
    for line in lines {
        assert_eq!(line["a"], "<one after>", "{line}");
        assert_eq!(line["b"], "<two after>", "{line}");
        assert_eq!((&line["c"], &line["length"]), (&"three".into(), &4.into()), "{line}");
        assert_eq!(line.get("truncated"), None, "{line}");
    }
}

/// A value that leaves the scratch full costs the next record nothing.
#[test]
fn a_value_that_only_uses_the_scratch_gives_it_back() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::start(common::config(dir.path())).expect("the engine starts");
    for _ in 0..100 {
        fastlog!(INFO, "scalar", length = Length("01234567890123456789"));
        fastlog!(INFO, "text", text = %"x".repeat(5000));
    }
    let lines = common::lines(&common::drain(&engine));
    assert_eq!(lines.len(), 200);
    for line in lines.iter().filter(|line| line["message"] == "text") {
        assert_eq!(line["text"].as_str().map(str::len), Some(5000));
    }
}

static LATE_LOGGER: Mutex<Option<Logger>> = Mutex::new(None);

fn late_logger() -> Logger {
    LATE_LOGGER.lock().expect("not poisoned").clone().expect("set by the test")
}

/// Logs while it is formatted.
struct Logs(&'static str);

impl fmt::Display for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fastlog!(logger: late_logger(), INFO, "nested", inner = %"inner");
        f.write_str(self.0)
    }
}

struct Late;

impl Drop for Late {
    fn drop(&mut self) {
        let text = "A".repeat(64);
        fastlog!(logger: late_logger(), INFO, "late", text = %text, other = %Logs("B"));
    }
}

thread_local! {
    static LATE: Late = const { Late };
}

#[test]
fn a_destructor_whose_fields_log_keeps_its_texts() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (engine, _dir) = common::engine();
    *LATE_LOGGER.lock().expect("not poisoned") = Some(engine.logger());
    for is_first in [true, false] {
        // Destructors run in an order that depends on who came first.
        let thread = std::thread::spawn(move || {
            if is_first {
                LATE.with(|_| ());
            }
            fastlog!(logger: late_logger(), INFO, "early", one = %1);
            LATE.with(|_| ());
        });
        thread.join().expect("the thread ends");
    }
    *LATE_LOGGER.lock().expect("not poisoned") = None;
    let lines = common::lines(&common::drain(&engine));
    let late: Vec<_> = lines.iter().filter(|line| line["message"] == "late").collect();
    assert_eq!(late.len(), 2);
    for line in late {
        assert_eq!(line["text"], "A".repeat(64), "{line}");
        assert_eq!(line["other"], "B", "{line}");
    }
    assert_eq!(lines.iter().filter(|line| line["message"] == "nested").count(), 2);
}

/// Holds on to texts while others are rendered and records logged, and says whether all stayed.
struct Holds {
    is_late: bool,
}

/// Renders with the scratch of a call further out, and leaves the text behind.
struct Leaves<'a, 's> {
    scratch: &'s Scratch,
    left: &'a Cell<Option<Rendered<'s>>>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Writes,
    Panics,
}

impl fmt::Display for Leaves<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("before ")?;
        self.left.set(Some(self.scratch.format(format_args!("left {}", 1))));
        if self.then == Then::Panics {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        f.write_str("after")
    }
}

fn log(is_late: bool, value: impl fmt::Display) {
    if is_late {
        fastlog!(logger: late_logger(), INFO, "while held", value = %value, other = %"other");
    } else {
        fastlog!(INFO, "while held", value = %value, other = %"other");
    }
}

impl Value for Holds {
    type Encoded<'a> = bool;

    fn encode<'a>(&'a self, scratch: &'a Scratch) -> bool {
        let mut texts: Vec<Rendered<'a>> = Vec::new();
        let first = scratch.format(format_args!("first"));
        texts.push(first);
        texts.push(scratch.format(format_args!("second, longer than the first")));
        log(self.is_late, "nested");
        texts.push(scratch.format(format_args!("third")));
        for then in [Then::Writes, Then::Panics] {
            let left = Cell::new(None);
            log(self.is_late, Leaves { scratch, left: &left, then });
            texts.extend(left.take());
            texts.push(scratch.format(format_args!("{}", Leaves { scratch, left: &left, then })));
            texts.extend(left.take());
        }
        log(self.is_late, "nested");
        let expected = [
            "first",
            "second, longer than the first",
            "third",
            "left 1",
            "before after",
            "left 1",
            "left 1",
            "<panicked>",
            "left 1",
        ];
        let shown = |text: &Rendered<'_>| format!("{text:?}");
        let whole = |(text, expected): (&Rendered<'_>, &&str)| {
            shown(text) == shown(&fresh(scratch, expected))
        };
        texts.len() == expected.len() && texts.iter().zip(&expected).all(whole)
    }
}

fn fresh<'a>(scratch: &'a Scratch, text: &str) -> Rendered<'a> {
    scratch.format(format_args!("{text}"))
}

struct HoldsLate;

impl Drop for HoldsLate {
    fn drop(&mut self) {
        fastlog!(logger: late_logger(), INFO, "held", whole = Holds { is_late: true });
    }
}

thread_local! {
    static HOLDS_LATE: HoldsLate = const { HoldsLate };
}

/// What a value was lent stays as it was, whatever it renders or logs besides, also when the
/// thread's locals are being destroyed.
#[test]
fn a_rendered_text_stays_while_the_scratch_is_borrowed() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let dir = tempfile::tempdir().expect("a directory");
    let engine = Engine::start(common::config(dir.path())).expect("the engine starts");
    *LATE_LOGGER.lock().expect("not poisoned") = Some(engine.logger());
    fastlog!(INFO, "held", whole = Holds { is_late: false });
    for is_first in [true, false] {
        let thread = std::thread::spawn(move || {
            if is_first {
                HOLDS_LATE.with(|_| ());
            }
            fastlog!(logger: late_logger(), INFO, "early", one = %1);
            HOLDS_LATE.with(|_| ());
        });
        thread.join().expect("the thread ends");
    }
    *LATE_LOGGER.lock().expect("not poisoned") = None;
    let lines = common::lines(&common::drain(&engine));
    let held: Vec<_> = lines.iter().filter(|line| line["message"] == "held").collect();
    assert_eq!(held.len(), 3);
    assert!(held.iter().all(|line| line["whole"] == true), "{held:?}");
    assert_eq!(lines.iter().filter(|line| line["message"] == "while held").count(), 12);
}
