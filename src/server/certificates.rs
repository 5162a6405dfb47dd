//! Reads the certificates again when their files change, or on SIGHUP: a renewed certificate needs
//! no restart, and no connection ends. Called by the server.

use std::future::pending;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::limits::edge::TLS_LOOK_MS;
use crate::log;
use crate::tls::{Files, Proof};

/// What an authority asks for; answered when new connections get it.
pub(super) struct Proofs {
    /// All proofs that are shown from now on.
    pub proofs: Vec<Proof>,
    /// Hears of it.
    pub shown: oneshot::Sender<()>,
}

/// Watches until it is cancelled; without certificates, it does nothing. With each of `asked` it
/// also looks at once whether the files have changed.
pub(super) async fn watch(files: Option<Files>, mut asked: mpsc::Receiver<Proofs>) {
    let Some(mut files) = files else { return pending().await };
    let mut hang_up = match signal(SignalKind::hangup()) {
        Ok(hang_up) => hang_up,
        Err(error) => {
            log!(Error, "cannot wait for signals, so new certificates need a restart: {error}");
            return pending().await;
        }
    };
    loop {
        let (mut always, mut shows) = (false, None);
        tokio::select! {
            _ = hang_up.recv() => always = true,
            Some(proofs) = asked.recv() => shows = Some(proofs),
            () = tokio::time::sleep(Duration::from_millis(TLS_LOOK_MS)) => {}
        }
        // Reading files can block.
        let refreshed = tokio::task::spawn_blocking(move || {
            let refreshed = match shows {
                Some(Proofs { proofs, shown }) => {
                    let proved = files.prove(proofs).map(|()| false);
                    let _ = shown.send(()); // Who asked may have given up.
                    proved.and_then(|_| files.refresh(false))
                }
                None => files.refresh(always),
            };
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
