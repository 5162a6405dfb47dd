//! Secrets: from files that the settings name, so that they stand neither on the command line,
//! which all users of a machine can read, nor in the environment. Never printed.

use std::path::Path;

use crate::config::{Config, ReadFile};
use crate::limits::SECRET_KEY_BYTES_MIN;

/// Reads the files that the settings name.
pub(super) fn read(config: &mut Config, file: ReadFile<'_>) -> Result<(), String> {
    if let Some(path) = &config.secret_key_file {
        if config.secret_key.is_some() {
            return Err(
                "SECRET_KEY and --secret-key-file are both set: keep one of them".to_owned()
            );
        }
        config.secret_key = Some(secret(path, "--secret-key-file", file)?);
    }
    if let Some(path) = &config.metrics_token_file {
        let token = secret(path, "--metrics-token-file", file)?;
        // What cannot stand in a header could never be sent.
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the file of --metrics-token-file must contain one line, of ASCII characters \
                        without spaces; use the output of `openssl rand -hex 32`"
                    .to_owned(),
            );
        }
        config.metrics_token = Some(token);
    }
    Ok(())
}

/// A secret that is long enough.
pub(super) fn checked(secret: String, from: &str) -> Result<String, String> {
    if secret.len() >= SECRET_KEY_BYTES_MIN {
        return Ok(secret);
    }
    Err(format!(
        "{from} is too short: it needs {SECRET_KEY_BYTES_MIN} bytes or more; use the output of \
         `openssl rand -hex 32`, or leave it out"
    ))
}

fn secret(path: &Path, flag: &str, file: ReadFile<'_>) -> Result<String, String> {
    let text = file(path).map_err(|error| {
        format!(
            "{flag}: cannot read {} ({error}): check the name, and whether the server's user may \
             read it",
            path.display()
        )
    })?;
    // Editors and `echo` end a line.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    checked(text.strip_suffix('\r').unwrap_or(text).to_owned(), &format!("the secret of {flag}"))
}
