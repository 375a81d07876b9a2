//! Hands the program what it prints beside its figures: the versions in Cargo.lock, the compiler's.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = fs::read_to_string("Cargo.lock").expect("Cargo.lock lies beside build.rs");
    let out_dir = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out_dir).join("locked.rs"), versions(&lock)).expect("OUT_DIR is writable");
    println!("cargo:rustc-env=COMPARE_RUSTC={}", compiler());
}

/// The crates of a lock file and their versions, as the source of a table.
fn versions(lock: &str) -> String {
    let mut table = String::from("const LOCKED: &[(&str, &str)] = &[\n");
    let mut name = "";
    for line in lock.lines() {
        if let Some(value) = line.strip_prefix("name = ") {
            name = value;
        } else if let Some(version) = line.strip_prefix("version = ")
            && !name.is_empty()
        {
            table.push_str(&format!("    ({name}, {version}),\n"));
        }
    }
    table + "];\n"
}

fn compiler() -> String {
    let rustc = env::var("RUSTC").expect("cargo sets RUSTC");
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
