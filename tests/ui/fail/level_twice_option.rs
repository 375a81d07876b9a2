use fastlog::fastlog;

fn main() {
    fastlog!(INFO, level: fastlog::Level::WARN, "message");
}
