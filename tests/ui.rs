//! Each misuse of the macros ends in a sentence of our own (`ui/fail`), and correct calls stand in
//! hostile surroundings without a warning (`ui/pass`).
//!
//! The expected texts are those of rustc 1.95, the toolchain this project pins; another compiler
//! may frame the same sentence otherwise. `TRYBUILD=overwrite cargo test --test ui` renews them.

#[test]
fn misuse_meets_a_sentence() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn correct_calls_compile_in_any_surroundings() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn a_crate_of_edition_2021_compiles() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = std::process::Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--manifest-path"])
        .arg(root.join("tests/edition_2021/Cargo.toml"))
        .arg("--target-dir")
        .arg(concat!(env!("CARGO_TARGET_TMPDIR"), "/edition_2021"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
