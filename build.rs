//! Prepares the page in the browser at compile time, so that the server only sends bytes of its own
//! binary.
//!
//! Each file of `src/protocol/web` is written to `OUT_DIR` as it is served and, if it is text, once
//! more compressed; `web.rs` there is the table of them, for `src/protocol/web.rs`. The files stay
//! as they are but for two things. Scripts lose their indentation and the lines that are only a
//! comment: a sixth of what a browser loads. And the files are served from a folder named by a hash
//! of all of them, so that browsers can cache it for good; the few files outside learn its name
//! here. The same files always give the same bytes.
//!
//! Also writes `unicode.rs`, the tables by which the core checks texts: see `build/unicode.rs`.

#[path = "build/unicode.rs"]
mod unicode;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{env, fs, str};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

const FROM: &str = "src/protocol/web";
/// The folder's name in the sources, which is replaced here.
const FOLDER: &str = "\"web/";
/// The service worker's placeholder for the list of files.
const NO_FILES: &str = "const FILES = [];";

/// Media types by ending.
const KINDS: [(&str, &str); 6] = [
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("webmanifest", "application/manifest+json"),
];

/// A script without indentation, and with empty lines in place of those that are only a comment, so
/// that a browser names the same lines. (In the few texts of several lines, indentation does not
/// count.)
fn bare(script: &[u8]) -> Vec<u8> {
    let script = str::from_utf8(script).expect("text");
    let mut bare = String::new();
    for line in script.lines() {
        let line = line.trim_start();
        bare.push_str(if line.starts_with("//") { "" } else { line });
        bare.push('\n');
    }
    bare.into_bytes()
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed={FROM}");
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(FROM).expect("the page's folder") {
        let path = entry.expect("an entry of that folder").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        // Editors leave such files behind.
        if !name.starts_with('.') && !name.ends_with('~') {
            let bytes = fs::read(&path).expect("a file of the page");
            let bytes = if name.ends_with(".js") { bare(&bytes) } else { bytes };
            files.insert(name.to_owned(), bytes);
        }
    }

    let mut all = Sha256::new();
    for (name, bytes) in &files {
        all.update(format!("{name} {}\n", bytes.len()));
        all.update(bytes);
    }
    let folder = format!("web/{}/", hex(&all.finalize()[..8]));
    let inside: Vec<String> =
        files.keys().filter(|name| !is_outside(name)).map(|name| format!("{name:?}")).collect();
    for (name, bytes) in files.iter_mut().filter(|(name, _)| is_outside(name)) {
        let mut text = str::from_utf8(bytes).expect("text").replace(FOLDER, &format!("\"{folder}"));
        if name == "sw.js" {
            assert!(text.contains(NO_FILES), "{name} has a place for the list of files");
            text = text.replace(NO_FILES, &format!("const FILES = [{}];", inside.join(", ")));
        }
        assert!(text.contains(&folder), "{name} names the folder");
        *bytes = text.into_bytes();
    }

    let out = env::var("OUT_DIR").expect("cargo says where to write");
    let mut table = String::from("/// Everything that is served, in the order of their names.\n");
    let _ = writeln!(table, "static FILES: [File; {}] = [", files.len());
    for (name, bytes) in &files {
        let ending = name.rsplit('.').next();
        let kind = KINDS.iter().find(|kind| Some(kind.0) == ending);
        let kind = kind.unwrap_or_else(|| panic!("{FROM}/{name}: what is that?")).1;
        let path = match name.as_str() {
            "index.html" => String::new(),
            outside if is_outside(outside) => outside.to_owned(),
            inside => format!("{folder}{inside}"),
        };
        let here = |name: &str| format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}\"))");
        write(&out, name, bytes);
        // A picture is compressed already.
        let compressed = if kind == "image/png" {
            "None".to_owned()
        } else {
            write(&out, &format!("{name}.gz"), &gzip(bytes));
            format!("Some({})", here(&format!("{name}.gz")))
        };
        let tag = hex(&Sha256::digest(bytes)[..12]);
        let _ = writeln!(
            table,
            "    File {{ path: {path:?}, kind: {kind:?}, tag: {tag:?},\n        \
             plain: {},\n        gzip: {compressed} }},",
            here(name)
        );
    }
    table.push_str("];\n");
    write(&out, "web.rs", table.as_bytes());
    write(&out, "unicode.rs", unicode::tables().as_bytes());
}

/// Whether browsers request the file by a fixed name, and so have to revalidate it each time.
fn is_outside(name: &str) -> bool {
    matches!(name, "index.html" | "manifest.webmanifest" | "sw.js")
}

/// Contains neither a time nor a name (RFC 1952 section 2.3): equal input gives equal output.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a Vec takes everything")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(folder: &str, name: &str, bytes: &[u8]) {
    fs::write(Path::new(folder).join(name), bytes).expect("cargo's folder can be written to");
}
