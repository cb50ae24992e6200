//! What a process listens on, as its kernel says.

use std::collections::BTreeSet;
use std::fs;

/// Local addresses on which it takes connections, or datagrams from anybody.
pub fn listens_on(process: u32) -> Vec<String> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("a running process");
    let links = open.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let sockets =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
    let sockets: BTreeSet<String> = sockets.collect();
    assert!(!sockets.is_empty(), "it has a connection to its server");
    // TCP: listening; UDP: bound, and connected to nobody.
    let tables = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")];
    let mut listening = Vec::new();
    for (table, state) in tables {
        let path = format!("/proc/{process}/net/{table}");
        // Without IPv6 there are only the first of each.
        if !fs::exists(&path).expect("a running process") {
            continue;
        }
        let lines = fs::read_to_string(path).expect("its table");
        for line in lines.lines().skip(1) {
            let cells: Vec<&str> = line.split_whitespace().collect();
            if cells[3] == state && sockets.contains(cells[9]) {
                listening.push(format!("{table} {}", cells[1]));
            }
        }
    }
    listening
}
