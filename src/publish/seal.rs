//! The publisher where segments become files of the log themselves: it cuts a sealed segment to its
//! lines, syncs it, and gives it its name. What has a name is on the device. No byte is copied.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sealed_files::SealedFiles;
use super::{IDLE, RETRY};
use crate::arena::commit::{Commits, Written};
use crate::arena::intent::{Intent, Intents};
use crate::flush::signal::{Signal, bit};
use crate::flush::{EngineThread, Latency, Progress, SyncFailure};
use crate::segment::{Ahead, LogSegment};
use crate::stats::{Counter, Counters};
use crate::sys::io::FileStatus;

/// What the thread is made of.
pub(crate) struct SealerParts {
    pub(crate) files: SealedFiles,
    pub(crate) ahead: Arc<Ahead>,
    pub(crate) commits: Commits,
    pub(crate) intents: Intents,
    pub(crate) counters: Counters,
    pub(crate) progress: Arc<Progress>,
    /// Its own signal, the collector's, and the keeper's.
    pub(crate) signal: Arc<Signal>,
    pub(crate) collector: Arc<Signal>,
    pub(crate) keeper: Arc<Signal>,
}

/// The thread's state.
pub(crate) struct Sealer {
    parts: SealerParts,
    /// How far the oldest sealed segment has come.
    step: Step,
    /// In bytes of the engine's life.
    published: u64,
    retry: Option<Duration>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    publishes: u64,
    publish_latency: Latency,
    syncs: u64,
    sync_latency: Latency,
}

/// What is done with a sealed segment; what failed is tried again from there.
#[derive(Debug)]
enum Step {
    Cut,
    Sync,
    Link,
    /// Its directory was removed, and it with it.
    Restore,
    /// It has its name, and this other one to lose.
    Unlink,
    SyncDir,
}

impl Sealer {
    pub(crate) fn new(parts: SealerParts) -> Sealer {
        let counts = Counts::default();
        Sealer { parts, step: Step::Cut, published: 0, retry: None, counts }
    }

    /// Runs until the collector has ended and every sealed segment has its name, or it is
    /// abandoned.
    pub(crate) fn run(mut self) {
        let mut is_last = false;
        loop {
            let bits = match self.retry {
                Some(retry) => self.parts.signal.wait(bit::ABANDON, retry),
                None if is_last => self.parts.signal.take(),
                None => self.parts.signal.wait(bit::STOP | bit::ABANDON | bit::SEGMENT, IDLE),
            };
            if bits & bit::ABANDON != 0 {
                break;
            }
            if bits & bit::STOP != 0 {
                is_last = true;
                self.end_collector();
            }
            self.finish_all();
            // The signal to stop comes behind the last seal.
            if is_last && self.retry.is_none() && self.parts.ahead.oldest_sealed().is_none() {
                break;
            }
        }
        self.parts.progress.set_done(EngineThread::Publisher);
        self.parts.keeper.raise(bit::STOP);
    }

    /// The collector seals what it has written, unless it panics: what its newest slot names is
    /// written all the same.
    fn end_collector(&self) {
        let Written { segment, len, .. } = self.parts.commits.read();
        self.parts.ahead.end(segment, len as usize);
    }

    fn finish_all(&mut self) {
        while let Some(oldest) = self.parts.ahead.oldest_sealed() {
            let start = Instant::now();
            match self.finish(&oldest) {
                Ok(()) => self.tell(&oldest, start.elapsed()),
                Err(error) => return self.fail(&oldest, &error),
            }
        }
    }

    /// All steps, from the one that failed last.
    fn finish(&mut self, oldest: &LogSegment) -> io::Result<()> {
        loop {
            let (io, file) = (&*self.parts.files.io, oldest.file.as_fd());
            self.step = match self.step {
                Step::Cut => {
                    io.ftruncate(file, oldest.segment.sealed() as u64)?;
                    Step::Sync
                }
                Step::Sync => {
                    self.sync(oldest);
                    Step::Link
                }
                Step::Link => match self.link(oldest) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Step::Restore,
                    outcome => outcome.map(|()| Step::Unlink)?,
                },
                Step::Restore => {
                    self.parts.files.restore(oldest)?;
                    Step::Link
                }
                Step::Unlink => match io.unlink(&oldest.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => Step::SyncDir,
                },
                Step::SyncDir => match self.parts.files.sync_dirs() {
                    // Removed since the link, by somebody who wanted the file to go.
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {
                        self.step = Step::Cut;
                        return Ok(());
                    }
                },
            };
            self.parts.progress.moved();
        }
    }

    /// A sync that failed is not tried again: Linux marks the lost pages clean, and a second one
    /// would lie. The file gets its name all the same; who waits for it hears of the failure.
    fn sync(&mut self, oldest: &LogSegment) {
        let SealerParts { files, progress, counters, .. } = &self.parts;
        let start = Instant::now();
        match files.io.fdatasync(oldest.file.as_fd()) {
            Ok(()) => {
                self.counts.syncs += 1;
                counters.set(Counter::Syncs, self.counts.syncs);
                let latency = self.counts.sync_latency.add(start.elapsed());
                counters.set(Counter::SyncLatencyNs, latency);
                progress.accept_segment(self.published);
            }
            Err(error) => {
                let (path, kind) = (oldest.path.clone(), error.kind());
                let failure = SyncFailure { path, kind, text: error.to_string() };
                counters.add(Counter::SyncFailures, 1);
                progress.refuse_segment(self.published, failure);
            }
        }
    }

    fn link(&mut self, oldest: &LogSegment) -> io::Result<()> {
        let SealerParts { files, intents, .. } = &mut self.parts;
        files.link(oldest, |status, name| {
            let FileStatus { dev, ino, len, .. } = *status;
            let intent = Intent { dev, ino, segment: oldest.seq, to: len, ..Intent::default() };
            intents.begin_named(intent, name);
        })?;
        intents.done();
        Ok(())
    }

    /// A segment is published and, unless its sync failed, synced.
    fn tell(&mut self, oldest: &LogSegment, took: Duration) {
        self.retry = None;
        self.published += oldest.segment.sealed() as u64;
        let SealerParts { ahead, counters, progress, collector, keeper, .. } = &self.parts;
        ahead.finish_oldest();
        self.counts.publishes += 1;
        let latency = self.counts.publish_latency.add(took);
        counters.set(Counter::PublishLatencyNs, latency);
        counters.set(Counter::Publishes, self.counts.publishes);
        counters.add(Counter::Rotations, 1);
        // First: who sees that it is published finds it synced, or in doubt.
        let in_doubt = progress.in_doubt_bytes(self.published);
        counters.set(Counter::InDoubtBytes, in_doubt);
        counters.set(Counter::SyncedBytes, self.published - in_doubt);
        progress.set_synced(self.published);
        counters.set(Counter::PublishedBytes, self.published);
        progress.set_published(self.published);
        collector.raise(bit::SEGMENT);
        keeper.raise(bit::ROTATED);
    }

    /// Rings fill and drop from now on, until a segment gets its name.
    fn fail(&mut self, oldest: &LogSegment, error: &io::Error) {
        let [first, most] = RETRY;
        self.retry = Some(self.retry.map_or(first, |before| (before * 2).min(most)));
        let SealerParts { counters, progress, .. } = &self.parts;
        counters.add(Counter::WriteFailures, 1);
        progress.report_failure(format!("cannot seal {}: {error}", oldest.path.display()));
        progress.stall();
    }
}

