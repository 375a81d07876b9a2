use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "message", "" = 1);
}
