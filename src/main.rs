//! The program: arguments in, exit code out. It serves, runs a command on a database, or looks for
//! what is wrong; the library does all of it.

use std::io::{self, ErrorKind, Write};
use std::panic::catch_unwind;
use std::process::ExitCode;

use shanty::config::{self, CliCommand};
use shanty::store::admin;
use shanty::{doctor, logger, server};

fn main() -> ExitCode {
    let (words, variable) = (std::env::args_os().skip(1), |name: &str| std::env::var_os(name));
    let code = match config::parse(words, variable, &|path| std::fs::read_to_string(path)) {
        Ok(CliCommand::Print(text)) => {
            match writeln!(io::stdout(), "{text}") {
                // A reader that stops early (`| head`) is no error.
                Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                    complain(&format!("standard output cannot be written: {error}"), 1)
                }
                _ => ExitCode::SUCCESS,
            }
        }
        Ok(CliCommand::Run(config)) => {
            logger::start(config.log, config.log_format);
            match catch_unwind(|| server::run(*config)) {
                Ok(Ok(())) => ExitCode::SUCCESS,
                Ok(Err(error)) => complain(&error, 1),
                Err(_) => ExitCode::from(101), // The panic was logged where it happened.
            }
        }
        Ok(CliCommand::Maintain { db, task }) => match admin::maintain(&db, &task) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error, 1),
        },
        Ok(CliCommand::Health(config, url)) => match doctor::health(&config, url.as_deref()) {
            Ok(said) => {
                println!("{said}");
                ExitCode::SUCCESS
            }
            Err(error) => complain(&error, 1),
        },
        Ok(CliCommand::Doctor(config, url)) => match doctor::examine(&config, url.as_deref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(faults) => complain(&format!("{faults} of these lines say what to mend"), 1),
        },
        Err(error) => complain(&error, 2),
    };
    logger::finish();
    code
}

fn complain(error: &str, code: u8) -> ExitCode {
    logger::say(&format!("shanty: {error}"));
    ExitCode::from(code)
}
