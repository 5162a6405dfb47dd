//! The socket of the operator's shell, beside the database: `shanty admin` asks the running server
//! here. Only the server's own user, and root, can open it.
//!
//! One command at a time, one line each: the others wait in the socket's backlog.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::chat::Caller;
use crate::config::AdminTask;
use crate::hub::HubHandle;
use crate::limits::ACCEPT_PAUSE_MS;
use crate::limits::in_charge::{OPERATOR_DEADLINE_MS, OPERATOR_LINE_BYTES_MAX};
use crate::log;
use crate::store::admin::acting;

/// The open socket. Its file goes with it.
struct Shell {
    listener: UnixListener,
    path: PathBuf,
    /// The server's user.
    user: u32,
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // The next start removes it, too.
    }
}

/// Opens the socket and answers until it is cancelled. Without the socket the server runs all the
/// same, and the operator has to stop it for `shanty admin`.
pub(super) async fn serve(db: PathBuf, hub: HubHandle) {
    let shell = match open(&db) {
        Ok(shell) => shell,
        Err(error) => {
            log!(Warn, "no socket for `shanty admin` beside the database: {error}");
            return;
        }
    };
    loop {
        match shell.listener.accept().await {
            Ok((client, _)) if is_the_operators(&client, shell.user) => {
                let deadline = Duration::from_millis(OPERATOR_DEADLINE_MS);
                let _ = timeout(deadline, answer(client, &hub)).await; // It may be gone.
            }
            Ok(_) => {}
            Err(error) => {
                log!(Warn, "the socket for `shanty admin`: {error}");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

/// The database is ours, so a socket that is there is left over.
fn open(db: &Path) -> io::Result<Shell> {
    let path = acting::socket(db)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    let user = fs::symlink_metadata(&path)?.uid();
    Ok(Shell { listener, path, user })
}

/// Whether the other side is the server's own user, or root: before the file had its mode, others
/// could connect.
fn is_the_operators(client: &UnixStream, user: u32) -> bool {
    client.peer_cred().is_ok_and(|peer| peer.uid() == user || peer.uid() == 0)
}

async fn answer(mut client: UnixStream, hub: &HubHandle) -> io::Result<()> {
    let mut line = String::new();
    let (read, mut write) = client.split();
    BufReader::new(read.take(OPERATOR_LINE_BYTES_MAX as u64)).read_line(&mut line).await?;
    let said = match AdminTask::read(&line) {
        Some((task, code)) => {
            let outcome = hub.call(Caller::Operator, acting::call_of(&task, code)).await;
            acting::told(&task, outcome.map(|_| ()))
        }
        None => Err("the server does not know this command: is it of another version?".to_owned()),
    };
    let said = said.map_or_else(|no| format!("refused: {no}\n"), |yes| format!("done: {yes}\n"));
    write.write_all(said.as_bytes()).await
}
