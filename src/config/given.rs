//! The settings that are given, each with its source: what the environment says, and what `config
//! check` prints.

use std::ffi::OsString;

use crate::config::{Config, LISTS, SETTINGS, text};

/// A setting, as one source gives it.
pub(super) struct Given {
    pub name: &'static str,
    /// One, or for a list any number.
    pub values: Vec<String>,
    /// The flag, the variable, or the key of the file, for errors.
    pub from: String,
}

/// The settings in the environment.
pub(super) fn environment(
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Given>, String> {
    let mut found = Vec::new();
    if let Some(value) = variable("PORT") {
        let values = vec![text("PORT", value)?];
        found.push(Given { name: "listen", values, from: "PORT".to_owned() });
    }
    for (name, _, _) in SETTINGS {
        let from = format!("SHANTY_{}", name.to_uppercase().replace('-', "_"));
        let Some(value) = variable(&from) else { continue };
        let value = text(&from, value)?;
        let values = match LISTS.contains(&name) {
            true => value.split_whitespace().map(str::to_owned).collect(),
            false => vec![value],
        };
        found.push(Given { name, values, from });
    }
    Ok(found)
}

/// What `config check` prints: each setting that is given, with its source.
pub(super) fn summary(config: &Config, given: &[Given]) -> String {
    let mut lines = Vec::new();
    for (name, _, _) in SETTINGS {
        // The last one counts.
        if let Some(Given { values, from, .. }) = given.iter().rfind(|given| given.name == name) {
            lines.push(format!(
                "{name} = {} (from {})",
                values.join(" "),
                from.trim_end_matches(',')
            ));
        }
    }
    if config.secret_key.is_some() && config.secret_key_file.is_none() {
        lines.push("the secret of room tokens is set (from SECRET_KEY)".to_owned());
    }
    lines.push("the configuration is valid; all other settings have their defaults".to_owned());
    lines.join("\n")
}
