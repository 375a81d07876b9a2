use fastlog::fastlog;

fn main() {
    let latency = 5;
    fastlog!(INFO, "took {latency}");
}
