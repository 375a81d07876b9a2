use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "took {0}", a = 1);
}
