//! The text of `--help`.

use crate::config::commands::{ABOUT, CHORES};
use crate::config::{SETTINGS, admin};

pub(super) fn help() -> String {
    let mut text = "\
shanty - a small chat server to host yourself: one binary, one SQLite file, one port.

Usage: shanty [--flag VALUE]...
       shanty backup|verify|restore|export|import [FILE] [--db FILE]
       shanty admin COMMAND [--db FILE]
       shanty config check
       shanty health [URL]
       shanty doctor [--url URL]

Without flags it listens on port 7777 of every address and keeps everything in shanty.db
in the working directory. Open the address that it prints in a browser.

"
    .to_owned();
    for (name, value, meaning) in SETTINGS {
        text += &format!("  --{:26} {meaning}\n", format!("{name} {value}"));
    }
    text += "  --help, --version            print this, or the version, and stop

Commands that work on the database (--db) instead of serving it:

";
    for (name, file, meaning) in CHORES {
        text += &format!("  {:28} {meaning}\n", format!("{name} {file}"));
    }
    text += "
Commands for who is in charge; they work beside the running server, or without one:

";
    for (name, words, meaning) in admin::TASKS {
        text += &format!("  {:28} {meaning}\n", format!("admin {name} {words}"));
    }
    for (name, value, meaning) in admin::OPTIONS {
        text += &format!("    {:26} {meaning}\n", format!("--{name} {value}"));
    }
    text += "
Commands that look at the settings, the server and the system:

";
    for (name, usage, meaning) in ABOUT {
        text += &format!("  {:28} {meaning}\n", format!("{name} {usage}"));
    }
    text += "
Keep backups and exports private: they contain all messages.

Each flag is also an environment variable: --session-ttl is SHANTY_SESSION_TTL; and a key of
the configuration file (--config): session-ttl = 3600. A flag overrides a variable, a variable
overrides the file, the file overrides the default. An empty variable counts as unset.
Besides, PORT is the port to listen on, and SECRET_KEY (32 bytes or more) signs room tokens
instead of the random secret in the database.

Example: reachable from this machine only, with logins that last for a day:
  shanty --listen 127.0.0.1:7777 --db /var/lib/shanty/shanty.db --session-ttl 86400

It stops on SIGTERM or SIGINT (Ctrl-C), after all messages are on disk.
Exit codes: 0 done or stopped as asked; 1 could not start, failed, or verify or doctor found
a fault; 2 wrong arguments, variables or configuration file.";
    text
}
