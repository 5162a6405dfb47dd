//! A protocol is a folder and one line: the server builds without each of them, and without TLS.

use std::path::Path;
use std::process::Command;

/// The default features: the protocols, and TLS.
fn features() -> Vec<String> {
    let manifest = include_str!("../../Cargo.toml");
    let default = manifest.lines().find_map(|line| line.strip_prefix("default = ["));
    let names = default.expect("the default features").trim_end_matches(']').split(',');
    names.map(|name| name.trim().trim_matches('"').to_owned()).collect()
}

#[test]
fn each_protocol_has_a_folder_and_a_feature() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = include_str!("../../src/protocol/mod.rs");
    let listed = list.lines().filter_map(|line| line.trim().strip_suffix("::PROTOCOL,"));
    let listed: Vec<&str> = listed.map(|line| line.trim_start_matches('&')).collect();
    let features: Vec<String> = features().into_iter().filter(|name| name != "tls").collect();
    assert_eq!(listed, features, "one list, and a feature for each");
    for protocol in listed {
        assert!(root.join("src/protocol").join(protocol).is_dir(), "{protocol}");
    }
}

/// Without a warning, too: code that only one protocol uses stands in its folder. The builds are
/// checked, not linked, in the target folder where `clippy` has checked the dependencies already.
#[test]
fn the_server_builds_without_each_feature() {
    let features = features();
    for without in &features {
        let with: Vec<&str> =
            features.iter().filter(|name| *name != without).map(|name| &**name).collect();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["check", "--quiet", "--offline", "--locked", "--lib", "--bins"]);
        cargo.args(["--no-default-features", "--features", &with.join(",")]);
        let done = cargo.output().expect("cargo");
        let says = String::from_utf8_lossy(&done.stderr);
        let clean = done.status.success() && !says.contains("warning");
        assert!(clean, "without {without}: {says}");
    }
}
