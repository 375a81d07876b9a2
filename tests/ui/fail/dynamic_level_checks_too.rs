use fastlog::fastlog;

fn main() {
    fastlog!(level: fastlog::Level::INFO, "{b}", a = 1);
}
