//! The engine dies behind every store that it makes into its arena, in the middle of every write
//! and behind every call that changes a file, and recovery does as well. Whatever happens, each
//! record whose call had returned is in the log once, in its thread's order.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::camera::{Calls, Camera, Filming, Picture, Projector, THREADS, files};
use super::life::Life;
use crate::config::{Modes, listing};
use crate::recover::carry::tests::Dying;
use crate::recover::find::{Spot, Whose};
use crate::recover::run::{Beside, Names, Purpose, Site};
use crate::sys::io::{Io, OsIo};

/// Each so manieth picture is also recovered by processes that die. All of them with the variable
/// `FASTLOG_SOAK`.
const DEATHS_EVERY: usize = 60;

/// A text that is as long as a record may be.
const LONG: usize = 700;

/// Nobody else starts an engine here.
struct Free;

impl Names for Free {
    fn while_free(&self, _: &str, work: &mut dyn FnMut()) -> bool {
        work();
        true
    }
}

struct Place {
    root: PathBuf,
    vault: PathBuf,
    _dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        // In memory, where there is such a place: thousands of pictures are put back.
        let memory = Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let dir = dir.expect("a directory");
        let (root, vault) = (dir.path().join("logs"), dir.path().join("vault"));
        fs::create_dir_all(root.join(".fastlog")).expect("a directory");
        fs::create_dir(&vault).expect("a directory");
        Place { root, vault, _dir: dir }
    }

    /// What a start does with what it finds.
    fn recover(&self, io: &dyn Io) {
        let private_dir = self.root.join(".fastlog");
        let spots = [Spot { dir: private_dir.clone(), whose: Whose::OneLogs }];
        let log = Beside { dir: &self.root, private_dir: &private_dir, modes: Modes::default() };
        let (names, purpose) = (&Free, Purpose::Recover);
        let site = Site { io, names, log: Some(log), spots: &spots, purpose };
        site.run(|base| base == "app", &mut |_| None);
    }

    /// The numbers of each thread's records in the log, in their order there.
    fn numbers(&self) -> [Vec<u64>; THREADS] {
        let mut numbers = [Vec::new(), Vec::new()];
        let rotated = listing::rotated(&OsIo, &self.root, "app").expect("a directory");
        let names = rotated.into_iter().map(|file| file.name).chain(["app.jsonl".to_owned()]);
        let mut seen = BTreeSet::new();
        for name in names {
            let path = self.root.join(&name);
            // Right after the arena there is none yet.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if !seen.insert(metadata.ino()) {
                // It died between the two steps of a rotation, which the next start completes.
                continue;
            }
            let text = fs::read_to_string(path).expect("UTF-8");
            assert!(text.is_empty() || text.ends_with('\n'), "{name} ends within a line: {text}");
            for line in text.lines() {
                let line: serde_json::Value = serde_json::from_str(line).expect(line);
                if let (Some(thread), Some(n)) = (line["caller"].as_u64(), line["n"].as_u64()) {
                    numbers[thread as usize].push(n);
                }
            }
        }
        numbers
    }

    /// That nothing is lost, doubled, out of order or left.
    fn check(&self, picture: &Picture, what: &str) {
        let numbers = self.numbers();
        for (thread, numbers) in numbers.iter().enumerate() {
            let (begun, returned) = (picture.begun[thread], picture.returned[thread]);
            let count = numbers.len() as u64;
            assert!(numbers.iter().copied().eq(0..count), "{what}: thread {thread}: {numbers:?}");
            assert!(
                (returned..=begun).contains(&count),
                "{what}: thread {thread}: {count} records, {returned} calls returned of {begun}"
            );
        }
        let left: Vec<PathBuf> = files(&self.root.join(".fastlog"))
            .into_iter()
            .filter(|path| !path.ends_with("app.now") && !path.ends_with("app.next"))
            .collect();
        assert!(left.is_empty(), "{what}: {left:?}");
    }
}

/// Bursts, long records, rings that wrap, files that are rotated, a segment that ends.
fn script(life: &mut Life) {
    for round in 0..3 {
        life.log(0, 2, 10);
        life.log(1, 1, 60);
        life.collect();
        life.log(0, 1, LONG);
        if round > 0 {
            life.publish();
        }
        life.log(1, 2, LONG / 2);
        life.collect();
        life.publish();
    }
    // Up to the end of the first segment, and of the rings again and again.
    life.unseen(|life| {
        for _ in 0..92 {
            (0..THREADS).for_each(|thread| life.log(thread, 7, LONG));
            life.collect();
            life.publish();
        }
    });
    for _ in 0..2 {
        life.log(1, 6, LONG);
        life.log(0, 3, LONG);
        life.collect();
        life.log(0, 1, 0);
        life.publish();
    }
    life.log(1, 2, 30);
    life.log(0, 2, 30);
    life.collect();
    life.log(1, 1, 30);
}

// [P3]
#[test]
fn whatever_step_is_the_last_nothing_is_lost_or_doubled() {
    let place = Place::new();
    let calls = Arc::new(Calls::default());
    let camera = Camera::new(&place.root, &place.vault, Arc::clone(&calls));
    let film =
        Filming { camera: Arc::new(Mutex::new(camera)), is_on: Arc::new(AtomicBool::new(true)) };
    let mut life = Life::start(&place.root, film, &calls);
    script(&mut life);
    let camera = life.end();
    let pictures = std::mem::take(&mut camera.lock().expect("no panic").pictures);
    let is_soak = std::env::var_os("FASTLOG_SOAK").is_some();
    let mut projector = Projector::new(&place.root, &place.vault);
    let mut deaths = 0;
    for (nth, picture) in pictures.iter().enumerate() {
        let what = format!("picture {nth} of {}", pictures.len());
        projector.advance(picture);
        projector.show(picture);
        place.recover(&OsIo);
        place.check(picture, &what);
        if !is_soak && nth % DEATHS_EVERY != 0 {
            continue;
        }
        for step in 1.. {
            projector.show(picture);
            let dying = Dying::at(step);
            place.recover(&dying);
            let has_died = dying.is_dead();
            place.recover(&OsIo);
            place.check(picture, &format!("{what}, dead at step {step}"));
            if !has_died {
                break;
            }
            deaths += 1;
        }
    }
    println!("{} instants, {deaths} recoveries that died", pictures.len());
    assert!(pictures.len() > 300, "{} instants were tried", pictures.len());
    assert!(deaths > 30, "{deaths} recoveries died");
}
