//! Room passwords: hashed and checked on a thread of their own, one at a time.
//!
//! It must never block the event loop, nor let clients fill the memory or lock others out: each
//! hash takes 7 MiB and some 30 ms of a core. So jobs wait in a fair [`queue`], by address and
//! room, whatever the job and whether or not the password is right; when too many wait, the newest
//! job of the longest lane is refused. Called by the protocols.

mod memory;
mod queue;

use tokio::sync::{mpsc, oneshot, watch};

use crate::chat::{RoomId, Source, Visibility};
use crate::crypto;
use crate::limits::{
    CONNECTIONS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PASSWORD_WAITING_MAX,
};
use memory::Memory;
use queue::{Lane, Queue};

/// The hash of a password that is lost. A password for a room that does not exist is checked
/// against it, so that the response time does not reveal which rooms exist.
pub const NOBODYS_HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$zXF07ougm/3isna/D/ajtA\
    $odcFy3zTtPkzUvuq/0Wf/5wYDK/M3xHipPSw3V3ZtX8";

/// The handle of the thread, which ends with the last clone.
#[derive(Clone)]
pub struct Passwords {
    jobs: mpsc::Sender<Job>,
    /// The length of the thread's queue.
    queued: watch::Receiver<usize>,
}

/// Too many are waiting already; try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

/// Why a room cannot have a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// A public room has none.
    Public,
    /// The password is missing, too short or too long.
    Length,
}

/// Checks that a password fits the room's visibility. `keeps`: the room has a password already.
///
/// # Errors
/// Why it does not fit.
pub fn check_fit(visibility: Visibility, password: Option<&str>, keeps: bool) -> Result<(), Unfit> {
    let public = visibility == Visibility::Public;
    let lengths = PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX;
    match password {
        Some(_) if public => Err(Unfit::Public),
        Some(password) if lengths.contains(&password.chars().count()) => Ok(()),
        None if public || keeps => Ok(()),
        _ => Err(Unfit::Length),
    }
}

/// The origin of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The client's address.
    pub source: Source,
    /// The room to enter or change; `None`: a new room, or one that does not exist.
    pub room: Option<RoomId>,
}

struct Job {
    place: Place,
    work: Work,
}

/// The work, and the channel for its result.
enum Work {
    Hash { password: String, answer: oneshot::Sender<Box<str>> },
    Verify { password: String, hash: Box<str>, answer: oneshot::Sender<bool> },
}

impl Passwords {
    /// Starts the thread.
    ///
    /// # Panics
    /// If the system has no thread left, at the start of everything.
    pub fn new() -> Passwords {
        // A connection has one request at a time, so the channel is never full.
        let (jobs, arriving) = mpsc::channel(CONNECTIONS_MAX);
        let thread = std::thread::Builder::new().name("passwords".to_owned());
        let (queue, queued) = watch::channel(0);
        thread.spawn(move || run(arriving, queue)).expect("a thread for passwords");
        Passwords { jobs, queued }
    }

    /// How many are waiting.
    pub fn waiting(&self) -> usize {
        let arriving = self.jobs.max_capacity() - self.jobs.capacity();
        arriving + *self.queued.borrow()
    }

    /// Hashes a password with a random salt, as a PHC string.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash(&self, place: Place, password: String) -> Result<Box<str>, Busy> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(place, Work::Hash { password, answer })?;
        answered.await.map_err(|_| Busy)
    }

    /// Hashes a password, if there is one.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash_any(
        &self,
        place: Place,
        password: Option<String>,
    ) -> Result<Option<Box<str>>, Busy> {
        match password {
            Some(password) => self.hash(place, password).await.map(Some),
            None => Ok(None),
        }
    }

    /// Hashes a password, unless it matches the hash `before`.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash_new(
        &self,
        place: Place,
        password: Option<String>,
        before: Option<Box<str>>,
    ) -> Result<Option<Box<str>>, Busy> {
        if let Some((password, before)) = password.clone().zip(before)
            && self.verify(place, password, before).await?
        {
            return Ok(None);
        }
        self.hash_any(place, password).await
    }

    /// Whether a password matches a hash.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn verify(
        &self,
        place: Place,
        password: String,
        hash: Box<str>,
    ) -> Result<bool, Busy> {
        let (answer, answered) = oneshot::channel();
        self.enqueue(place, Work::Verify { password, hash, answer })?;
        answered.await.map_err(|_| Busy)
    }

    fn enqueue(&self, place: Place, work: Work) -> Result<(), Busy> {
        self.jobs.try_send(Job { place, work }).map_err(|_| Busy)
    }
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords::new()
    }
}

/// Does one job after the other until all handles are dropped.
fn run(mut arriving: mpsc::Receiver<Job>, queued: watch::Sender<usize>) {
    let (mut queue, mut memory) = (Queue::new(), Memory::default());
    loop {
        while let Ok(job) = arriving.try_recv() {
            take_in(&mut queue, job);
        }
        let next = queue.pop();
        queued.send_replace(queue.len());
        match next {
            Some(work) => work.carry_out(&mut memory),
            None => {
                memory.give_back();
                match arriving.blocking_recv() {
                    Some(job) => take_in(&mut queue, job),
                    None => return,
                }
            }
        }
    }
}

/// Queues a job. When the queue is too long, abandoned jobs go first, then the newest of the
/// longest lane: dropping a job answers `Busy`.
fn take_in(queue: &mut Queue<Work>, Job { place, work }: Job) {
    let lane: Lane = place.room.map_or(0, |room| room.0);
    queue.push(place.source, lane, work);
    if queue.len() > PASSWORD_WAITING_MAX {
        queue.retain(Work::is_wanted);
    }
    while queue.len() > PASSWORD_WAITING_MAX {
        drop(queue.pop_excess());
    }
}

