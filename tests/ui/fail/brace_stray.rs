use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "close }", a = 1);
}
