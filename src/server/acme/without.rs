//! What stands for [`acme`](self) in a build without it.

use std::future::pending;

use tokio::sync::mpsc;

use crate::config::Config;
use crate::server::certificates::Proofs;
use crate::tls::Pair;

/// Refuses, if somebody wants a certificate.
pub(super) fn certificate(config: &Config) -> Result<Option<Pair>, String> {
    match config.acme_hosts.is_empty() {
        true => Ok(None),
        false => Err("this program was built without ACME: build it with the feature `acme`, or \
                      give it a certificate (--tls-cert)"
            .to_owned()),
    }
}

/// Does nothing.
pub(super) async fn run(_config: Config, _asks: mpsc::Sender<Proofs>) {
    pending().await
}
