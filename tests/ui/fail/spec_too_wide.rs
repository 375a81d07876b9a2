use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "{a:256}", a = 1);
}
