//! The choices that a [`Config`](crate::Config) takes. Data, fixed before any thread of the engine
//! starts; `settings` checks the values inside.

use std::path::PathBuf;
use std::time::Duration;

/// What a call does when its thread's ring is full.
///
/// A part of each ring (a sixteenth, at least two of the longest records) is kept for ERROR and
/// above; these may wait 50 ms in all per stall of the ring, even under [`Overflow::Drop`]. Every
/// dropped record is counted by level and reason, in `stats()` and in the drain's report; once no
/// more are lost, a record in the log says how many were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// Drops the new record at once; the call never waits.
    Drop,
    /// Waits at most this long in all (1 us to 1 h), per stall of the ring and not per record.
    ///
    /// A call that waits goes on when half of the ring is free, or takes what room there is when
    /// the time is spent. From then on calls whose record finds no room drop at once. There is a
    /// new budget when the ring has drained to the half. [`Overflow::Block`]'s end at a stalled
    /// output holds here too.
    BlockFor(Duration),
    /// Waits as long as the output makes progress, until half of the ring is free (ERROR and above:
    /// until there is room for the record).
    ///
    /// When nothing moved for [`stall_after`](crate::Config::stall_after), or the last append
    /// failed, calls drop (reason `stalled`) until an append succeeds.
    Block,
    /// **Can hang the host**: waits for room however long the disk, pipe or terminal takes.
    ///
    /// A full disk or a reader that has stopped then stops every thread that logs, for ever if it
    /// does not recover. Use [`Overflow::Block`] unless a lost record is worse than that.
    BlockForever,
}

/// When the keeper syncs the log file to its device (`fdatasync`), besides calls of `sync` and
/// `drain`. A line that is published but not synced survives the process's death, not a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncPolicy {
    /// Not by itself. Of files that were rotated, the last 8 wait for a `sync` or a `drain`; older
    /// ones are synced, so that they need not be held open.
    Never,
    /// When unsynced bytes are this old (1 ms to 1 h).
    Every(Duration),
    /// After each batch, and no segment is used again before. Needs a file as output.
    EachBatch,
}

/// Whether records of ERROR and above ask for a sync out of turn. The call does not wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrgentSync {
    /// They wait for the [`SyncPolicy`] like all others.
    Never,
    /// They are synced as soon as they are published, but not more often than this (1 ms to 1 h).
    AtMostEvery(Duration),
}

/// Which CPU the collector runs on. Where the system refuses the CPU, the collector runs anywhere;
/// `stats().pinned_to()` shows which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pin {
    /// One of the CPUs that the process may run on, drawn anew at each start, so that the engines
    /// of a machine's containers do not meet on one; none at all if there are fewer than two, or
    /// if the control group's quota is below two.
    Auto,
    /// The CPU with this number, counted from 0 as in `/proc/cpuinfo`.
    Cpu(usize),
    /// Wherever the scheduler puts it.
    None,
}

/// What the collector does while there is nothing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idle {
    /// Spins and yields a little, then sleeps up to 20 ms at a time. Idle, with
    /// [`FlushControl::Adaptive`](crate::FlushControl::Adaptive), up to the publish interval and
    /// 19 ms, 100 ms at most: what comes then is published at once.
    Park,
    /// Never sleeps: it spins, and gives its CPU only to threads that are ready to run. The
    /// shortest way to the log, at the price of a CPU.
    Spin,
}

/// Where rings and segments live, which decides what of them outlives the process.
///
/// A clean drain removes the files. A process that dies leaves them, and the next start brings into
/// the log what is in them ([`Stats::recovered`](crate::Stats::recovered)): it looks beside the
/// log, in shared memory, and where earlier engines of the log had theirs. What cannot be recovered
/// stays ([`Stats::orphans`](crate::Stats::orphans)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arena {
    /// In files in `<dir>/.fastlog`, which outlive the process. Needs a file as output.
    ///
    /// On a file system that needs a new block for each write (btrfs, bcachefs, ZFS, NILFS2, F2FS)
    /// as [`Arena::SharedMemory`]: there a store to a mapped page fails when the disk is full, even
    /// where the page has a block. An overlay hides what lies below it.
    InLogDir,
    /// In files in this directory, whatever its file system; they outlive the process. In a file
    /// system in memory they end with the machine or container.
    Dir(PathBuf),
    /// In files in `/dev/shm/fastlog-<uid>`, where writeback never delays a caller. They outlive
    /// the process, not the machine or container. Where that has no room, or belongs to another
    /// user, as [`Arena::InLogDir`].
    SharedMemory,
    /// In memory of the process alone: dies with it.
    Anonymous,
}

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// The file `<dir>/<name>.jsonl`.
    File,
    /// The standard output. No directory is made and nothing is ever synced.
    Stdout,
    /// The standard error. No directory is made and nothing is ever synced.
    Stderr,
    /// Nowhere: records are formatted into segments and then discarded, for measuring.
    Null,
}

/// Whether [`Format::Text`](crate::Format::Text) is coloured; JSON never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Colour {
    /// On a terminal, unless the environment variable `NO_COLOR` has a value
    /// (<https://no-color.org>).
    Auto,
    /// Also into files and pipes.
    Always,
    /// Nowhere.
    Never,
}

/// What to do when the log's directory or file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenFailure {
    /// The start fails with an error that says why.
    Error,
    /// The engine starts and writes to the standard error instead, visibly degraded.
    Stderr,
}

/// What to do when another engine writes the log of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InUse {
    /// Write `<name>@<pid>.jsonl` (a second engine of this process `<name>@<pid>-<n>.jsonl`), and
    /// say so once in the log and on the standard error. No name may have an `@`.
    Suffix,
    /// The start fails with an error that names the other process.
    Fail,
}

/// What happens to the engine when the process exits normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitHook {
    /// It is drained: detached engines first, all within 2 s.
    Drain,
    /// Nothing: what is not yet published is missing from the log.
    None,
}
