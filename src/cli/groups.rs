//! `changtong help`: the commands by who uses them.

use std::fmt::Write as _;

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Who uses which commands. A test finds each command in exactly one group.
const GROUPS: [(&str, &[&str]); 8] = [
    ("Anyone", &["doctor", "login", "completions"]),
    ("Operator", &["serve", "migrate", "reconcile", "bench"]),
    ("Authority", &["agency", "account", "key"]),
    ("Provider", &["resource", "publish"]),
    ("Provider and consumer", &["request", "grant"]),
    ("Consumer", &["subscribe"]),
    ("Integrator", &["quarantine"]),
    ("Auditor", &["audit"]),
];

/// The command line with its help grouped.
pub fn command() -> Command {
    let command = Cli::command();
    let grouped = grouped(&command);
    command
        .help_template("{about}\n\n{usage-heading} {usage}\n\n{after-help}\n\nOptions:\n{options}\n")
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

    #[test]
    fn every_command_and_argument_says_what_it_does() {
        fn walk(command: &Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            command.get_subcommands().for_each(walk);
        }
        Cli::command().get_subcommands().for_each(walk);
    }
}