#[cfg(all(test, not(loom), not(fastlog_portable)))]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;
    use std::sync::OnceLock;

    use crate::arena::{SharedRegion, layout};
    use crate::config::file_names::Unit;
    use crate::publish::Places;
    use crate::segment::{Capacity, Segment, SegmentWriter};
    use crate::sys::io::{Io, OsIo};
    use crate::sys::mmap::Region;

    const BYTES: usize = 1 << 20;

    fn segment(dir: &Path, arena: &SharedRegion, seq: u64) -> LogSegment {
        let path = dir.join(format!("app.1-0.{seq}.segment"));
        let file = OsIo.create_segment(&path).expect("a file");
        OsIo.ftruncate(file.as_fd(), BYTES as u64).expect("room");
        let region = Region::of_file(&file, 0, BYTES).expect("a mapping");
        let segment = Segment::of_lines(region, Arc::clone(arena), layout::head_at(seq));
        LogSegment { segment: Arc::new(segment), seq, file, path, began: OnceLock::new() }
    }

    fn sealer(dir: &Path, arena: &SharedRegion, ahead: &Arc<Ahead>) -> Sealer {
        let places = Places {
            dir: dir.to_owned(),
            private_dir: dir.join(".fastlog"),
            base: "app".to_owned(),
            unit: Unit::Lines,
        };
        Sealer::new(SealerParts {
            files: SealedFiles::open(Arc::new(OsIo), places).expect("the directory"),
            ahead: Arc::clone(ahead),
            commits: Commits::new(Arc::clone(arena)),
            intents: Intents::new(Arc::clone(arena)),
            counters: Counters::new(Arc::clone(arena), layout::COUNTERS_AT),
            progress: Arc::default(),
            signal: Arc::default(),
            collector: Arc::default(),
            keeper: Arc::default(),
        })
    }

    /// As a collector leaves it that panics between two commits.
    #[test]
    fn what_a_slot_names_becomes_a_file_although_the_collector_panicked() {
        let dir = tempfile::tempdir().expect("a directory");
        let private = dir.path().join(".fastlog");
        fs::create_dir(&private).expect("a directory");
        let arena = Arc::new(Region::anonymous(layout::RINGS_AT).expect("memory"));
        let capacity = Capacity::new(BYTES, 4 * BYTES, layout::HEADS);
        let ahead = Arc::new(Ahead::new(capacity, Arc::default()));
        ahead.add(segment(&private, &arena, 1));
        let mut writer = SegmentWriter::begin(Arc::clone(&ahead) as _, 7).expect("a segment");
        let committed = b"{\"n\":1}\n{\"n\":2}\n";
        for lines in [&committed[..], b"{\"n\":3}\n{\"n\""] {
            writer.room()[..lines.len()].copy_from_slice(lines);
            if lines.ends_with(b"\n") {
                writer.advance(lines.len());
                let (segment, len) = (writer.seq(), writer.len() as u64);
                let written = Written { segment, len, bytes: len, records: 2 };
                Commits::new(Arc::clone(&arena)).write(written, &[]);
            }
        }
        drop(writer);
        let sealer = sealer(dir.path(), &arena, &ahead);
        let progress = Arc::clone(&sealer.parts.progress);
        sealer.parts.signal.raise(bit::STOP);
        sealer.run();
        let mut files = fs::read_dir(dir.path()).expect("a directory").map(|entry| {
            let path = entry.expect("an entry").path();
            path.is_file().then(|| fs::read(path).expect("a file"))
        });
        assert_eq!(files.find_map(|file| file).as_deref(), Some(&committed[..]));
        assert_eq!(files.flatten().count(), 0, "one file");
        assert_eq!(progress.published(), committed.len() as u64);
        assert!(ahead.take_ready().is_empty() && fs::read_dir(private).unwrap().next().is_none());
    }
}
