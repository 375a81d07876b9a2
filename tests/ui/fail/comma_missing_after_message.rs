use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "message" a = 1);
}
