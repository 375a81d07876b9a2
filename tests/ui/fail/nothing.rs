use fastlog::fastlog;

fn main() {
    fastlog!();
}
