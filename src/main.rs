//! The program: arguments in, exit code out. It serves, or runs a command on a database; the
//! library does both.

use std::panic::catch_unwind;
use std::process::ExitCode;

use shanty::config::{self, CliCommand};
use shanty::store::admin;
use shanty::{logger, server};

fn main() -> ExitCode {
    let code = match config::parse(std::env::args_os().skip(1), |name| std::env::var_os(name)) {
        Ok(CliCommand::Print(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(CliCommand::Run(config)) => {
            logger::start(config.log);
            match catch_unwind(|| server::run(*config)) {
                Ok(Ok(())) => ExitCode::SUCCESS,
                Ok(Err(error)) => complain(&error, 1),
                Err(_) => ExitCode::from(101), // The panic was logged where it happened.
            }
        }
        Ok(CliCommand::Tend { db, chore }) => match admin::maintain(&db, &chore) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&error, 1),
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
