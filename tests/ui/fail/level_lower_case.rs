use fastlog::fastlog;

fn main() {
    fastlog!(info, "message");
}
