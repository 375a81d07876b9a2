//! The program of all modes but `alloc`, and of the report.

fn main() -> std::process::ExitCode {
    fastlog_compare::main()
}
