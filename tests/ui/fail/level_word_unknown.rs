use fastlog::fastlog;

fn main() {
    fastlog!(INFOO, "message");
}
