//! The house rules that a test can check: floors, sizes, and forbidden things.

use std::fs;
use std::path::{Path, PathBuf};

/// The files below `protocol/` that may use JSON: the log's own encoding, in its file and in
/// exports.
const LOG_ENCODING: [&str; 4] = [
    "src/store/entries.rs",
    "src/store/entries/deeds.rs",
    "src/store/admin/export.rs",
    "src/store/admin/import.rs",
];

/// The floors, lowest first. A file imports from strictly lower floors, or inside its own folder.
const FLOORS: [&[&str]; 9] = [
    &["limits", "time", "crypto", "logger", "memory", "counts", "fuzz"],
    &["chat", "clock", "http", "ws", "outgoing", "tls", "config"],
    &["codec", "store"],
    &["hub"],
    &["protocol"],
    &["connection"],
    &["worker"],
    &["server", "doctor"],
    &["main"],
];

/// The floors inside `chat/`, by the same rule.
const CORE_FLOORS: [&[&str]; 5] =
    [&["text", "numbered", "small", "source"], &["types"], &["vocabulary"], &["state"], &["core"]];

const LINES_MAX: usize = 500;
const COLUMNS_MAX: usize = 100;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The first name under `src/`: `chat` for `src/chat/rooms.rs`.
    fn module(&self) -> Option<String> {
        let inside = self.path.strip_prefix(root().join("src")).ok()?;
        let first = Path::new(inside.iter().next()?);
        Some(first.file_stem()?.to_string_lossy().into_owned())
    }

    fn show(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    /// The lines of code, without comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(|line| line.split("//").next().unwrap_or(""))
    }

    /// The lines of the program's code, without tests.
    fn program(&self) -> impl Iterator<Item = &str> {
        let path = self.show();
        let test = path.contains("tests") || path.contains("simulation");
        let program = self.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or("");
        let lines = program.lines().map(|line| line.split("//").next().unwrap_or(""));
        lines.take(if test { 0 } else { usize::MAX })
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    fn collect(folder: &Path, endings: &[&str], into: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).expect("a folder of the project") {
            let path = entry.expect("an entry of that folder").path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            let hidden = path.ends_with("node_modules") || path.ends_with("vendor");
            if path.is_dir() && !hidden {
                collect(&path, endings, into);
            } else if ending.is_some_and(|ending| endings.contains(&ending)) {
                let text = fs::read_to_string(&path).expect("a text of the project");
                into.push(Source { path, text });
            }
        }
    }
    let mut found = Vec::new();
    collect(&root().join(folder), endings, &mut found);
    assert!(!found.is_empty(), "{folder} has files");
    found
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// The modules that a file names by `crate::…` (or, in `main.rs`, by `shanty::…`).
fn imports(source: &Source) -> Vec<String> {
    named(source.code(), &["crate::", "shanty::"])
}

/// The names that follow one of these prefixes.
fn named<'a>(code: impl Iterator<Item = &'a str>, prefixes: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for line in code {
        for prefix in prefixes {
            for (at, _) in line.match_indices(prefix) {
                let before = line[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let rest = &line[at + prefix.len()..];
                let grouped = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
                let names = match grouped {
                    Some(group) => group.split(',').map(str::trim).collect(),
                    None => vec![rest],
                };
                for name in names {
                    let name = name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next();
                    found.extend(name.filter(|name| !name.is_empty()).map(str::to_owned));
                }
            }
        }
    }
    found
}

#[test]
fn a_file_imports_from_lower_floors_only() {
    let mut wrong = Vec::new();
    for source in sources("src", &["rs"]) {
        let module = source.module().expect("a file under src");
        if module == "lib" {
            continue;
        }
        let here = floor(&module).unwrap_or_else(|| panic!("{module} is on no floor"));
        // `limits` is for every floor, also for those beside it.
        let free = [module.as_str(), "limits"];
        for import in imports(&source).into_iter().filter(|import| !free.contains(&&**import)) {
            // The macro `log!` lives at the crate's root, but belongs to the logger.
            let there = if import == "log" { Some(0) } else { floor(&import) };
            if there.is_none_or(|there| there >= here) {
                wrong.push(format!("{} imports {import}", source.show()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The core's tables do not know the type that owns them, and the calls and effects know neither.
/// Every import names its file, so that the arrows are visible.
#[test]
fn inside_the_core_no_arrow_points_upward() {
    let mut wrong = Vec::new();
    let floor = |name: &str| CORE_FLOORS.iter().position(|names| names.contains(&name));
    for source in sources("src/chat", &["rs"]) {
        let path = source.path.strip_prefix(root().join("src/chat")).expect("a file of the core");
        let first = path.iter().next().map(Path::new).and_then(Path::file_stem);
        let first = first.expect("a name").to_string_lossy();
        if ["mod", "tests", "simulation"].contains(&&*first) {
            continue;
        }
        let here = floor(&first).unwrap_or_else(|| panic!("{first} is on no floor"));
        for import in named(source.program(), &["crate::chat::"]) {
            if import != first && floor(&import).is_none_or(|there| there >= here) {
                wrong.push(format!("{} imports {import}", source.show()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_map_names_the_modules_in_the_order_of_the_floors() {
    let map = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    let modules = map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let floors: Vec<Option<usize>> = modules.map(floor).collect();
    assert!(floors.len() > 10 && floors.iter().all(Option::is_some), "{floors:?}");
    assert!(floors.is_sorted(), "{floors:?}");
}

#[test]
fn files_are_short_and_lines_fit() {
    let mut wrong = Vec::new();
    let code = sources("src", &["rs", "js", "css", "html", "sql"]);
    for source in code.into_iter().chain(sources("tests", &["rs", "js", "mjs", "py"])) {
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{} has {lines} lines", source.show()));
        }
        let long = source.text.lines().position(|line| line.chars().count() > COLUMNS_MAX);
        if let Some(index) = long {
            wrong.push(format!("{}:{} is too long", source.show(), index + 1));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let sources = sources("src", &["rs"]);
    let silent = sources.iter().filter(|source| !source.text.starts_with("//!"));
    let silent: Vec<String> = silent.map(Source::show).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// Only the protocols use JSON; nothing below them does, except the log's own encoding.
#[test]
fn below_the_protocols_nothing_knows_json() {
    let mut wrong = Vec::new();
    for source in sources("src", &["rs"]) {
        let module = source.module().expect("a file under src");
        let below = floor(&module) < floor("protocol") && module != "lib";
        if below && !LOG_ENCODING.contains(&&*source.show()) {
            let lines = source.program().filter(|line| line.contains("serde"));
            wrong.extend(lines.map(|line| format!("{}: {}", source.show(), line.trim())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let there = |file: &&str| root().join(file).exists();
    assert!(LOG_ENCODING.iter().all(there), "only what is there is left out");
}

#[test]
fn what_must_not_be_there_is_not() {
    let mut wrong = Vec::new();
    for source in sources("src", &["rs"]) {
        let module = source.module().expect("a file under src");
        let everywhere =
            ["Mutex", "RwLock", "Atomic", "unsafe ", "todo!", "dbg!", "allow(dead_code"];
        let core =
            ["tokio", "serde", "rusqlite", "SystemTime", "Instant", "getrandom", "Time::now"];
        let core = if module == "chat" { &core[..] } else { &[] };
        for word in everywhere.iter().chain(core) {
            // One C function of the system, which takes no pointer.
            let is_allowed = *word == "unsafe " && source.show() == "src/memory.rs";
            if !is_allowed && source.program().any(|line| line.contains(word)) {
                wrong.push(format!("{} has {word}", source.show()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
