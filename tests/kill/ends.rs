//! The ways in which a process comes to an end by itself, without a drain.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::child::within;
use crate::common::random::Random;
use crate::plan::Plan;

/// An end that a child comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Abort,
    /// A store to where nothing is.
    BadStore,
    /// A recursion without an end.
    StackOverflow,
    /// More memory than its control group allows.
    OutOfMemory,
    /// An end without the handlers of the exit.
    QuickExit,
}

const ENDS: [(&str, End); 5] = [
    ("abort", End::Abort),
    ("bad-store", End::BadStore),
    ("stack-overflow", End::StackOverflow),
    ("out-of-memory", End::OutOfMemory),
    ("quick-exit", End::QuickExit),
];

/// So many records at most before it comes.
const RECORDS_MAX: u64 = 2_000;

impl End {
    pub fn name(self) -> &'static str {
        ENDS.iter().find(|(_, end)| *end == self).expect("each has a name").0
    }

    pub fn of(name: &str) -> End {
        ENDS.iter().find(|(known, _)| *known == name).expect("an end").1
    }

    pub fn all() -> impl Iterator<Item = End> {
        ENDS.into_iter().map(|(_, end)| end)
    }

    /// Comes to it, if this is the thread and its record at which it is to come.
    pub fn come(self, plan: &Plan, worker: u64, n: u64) {
        let random = &mut Random::new(!plan.seed);
        let records = plan.thread_records.unwrap_or(RECORDS_MAX).min(RECORDS_MAX);
        let chosen = (random.within(0..=plan.threads - 1), random.within(0..=records - 1));
        if (worker, n) != chosen {
            return;
        }
        match self {
            End::Abort => std::process::abort(),
            End::BadStore => store_to_nowhere(),
            End::StackOverflow => drop(deeper(n)),
            End::OutOfMemory => take_all_memory(),
            End::QuickExit => quick_exit(),
        }
    }
}

fn store_to_nowhere() {
    let nowhere = std::hint::black_box(std::ptr::null_mut::<u8>());
    // SAFETY: none: the process is to die of it.
    unsafe { nowhere.write_volatile(1) };
}

fn quick_exit() {
    // SAFETY: it takes a number, and does not come back.
    unsafe { libc::_exit(0) };
}

#[allow(unconditional_recursion)]
fn deeper(n: u64) -> [u64; 64] {
    let mut frame = [n; 64];
    std::hint::black_box(&mut frame);
    let below = deeper(n + 1);
    frame[1] = below[0];
    frame
}

fn take_all_memory() {
    const PAGE: usize = 4096;
    let mut taken = Vec::new();
    loop {
        let mut bytes = vec![0_u8; 1 << 20];
        bytes.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
        taken.push(std::hint::black_box(bytes));
    }
}

/// A control group of little memory, removed at the end.
pub struct SmallGroup(PathBuf);

impl SmallGroup {
    const BYTES: u64 = 96 << 20;

    /// None where it cannot be made.
    pub fn make() -> Option<SmallGroup> {
        let name = format!("fastlog-test-{}", std::process::id());
        // Of version 1, and of version 2.
        let places =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        places.iter().find_map(|(parent, limit)| {
            let path = Path::new(parent).join(&name);
            std::fs::create_dir(&path).ok()?;
            let group = SmallGroup(path);
            let limited = std::fs::write(group.0.join(limit), SmallGroup::BYTES.to_string());
            limited.ok().map(|()| group)
        })
    }

    /// The command, to be run in the group.
    pub fn command(&self, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo $$ > \"$0\"/cgroup.procs && exec \"$@\""]).arg(&self.0);
        within(shell, command)
    }
}

impl Drop for SmallGroup {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{removed:?}");
    }
}
