use fastlog::fastlog;

fn main() {
    fastlog!(INFO, tgt: "x", "message");
}