impl Work {
    /// Whether the caller still waits.
    fn is_wanted(&self) -> bool {
        match self {
            Work::Hash { answer, .. } => !answer.is_closed(),
            Work::Verify { answer, .. } => !answer.is_closed(),
        }
    }

    fn carry_out(self, memory: &mut Memory) {
        if !self.is_wanted() {
            return;
        }
        // A caller that is gone gets no answer.
        match self {
            Work::Hash { password, answer } => {
                let hash = memory.hash(&password, &crypto::random());
                // The parameters are constant, the salt is of the recommended length, and a body is
                // too short to hold a password that is too long; a test hashes one.
                let _ = answer.send(hash.expect("valid parameters"));
            }
            Work::Verify { password, hash, answer } => {
                let _ = answer.send(memory.verify(&password, &hash));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    fn place(source: u32, room: u64) -> Place {
        let source = Source::of(Ipv4Addr::from(0x0a00_0000 + source).into());
        Place { source, room: Some(RoomId(room)) }
    }

    #[test]
    fn the_length_of_the_queue_is_known() {
        let passwords = Passwords::new();
        block_on(async {
            let place = Place { source: Source::of(Ipv4Addr::LOCALHOST.into()), room: None };
            let hashing = |passwords: Passwords| async move {
                passwords.hash(place, "land in sight".to_owned()).await
            };
            let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(hashing(passwords.clone()))).collect();
            tokio::task::yield_now().await;
            assert!(passwords.waiting() >= 2, "one or two are at work or done");
            for task in tasks {
                assert!(task.await.expect("a task").is_ok());
            }
            assert_eq!(passwords.waiting(), 0);
        });
    }

    #[test]
    fn a_password_matches_its_own_hash_only() {
        block_on(async {
            let (passwords, here) = (Passwords::new(), place(1, 1));
            let hash = passwords.hash(here, "correct horse".into()).await.expect("nobody waits");
            assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
            let again = passwords.hash(here, "correct horse".into()).await.expect("nobody waits");
            assert_ne!(hash, again, "each hash has a salt of its own");
            for (password, hash, opens) in [
                ("correct horse", &*hash, true),
                ("Correct horse", &*hash, false),
                ("", &*hash, false),
                ("correct horse", "", false),
                ("correct horse", "$argon2id$v=19$m=7168,t=5,p=1$", false),
            ] {
                let verified = passwords.verify(here, password.into(), hash.into()).await;
                assert_eq!(verified, Ok(opens), "{password:?} {hash:?}");
            }
        });
    }

    /// A job whose answer shows when it was done: those done later are not answered yet.
    fn job(place: Place) -> (Job, oneshot::Receiver<bool>) {
        let (answer, answered) = oneshot::channel();
        let (password, hash) = (String::new(), Box::from(""));
        (Job { place, work: Work::Verify { password, hash, answer } }, answered)
    }

    #[test]
    fn one_password_is_not_locked_out_by_thousands() {
        let mut queue = Queue::new();
        let mut crowd: Vec<_> = (0..3 * PASSWORD_WAITING_MAX)
            .map(|_| {
                let (job, answered) = job(place(1, 1));
                take_in(&mut queue, job);
                answered
            })
            .collect();
        assert_eq!(queue.len(), PASSWORD_WAITING_MAX);
        let (late, mut answered) = job(place(2, 1));
        take_in(&mut queue, late);
        let (same_address, mut answered_too) = job(place(1, 2));
        take_in(&mut queue, same_address);
        assert_eq!(queue.len(), PASSWORD_WAITING_MAX);
        for _ in 0..3 {
            queue.pop().expect("somebody waits").carry_out(&mut Memory::default());
        }
        assert_eq!((answered.try_recv(), answered_too.try_recv()), (Ok(false), Ok(false)));
        // The first of the crowd were served first, and the newest were refused.
        assert_eq!(crowd[0].try_recv(), Ok(false));
        let closed = Err(oneshot::error::TryRecvError::Closed);
        assert_eq!(crowd[3 * PASSWORD_WAITING_MAX - 1].try_recv(), closed);
        let waits = Err(oneshot::error::TryRecvError::Empty);
        assert_eq!(crowd[1].try_recv(), waits);
    }

    #[test]
    fn abandoned_jobs_delay_no_other() {
        let mut queue = Queue::new();
        for _ in 0..PASSWORD_WAITING_MAX {
            let (job, _) = job(place(1, 1));
            take_in(&mut queue, job);
        }
        let (job, mut answered) = job(place(1, 1));
        take_in(&mut queue, job);
        assert_eq!(queue.len(), 1);
        queue.pop().expect("the last").carry_out(&mut Memory::default());
        assert_eq!(answered.try_recv(), Ok(false));
    }

    #[test]
    fn the_thread_ends_with_its_last_handle() {
        let passwords = Passwords::new();
        let jobs = passwords.jobs.downgrade();
        drop(passwords);
        assert!(jobs.upgrade().is_none());
    }

    /// A check takes as long as with any other hash: this one was made in the same way.
    #[test]
    fn the_lost_passwords_hash_costs_as_much_as_any() {
        block_on(async {
            let passwords = Passwords::new();
            let password = crypto::hex(&crypto::random::<32>());
            let hash = passwords.hash(place(1, 1), password.clone()).await.expect("a hash");
            let costs = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(costs(NOBODYS_HASH), costs(&hash));
            assert_eq!(NOBODYS_HASH.len(), hash.len());
            let verified = passwords.verify(place(1, 1), password, NOBODYS_HASH.into()).await;
            assert_eq!(verified, Ok(false));
        });
    }
}
