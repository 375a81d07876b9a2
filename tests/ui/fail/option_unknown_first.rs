use fastlog::fastlog;

fn main() {
    fastlog!(tgt: "x", INFO, "message");
}
