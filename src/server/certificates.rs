//! Reads the certificates again when their files change, or on SIGHUP: a renewed certificate needs
//! no restart, and no connection ends. Called by the server.

use std::future::pending;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::limits::edge::TLS_LOOK_MS;
use crate::log;
use crate::tls::Files;

/// Watches until it is cancelled; without certificates, it does nothing.
pub(super) async fn watch(files: Option<Files>) {
    let Some(mut files) = files else { return pending().await };
    let mut hang_up = match signal(SignalKind::hangup()) {
        Ok(hang_up) => hang_up,
        Err(error) => {
            log!(Error, "cannot wait for signals, so new certificates need a restart: {error}");
            return pending().await;
        }
    };
    loop {
        let look = Duration::from_millis(TLS_LOOK_MS);
        let asked = tokio::time::timeout(look, hang_up.recv()).await.is_ok();
        // Reading files can block.
        let refreshed = tokio::task::spawn_blocking(move || {
            let refreshed = files.refresh(asked);
            (files, refreshed)
        });
        let Ok((back, refreshed)) = refreshed.await else { return pending().await };
        files = back;
        match refreshed {
            Ok(true) => log!(Info, "new connections get the new certificates"),
            Ok(false) => {}
            Err(error) => log!(Error, "the certificates in use stay: {error}"),
        }
    }
}
