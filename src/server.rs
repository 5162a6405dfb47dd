//! The whole server: opens the database and the port, starts all tasks, accepts connections, and
//! shuts down in order. Called by `main`.
//!
//! Shutdown, in order: the listener is dropped; connections finish their current response, and the
//! core unsubscribes every connection (close 1001); connections end, and with them the hub's
//! handles; the hub ends, and with it the sender of the store; the writer commits the rest and
//! ends. A client that does not take its last frames in time is cut off, which is no failure:
//! everything acknowledged to it is on disk.

mod backups;
mod certificates;
mod dispatch;
mod shell;
mod space;
mod systemd;

use std::future::{pending, poll_fn};
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream as StdTcpStream};
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, LocalSet};

use crate::chat::Role;
use crate::config::Config;
use crate::connection::{Gate, Slot, Slots};
use crate::counts::{self, Asked};
use crate::crypto;
use crate::hub::{Hub, HubHandle, Rounds};
use crate::limits::{
    ACCEPT_PAUSE_MS, BACKLOG, BLOCKING_THREADS_MAX, FILES_BESIDE_CONNECTIONS,
    FILES_BESIDE_CONNECTIONS_MIN, GRACE_MS, MEMORY_LOOK_MS, SEND_BUFFER_BYTES,
};
use crate::log;
use crate::memory::Trimmer;
use crate::protocol::passwords::Passwords;
use crate::protocol::{self, BackupCounts, Counters, Service};
use crate::server::backups::Backups;
use crate::server::dispatch::Dispatcher;
use crate::store::{self, Disk, Health, Measured, Retain, Store};
use crate::time::Time;
use crate::tls::{self, Tls};
use crate::worker::{self, NewConnection};

/// Runs until a signal ends it.
///
/// # Errors
/// One plain line that says why it could not start, or what failed, and what to do.
pub fn run(config: Config) -> Result<(), String> {
    let retain = Retain { days: config.retain_days, messages: config.retain_messages };
    let options = store::Options { path: config.db.clone(), sync: config.sync, retain };
    let tls = certificates(&config)?;
    let store = store::open(&options);
    let store = store.map_err(|error| format!("{}: {error}", config.db.display()))?;
    let config = Config { connections: affordable(config.connections), ..config };
    let runtime = runtime()?;
    let done = LocalSet::new().block_on(&runtime, serve(config, store, tls));
    // Blocking tasks that still hang have had their time.
    runtime.shutdown_timeout(Duration::ZERO);
    done
}

/// The number of connections that the system allows, at most `connections`. Each takes a file
/// descriptor, and many systems allow 1024 unless asked for more. The database's files are
/// reserved.
fn affordable(connections: usize) -> usize {
    let needed = (connections + FILES_BESIDE_CONNECTIONS) as u64;
    match rlimit::increase_nofile_limit(needed) {
        Ok(allowed) if allowed >= needed => connections,
        Ok(allowed) => {
            // With few descriptors, the database reserves fewer.
            let beside = (allowed as usize / 2)
                .clamp(FILES_BESIDE_CONNECTIONS_MIN, FILES_BESIDE_CONNECTIONS);
            let left = (allowed as usize).saturating_sub(beside).max(1);
            log!(
                Warn,
                "the system allows {allowed} open files, which limits the server to {left} \
                 connections at once: for more, set ulimit -n {needed}"
            );
            left
        }
        Err(error) => {
            log!(Warn, "cannot read the limit of open files: {error}");
            connections
        }
    }
}

/// Reads the certificates, if there are any.
fn certificates(config: &Config) -> Result<Option<(Tls, tls::Files)>, String> {
    let files = config.tls_certificates.iter().cloned().zip(config.tls_keys.iter().cloned());
    let pairs: Vec<_> = files.map(|(certificate, key)| tls::Pair { certificate, key }).collect();
    if pairs.is_empty() { Ok(None) } else { tls::load(pairs).map(Some) }
}

