use fastlog::fastlog;

fn main() {
    fastlog!(target: "a", INFO, target: "b", "message");
}
