use fastlog::fastlog;

fn main() {
    fastlog!(INFO, "http.status" = 200);
}