fn runtime() -> Result<Runtime, String> {
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_all().max_blocking_threads(BLOCKING_THREADS_MAX);
    builder.build().map_err(|error| format!("the system cannot start an event loop: {error}"))
}

/// All running tasks that are not connections.
struct Tasks {
    handle: HubHandle,
    hub: JoinHandle<()>,
    writer: JoinHandle<()>,
    /// Whether the writer can write.
    health: Health,
    /// Hands connections to the workers.
    dispatcher: Dispatcher<NewConnection>,
    /// Resolves when a worker ends.
    workers: Vec<oneshot::Receiver<()>>,
}

async fn serve(config: Config, store: Store, tls: Option<(Tls, tls::Files)>) -> Result<(), String> {
    let listener = match systemd::socket()? {
        Some(opened) => adopt(opened).map_err(|error| format!("systemd's socket: {error}"))?,
        None => listen(config.listen, "--listen")?,
    };
    let redirects = config.http_redirect.map(|address| listen(address, "--http-redirect"));
    let listeners = (listener, redirects.transpose()?);
    let cannot = |error: io::Error| format!("cannot wait for signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let address = listeners.0.local_addr().map_err(|error| error.to_string())?;
    let slots = Slots::new(config.connections);
    let mut gate = slots.gate();
    let disk = Disk::of(&config.db, config.disk_free_bytes);
    let setup = (!has_owner(&store)).then(crypto::session_key);
    let db = config.db.clone();
    let (measured, disk_seen) = watch::channel(None);
    let (backups, backups_seen) = backups(&config).unzip();
    let mut tasks = start(config, store, &slots, setup.as_deref(), disk_seen, backups_seen);
    let mut watch = space::Watch::new(disk, tasks.handle.log_handle(), measured);
    watch.look().await;
    let watch = tokio::spawn(watch.run());
    let backups = backups.map(|backups| tokio::spawn(backups.run()));
    let trim = tokio::spawn(return_memory());
    let (tls, files) = tls.unzip();
    let operator = tokio::spawn(shell::serve(db, tasks.handle.clone()));
    announce(address, tls.is_some(), setup.as_deref());
    systemd::notify("READY=1");
    let alive = tokio::spawn(systemd::watch(tasks.handle.clone()));

    // The other branches run while accepting waits.
    let failed = tokio::select! {
        () = accept_all(&listeners, tls, &mut gate, &mut tasks.dispatcher) => None,
        () = certificates::watch(files) => None,
        () = asked_to_stop(&mut terminate, &mut interrupt) => None,
        _ = &mut tasks.hub => Some("the hub has failed"),
        () = any_ended(&mut tasks.workers) => Some("a worker has failed"),
        _ = &mut tasks.writer => Some("the writer of the database has failed"),
    };
    if let Some(failure) = failed {
        // Everything acknowledged is on disk; nothing else can be trusted.
        return Err(format!("{failure}: see the log above, and start again"));
    }
    drop(listeners);
    systemd::notify("STOPPING=1");
    // It holds a handle of the hub, which ends when all are gone.
    alive.abort();
    watch.abort();
    operator.abort();
    if let Some(backups) = backups {
        backups.abort();
    }
    trim.abort();
    log!(Info, "stopping");
    let end = tokio::time::timeout(Duration::from_millis(GRACE_MS), stop(tasks));
    tokio::select! {
        ended = end => match ended {
            Ok(done) => done,
            Err(_) => Err("the database did not close in time; does its disk hang?".to_owned()),
        },
        () = asked_to_stop(&mut terminate, &mut interrupt) => {
            Err("stopped at once, as asked twice".to_owned())
        }
    }
}

/// The timed backups, if the settings ask for them, and their counts.
fn backups(config: &Config) -> Option<(Backups, watch::Receiver<BackupCounts>)> {
    let directory = config.backup_dir.clone()?;
    let (counts, seen) = watch::channel(BackupCounts::default());
    let backups = Backups {
        database: config.db.clone(),
        directory,
        every: Duration::from_secs(config.backup_every_secs),
        keep: config.backup_keep,
        disk_free_bytes: config.disk_free_bytes,
        counts,
    };
    Some((backups, seen))
}

/// Starts the store's writer, the hub and the workers. The first worker shares this thread with
/// the hub: on a small box one thread does everything but write to disk.
fn start(
    config: Config,
    store: Store,
    slots: &Slots,
    setup: Option<&str>,
    disk: watch::Receiver<Option<Measured>>,
    backups: Option<watch::Receiver<BackupCounts>>,
) -> Tasks {
    let Store { snapshot, secret, epoch, writer, readers, health, .. } = store;
    let secret = protocol::signing_secret(config.secret_key.as_deref(), &secret);
    let passwords = Passwords::new();
    let (to_writer, from_hub) = store::line();
    let settings = protocol::settings(&config, setup);
    let (hub, handle, rounds) =
        Hub::new(settings, snapshot, to_writer, protocol::codecs(), &epoch, config.workers);
    let log = handle.log_handle();
    let (workers_to_ask, asked): (Vec<_>, Vec<_>) =
        (0..config.workers).map(|_| counts::line()).unzip();
    let counters = Counters {
        workers: workers_to_ask,
        commits: writer.counts(),
        disk,
        backups,
        started: Time::now(),
    };
    let writer = tokio::task::spawn_blocking(move || {
        let run = writer.run(from_hub, |commands| log.answer(commands));
        Handle::current().block_on(run);
    });
    let hub = tokio::spawn(hub.run());
    let (mut dispatcher, mut workers) = (Dispatcher::new(), Vec::new());
    for (index, (rounds, asked)) in rounds.into_iter().zip(asked).enumerate() {
        let new_connections = dispatcher.add();
        let (alive, ended) = oneshot::channel::<()>();
        let (config, secret, passwords) = (config.clone(), secret.clone(), passwords.clone());
        let (hub, readers, epoch) = (handle.clone(), readers.clone(), epoch.clone());
        let health = health.clone();
        let (slots, counters) = (slots.clone(), counters.clone());
        let service = Service { hub, config, secret, passwords, readers, health, epoch, counters };
        if index == 0 {
            let lines = (rounds, asked);
            tokio::task::spawn_local(work(index, service, new_connections, slots, lines, alive));
        } else {
            thread::spawn(move || match runtime() {
                Ok(runtime) => {
                    let lines = (rounds, asked);
                    let work = work(index, service, new_connections, slots, lines, alive);
                    LocalSet::new().block_on(&runtime, work);
                }
                Err(error) => log!(Error, "worker {index}: {error}"),
            });
        }
        workers.push(ended);
    }
    Tasks { handle, hub, writer, health, dispatcher, workers }
}

/// Runs a worker; the receiver of `alive` resolves when the worker ends, even by a panic.
async fn work(
    index: usize,
    service: Service,
    new_connections: mpsc::Receiver<NewConnection>,
    slots: Slots,
    (rounds, asked): (Rounds, Asked),
    alive: oneshot::Sender<()>,
) {
    worker::run(index, service, new_connections, slots, rounds, asked).await;
    drop(alive);
}

/// Waits until a worker ends, which none does before the shutdown.
async fn any_ended(workers: &mut [oneshot::Receiver<()>]) {
    poll_fn(|context| {
        let mut ended = workers.iter_mut().map(|worker| Pin::new(worker).poll(context));
        if ended.any(|poll| poll.is_ready()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// The shutdown, in order. Each part ends when the one before it has dropped its handle.
async fn stop(tasks: Tasks) -> Result<(), String> {
    let Tasks { handle, hub, writer, health, dispatcher, workers } = tasks;
    drop(dispatcher);
    handle.close().await;
    drop(handle);
    hub.await.map_err(|_| "the hub has failed while stopping")?;
    writer.await.map_err(|_| "the writer of the database has failed while stopping")?;
    for ended in workers {
        let _ = ended.await; // The sender is only ever dropped.
    }
    if let Err(what_to_do) = *health.borrow() {
        return Err(format!("stopped, but the last entries could not be written: {what_to_do}"));
    }
    log!(Info, "stopped");
    Ok(())
}

/// Makes a socket that others have opened ours.
fn adopt(opened: std::net::TcpListener) -> io::Result<TcpListener> {
    opened.set_nonblocking(true)?;
    // Inherited by every connection.
    socket2::SockRef::from(&opened).set_send_buffer_size(SEND_BUFFER_BYTES as usize)?;
    TcpListener::from_std(opened)
}

/// Listens; `flag` chose the address.
fn listen(address: SocketAddr, flag: &str) -> Result<TcpListener, String> {
    let opened = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart must not wait until old connections are forgotten.
        socket.set_reuseaddr(true)?;
        // Inherited by every connection.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    opened().map_err(|error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another",
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 need special rights; choose another"
            }
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
            _ => return format!("cannot listen on {address}: {error}"),
        };
        format!("cannot listen on {address}: {why} ({flag})")
    })
}

/// Accepts until it is cancelled.
async fn accept_all(
    listeners: &Listeners,
    tls: Option<Tls>,
    gate: &mut Gate,
    dispatcher: &mut Dispatcher<NewConnection>,
) {
    loop {
        let (stream, slot) = accept(listeners, gate).await;
        dispatcher.hand_over(NewConnection { stream, slot, tls: tls.clone() }).await;
    }
}

/// The listener, and the one whose plain HTTP is redirected to TLS.
type Listeners = (TcpListener, Option<TcpListener>);

/// Takes a slot, then a connection: connections beyond the bound wait in the backlog.
async fn accept(listeners: &Listeners, gate: &mut Gate) -> (StdTcpStream, Slot) {
    let Some(slot) = gate.next().await else {
        return pending().await; // The slots are never closed.
    };
    let mut told = false;
    loop {
        let accepted = match &listeners.1 {
            None => listeners.0.accept().await,
            Some(redirects) => tokio::select! {
                accepted = listeners.0.accept() => accepted,
                accepted = redirects.accept() => accepted,
            },
        };
        match accepted.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => return (stream, slot),
            Err(error) => {
                // Most likely out of memory, or of the system's files: retrying helps once
                // connections end.
                if !std::mem::replace(&mut told, true) {
                    log!(Warn, "cannot accept: {error}");
                }
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
}

/// Returns the memory of bursts to the system, until it is cancelled.
async fn return_memory() {
    let mut trimmer = Trimmer::default();
    loop {
        // The first look comes before the first burst: it measures what cannot be returned.
        let looked = tokio::task::spawn_blocking(move || {
            trimmer.look();
            trimmer
        });
        match looked.await {
            Ok(back) => trimmer = back,
            Err(_) => return, // The runtime ends.
        }
        tokio::time::sleep(Duration::from_millis(MEMORY_LOOK_MS)).await;
    }
}

async fn asked_to_stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Whether somebody owns the server.
fn has_owner(store: &Store) -> bool {
    store.snapshot.accounts.iter().any(|account| account.role == Some(Role::Owner))
}

/// Prints the line with the address for a browser; and a second one, with the way to become the
/// owner, while there is none.
fn announce(mut address: SocketAddr, tls: bool, setup: Option<&str>) {
    let everywhere = address.ip().is_unspecified();
    if everywhere {
        // The unspecified address cannot be opened in a browser; the loopback address can.
        match address {
            SocketAddr::V4(_) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(_) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        }
    }
    let others = if everywhere { " (and at this machine's other addresses)" } else { "" };
    let version = env!("CARGO_PKG_VERSION");
    let mut out = io::stdout().lock();
    // A closed standard output is no error.
    let scheme = if tls { "https" } else { "http" };
    let _ = writeln!(out, "shanty {version} is open: {scheme}://{address}{others}");
    if let Some(token) = setup {
        let link = format!("{scheme}://{address}/#/setup/{token}");
        let _ = writeln!(out, "it has no owner yet: log in, then open {link} (works once)");
    }
    let _ = out.flush();
}
