use fastlog::fastlog;

fn main() {
    fastlog!(INFO, 5);
}
