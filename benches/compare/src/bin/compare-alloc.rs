//! The same program under an allocator that counts, for the mode `alloc`.

#[global_allocator]
static COUNTING: fastlog_compare::Counting = fastlog_compare::Counting;

fn main() -> std::process::ExitCode {
    fastlog_compare::main()
}
