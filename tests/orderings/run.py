#!/usr/bin/env python3
"""Do the models see an ordering that is too weak?

Changes orderings and fences of the ring and of the two slots one at a time, in a copy of these
files, and runs the models (loom) over it. Each change must make one of them fail within a minute.
The files are a crate of their own there, so that a change is built in seconds. All of it takes
minutes: part of the soak, not of `.ci/run`.

    tests/orderings/run.py                 # all
    tests/orderings/run.py fold zero       # those whose name contains a word
    tests/orderings/run.py --list          # their names, and what is left out for which reason

Needs nothing but Python 3 and cargo. Exits with 1 if a change is not seen, or does not apply any
more; then either a model has to learn it or the ordering is not needed.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "orderings"
# What the models need of the tree: they use nothing else of it.
PARTS = ["src/primitive.rs", "src/ring", "src/arena/two_slots.rs"]
DEPENDENCIES = ["crossbeam-utils", "loom"]
SECONDS_MAX = 60
# All interleavings, where nothing fails before.
UNCHANGED_SECONDS_MAX = 1800

PRODUCER = "src/ring/producer.rs"
CONSUMER = "src/ring/consumer.rs"
RING = "src/ring/mod.rs"
SLOTS = "src/arena/two_slots.rs"

ZERO = "        word_behind.store(0, Ordering::Relaxed);\n"
COMMIT = "commit_word.store(word, Ordering::Release);"
TAIL = "self.producer.tail.store(next.wrapping_add(records), Ordering::Release);"


def relaxed(text):
    """The same with its last ordering weakened."""
    head, _, tail = text.rpartition("Ordering::")
    return head + "Ordering::Relaxed" + tail[len(tail.split(")")[0].split(",")[0]) :]


def weaker(name, file, text):
    return (name, file, [(text, relaxed(text))])


# Name, file, and what becomes of which text, one after the other. Each stands there exactly once.
CHANGES = [
    weaker("commit word Relaxed", PRODUCER, COMMIT),
    weaker("tail Relaxed", PRODUCER, TAIL),
    ("tail before the commit word", PRODUCER, [(COMMIT, "$"), (TAIL, COMMIT), ("$", TAIL)]),
    ("no zero behind", PRODUCER, [(ZERO, "        let _ = word_behind;\n")]),
    ("zero after the commit", PRODUCER, [(ZERO, ""), (COMMIT, COMMIT + "\n" + ZERO)]),
    (
        "fold: no odd number",
        PRODUCER,
        [("producer.folds.store(folds.wrapping_add(1), Ordering::Relaxed);", "")],
    ),
    weaker(
        "fold: committed Relaxed",
        PRODUCER,
        "producer.committed.store(committed + (tail & COUNT_MASK), Ordering::Release)",
    ),
    weaker(
        "fold: tail Relaxed",
        PRODUCER,
        "producer.tail.store(tail & !COUNT_MASK, Ordering::Release)",
    ),
    weaker(
        "fold: even number Relaxed",
        PRODUCER,
        "producer.folds.store(folds.wrapping_add(2), Ordering::Release)",
    ),
    *(
        weaker(
            f"committed(): {word} Relaxed",
            RING,
            f"let {name} = self.producer.{word}.load(Ordering::Acquire)",
        )
        for name, word in [("before", "folds"), ("committed", "committed"), ("tail", "tail")]
    ),
    weaker(
        "take: Relaxed",
        PRODUCER,
        "state.compare_exchange(FREE, OWNED, Ordering::Acquire",
    ),
    weaker("hand-back: Relaxed", PRODUCER, "producer.state.store(FREE, Ordering::Release)"),
    weaker("peek: Relaxed", CONSUMER, "side.memory.word(index).load(Ordering::Acquire)"),
    weaker(
        "release: Relaxed",
        CONSUMER,
        "self.ring.consumer.memory.released().store(self.head, Ordering::Release)",
    ),
    weaker("released(): Relaxed", RING, "self.memory().released().load(Ordering::Acquire)"),
    weaker("slots: number stored Relaxed", SLOTS, "store(newest + 1, Ordering::Release)"),
    ("slots: no fence in write", SLOTS, [("        fence(Ordering::Release);\n", "")]),
    ("slots: no fence in read", SLOTS, [("            fence(Ordering::Acquire);", "           ")]),
    weaker(
        "slots: number loaded Relaxed",
        SLOTS,
        "self.words.word(slot * self.slot_words).load(Ordering::Acquire)",
    ),
]

# What no model can see, and why.
LEFT_OUT = [
    (
        "ring/producer.rs: the granule more that a claim needs",
        "no ordering; records of 3 granules never fill the 8 of a model exactly",
    ),
    (
        "ring/mapped.rs: `set_owner`",
        "its readers are other processes, which copy by `pread`: no model has that; `stat` shows a "
        "mixture of two names at worst, and recovery reads when nobody writes",
    ),
    (
        "flush/signal.rs, registry/room.rs",
        "they sleep by the standard library's threads and condition variables, which loom does not "
        "see, and rest on SeqCst accesses, which loom takes for AcqRel; "
        "`room::tests::no_release_is_missed` waits without a second look instead",
    ),
    (
        "callsite.rs, registry: lists and verdicts",
        "statics, which a model cannot begin anew",
    ),
]


def make_crate(to):
    """The models with what they need, and nothing else."""
    for part in PARTS:
        source, target = ROOT / part, to / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    (to / "src/arena/mod.rs").write_text("pub(crate) mod two_slots;\n")
    (to / "src/lib.rs").write_text(
        "#![allow(dead_code, unused_imports, unexpected_cfgs)]\n"
        "mod arena;\nmod primitive;\nmod ring;\n"
    )
    lines = (ROOT / "Cargo.toml").read_text().splitlines()
    dependencies = {line.split(" = ")[0]: line for line in lines if " = " in line}
    manifest = [
        "[package]", 'name = "models"', 'version = "0.0.0"', 'edition = "2024"', "[workspace]",
        "[dependencies]", *(dependencies[name] for name in DEPENDENCIES),
        # Optimised, with assertions, as the profile `loom` of the tree.
        "[profile.dev]", "opt-level = 3", "debug = false",
    ]
    (to / "Cargo.toml").write_text("\n".join(manifest) + "\n")
    shutil.copy2(ROOT / "Cargo.lock", to / "Cargo.lock")


def build(tree):
    """The models' executable; None with the compiler's words if there is none."""
    environment = dict(os.environ, RUSTFLAGS="--cfg loom", CARGO_TARGET_DIR=str(TARGET))
    built = subprocess.run(
        ["cargo", "test", "--lib", "--no-run", "--message-format=json"],
        cwd=tree, env=environment, capture_output=True, text=True,
    )
    for line in built.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable"):
            return message["executable"], ""
    return None, built.stderr[-2000:]


def run(executable, tree, seconds_max):
    """Who failed first, how many passed before, and after how many seconds that was known."""
    start = time.monotonic()
    process = subprocess.Popen(
        [executable], cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    watch = threading.Timer(seconds_max, process.kill)
    watch.start()
    failed, passed = None, 0
    for line in process.stdout:
        if line.startswith("test ") and "FAILED" in line:
            failed = line.split()[1].rpartition("::")[2]
            break
        passed += line.startswith("test ") and line.endswith("... ok\n")
    process.kill()
    process.wait()
    watch.cancel()
    return failed, passed, time.monotonic() - start


def changed(text, replacements):
    for old, new in replacements:
        if text.count(old) != 1:
            return None
        text = text.replace(old, new, 1)
    return text


def check(tree, change):
    name, file, replacements = change
    path = tree / file
    original = path.read_text()
    text = changed(original, replacements)
    if text is None:
        return "does not apply any more", False
    path.write_text(text)
    try:
        executable, words = build(tree)
        if executable is None:
            return f"does not compile: {words}", False
        failed, _, seconds = run(executable, tree, SECONDS_MAX)
    finally:
        path.write_text(original)
    if failed is None:
        return f"NOT SEEN within {seconds:.0f} s | nobody", False
    return f"{seconds:.1f} s | `{failed}`", True


def main():
    words = sys.argv[1:]
    if words == ["--list"]:
        for name, file, _ in CHANGES:
            print(f"{name} ({file})")
        for name, reason in LEFT_OUT:
            print(f"left out: {name}: {reason}")
        return 0
    wanted = [one for one in CHANGES if not words or any(word in one[0] for word in words)]
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        make_crate(tree)
        executable, said = build(tree)
        if executable is None:
            sys.exit(f"the models do not compile:\n{said}")
        models = subprocess.run([executable, "--list"], capture_output=True, text=True).stdout
        failed, passed, seconds = run(executable, tree, UNCHANGED_SECONDS_MAX)
        if failed or passed != models.count(": test\n"):
            sys.exit(f"the models fail as they are, or do not end: {failed}, {passed} passed")
        print(f"as it is: {passed} models pass in {seconds:.1f} s\n", flush=True)
        print("| change | seen after | by |\n|---|---|---|", flush=True)
        unseen = 0
        for change in wanted:
            outcome, is_seen = check(tree, change)
            unseen += not is_seen
            print(f"| {change[0]} | {outcome} |", flush=True)
    print(f"\n{len(wanted) - unseen} of {len(wanted)} changes are seen")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
