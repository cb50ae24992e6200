//! A panic is told by its place alone: its words may hold what was at hand, a record's values among it (a text cut in the
//! middle of a character is quoted whole by the standard library).

/// Has every panic of the process logged by its place, without its words.
pub fn hide_words() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or_default();
        tracing::error!(place, thread, "a fault of the server: please report it with this place");
    }));
}
