//! The server as a service of systemd: it takes sockets that systemd has opened, says when it is
//! ready and when it stops, and keeps the watchdog quiet while it works. Without systemd, nothing.

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use listenfd::ListenFd;

use crate::hub::HubHandle;
use crate::limits::LISTENERS_MAX;
use crate::log;

/// The sockets that systemd listens on for the server. Clients that connect while the server
/// restarts wait in them.
///
/// # Errors
/// If there are too many, or one is no such socket.
pub(super) fn sockets() -> Result<Vec<TcpListener>, String> {
    let mut passed = ListenFd::from_env();
    if passed.len() > LISTENERS_MAX {
        return Err(format!(
            "systemd passes {} sockets: let the socket unit name {LISTENERS_MAX} addresses at most",
            passed.len()
        ));
    }
    let taken = (0..passed.len()).map(|index| passed.take_tcp_listener(index));
    let taken = taken.filter_map(Result::transpose).collect::<io::Result<Vec<_>>>();
    taken.map_err(|error| {
        format!("systemd passes a socket that is no TCP listener ({error}): see the socket unit")
    })
}

/// Tells systemd a state (`sd_notify(3)`): `READY=1`, `STOPPING=1`, `WATCHDOG=1`.
pub(super) fn notify(state: &str) {
    if let Err(error) = send(state) {
        log!(Warn, "cannot tell systemd {state}: {error}");
    }
}

fn send(state: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return Ok(());
    };
    // A name that begins with @ is in Linux's abstract namespace.
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // systemd reads at once; a supervisor that does not must not hold up the event loop.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(state.as_bytes(), &address).map(|_| ())
}

/// Quiets the watchdog for as long as the hub answers, until the task is aborted; if systemd asks
/// for it. A server that hangs is then started again.
pub(super) async fn watch(hub: HubHandle) {
    let Some(pause) = watchdog(|name| env::var(name).ok()) else { return };
    loop {
        if hub.counts().await.is_none() {
            return;
        }
        notify("WATCHDOG=1");
        tokio::time::sleep(pause).await;
    }
}

/// Half of the time after which the watchdog acts.
fn watchdog(variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    let micros: u64 = variable("WATCHDOG_USEC")?.parse().ok()?;
    // Set for another process that has started this one.
    let pid = variable("WATCHDOG_PID").and_then(|pid| pid.parse().ok());
    let ours = pid.is_none_or(|pid: u32| pid == std::process::id());
    (ours && micros > 0).then(|| Duration::from_micros(micros / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_is_for_this_process() {
        let watchdog = |micros: &str, pid: &str| {
            watchdog(|name| match name {
                "WATCHDOG_USEC" => Some(micros.to_owned()),
                _ => Some(pid.to_owned()).filter(|pid| !pid.is_empty()),
            })
        };
        let own = std::process::id().to_string();
        assert_eq!(watchdog("3000000", ""), Some(Duration::from_millis(1_500)));
        assert_eq!(watchdog("3000000", &own), Some(Duration::from_millis(1_500)));
        for (micros, pid) in [("3000000", "1"), ("0", ""), ("soon", "")] {
            assert_eq!(watchdog(micros, pid), None, "{micros} {pid}");
        }
    }
}
