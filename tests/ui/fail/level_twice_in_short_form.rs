fn main() {
    fastlog::info!(level: fastlog::Level::WARN, "message");
}
