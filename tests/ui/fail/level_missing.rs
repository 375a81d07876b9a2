use fastlog::fastlog;

fn main() {
    fastlog!("message", a = 1);
}
