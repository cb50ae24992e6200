//! `changtong help`: the commands by who uses them.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Who uses which commands. A test finds each command in exactly one group.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Anyone", &["demo", "doctor", "login", "completions"]),
    ("Operator", &["serve", "migrate", "reconcile", "bench"]),
    ("Authority", &["agency", "account", "key"]),
    ("Provider", &["resource", "schema", "publish"]),
    ("Provider and consumer", &["request", "grant"]),
    ("Consumer", &["subscribe"]),
    ("Integrator", &["connector", "quarantine", "avro"]),
    ("Auditor", &["audit"]),
];

/// What a newcomer asks next.
const BELOW: &str = "
To begin: `changtong serve --dev` in one terminal, then the tour in docs/tour.md in another.
A command that calls a server finds it by --url and --key, CHANGTONG_URL and CHANGTONG_KEY, or a profile (--as).
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable, 4 what was asked about would break something.";

/// The command line with its help grouped.
pub fn command() -> Command {
    let command = Cli::command();
    let grouped = grouped(&command);
    command
        .help_template("{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}\n")
        .after_help(grouped)
        .disable_help_subcommand(false)
}

fn grouped(command: &Command) -> String {
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let wide = names.map(|name| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (at, (who, names)) in GROUPS.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{who}:");
        for name in *names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let _ = writeln!(text, "  {name:wide$}  {}", about.unwrap_or_default());
        }
    }
    text.push_str(BELOW);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_stands_in_one_group() {
        let command = Cli::command();
        for name in command.get_subcommands().map(Command::get_name) {
            let groups = GROUPS.iter().filter(|(_, names)| names.contains(&name)).count();
            assert_eq!(groups, 1, "{name}");
        }
        for name in GROUPS.iter().flat_map(|(_, names)| *names) {
            assert!(command.find_subcommand(name).is_some(), "{name} is no command");
        }
    }

    /// Every command's help, as one text.
    fn all_help() -> String {
        fn walk(command: &mut Command, name: &str, out: &mut String) {
            let _ = writeln!(out, "$ {name} --help\n{}", command.render_help());
            let inner: Vec<String> =
                command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
            for inner in inner.iter().filter(|inner| *inner != "help") {
                if let Some(command) = command.find_subcommand_mut(inner) {
                    walk(command, &format!("{name} {inner}"), out);
                }
            }
        }
        let mut out = String::new();
        let mut command = command().term_width(100);
        command.build();
        walk(&mut command, "changtong", &mut out);
        out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    #[test]
    fn the_help_is_the_one_that_was_read_and_found_good() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help.txt");
        let (found, kept) = (all_help(), std::fs::read_to_string(path).unwrap_or_default());
        if kept.is_empty() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).unwrap();
            std::fs::write(path, &found).unwrap();
        }
        let line = found.lines().zip(kept.lines()).position(|(found, kept)| found != kept);
        let line = line.unwrap_or_else(|| found.lines().count().min(kept.lines().count())) + 1;
        assert!(
            found == kept,
            "the help has changed at line {line} of {path}: remove it, run again, read the new one"
        );
    }

    /// An argument of a command would take the place of a global one of the same id.
    #[test]
    fn no_argument_hides_one_of_the_connection() {
        fn walk(command: &Command, above: &[String]) {
            let ids = |global: bool| {
                let all = command.get_arguments().filter(move |argument| argument.is_global_set() == global);
                all.map(|argument| argument.get_id().to_string()).collect::<Vec<_>>()
            };
            for id in ids(false) {
                assert!(!above.contains(&id), "{} {id}", command.get_name());
            }
            let above = [above, &ids(true)].concat();
            command.get_subcommands().for_each(|inner| walk(inner, &above));
        }
        walk(&Cli::command(), &[]);
    }

    #[test]
    fn every_command_and_argument_says_what_it_does() {
        fn walk(command: &Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(walk);
        }
        Cli::command().get_subcommands().for_each(walk);
    }
}
