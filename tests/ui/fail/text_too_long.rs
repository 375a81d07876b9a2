use fastlog::fastlog;

const LONG: &str = {
    const BYTES: [u8; 16 * 1024] = [b'x'; 16 * 1024];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

fn main() {
    fastlog!(INFO, target: "long", LONG);
}
