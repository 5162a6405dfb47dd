//! Room passwords: hashed and checked on threads of their own, a few at a time.
//!
//! It must never block the event loop, nor let strangers fill the memory: each hash takes 7 MiB and
//! some 30 ms of a core, so a gate lets in a few and turns away the rest. Called by the protocols.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::crypto;
use crate::limits::{PASSWORD_RUNNING_MAX, PASSWORD_WAITING_MAX};

/// The hash of a password that nobody knows any more: it is checked where there is no room, so that
/// the time that an answer takes does not tell which rooms there are.
pub const NOBODYS_HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$zXF07ougm/3isna/D/ajtA\
    $odcFy3zTtPkzUvuq/0Wf/5wYDK/M3xHipPSw3V3ZtX8";

/// The gate. Its clones share it.
#[derive(Clone)]
pub struct Passwords {
    /// One permit for each that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each that runs.
    running: Arc<Semaphore>,
}

/// Too many are waiting already; try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Busy;

impl Passwords {
    /// A gate that nobody has passed yet.
    pub fn new() -> Passwords {
        Passwords {
            admitted: Arc::new(Semaphore::new(PASSWORD_RUNNING_MAX + PASSWORD_WAITING_MAX)),
            running: Arc::new(Semaphore::new(PASSWORD_RUNNING_MAX)),
        }
    }

    /// The hash of a password, with a salt of its own, as a PHC string.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash(&self, password: String) -> Result<Box<str>, Busy> {
        self.run(move || {
            let salt = crypto::random::<16>();
            let hash = argon2id().hash_password_with_salt(password.as_bytes(), &salt);
            // The parameters are constant, the salt is of the recommended length, and a body is too
            // short to hold a password that is too long; a test hashes one.
            hash.expect("valid parameters").to_string().into()
        })
        .await
    }

    /// The hash of a password, where there is one.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash_any(&self, password: Option<String>) -> Result<Option<Box<str>>, Busy> {
        match password {
            Some(password) => self.hash(password).await.map(Some),
            None => Ok(None),
        }
    }

    /// The hash of a password, where there is one, and it is not the one that was hashed before.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn hash_new(
        &self,
        password: Option<String>,
        before: Option<Box<str>>,
    ) -> Result<Option<Box<str>>, Busy> {
        if let Some((password, before)) = password.clone().zip(before)
            && self.verify(password, before).await?
        {
            return Ok(None);
        }
        self.hash_any(password).await
    }

    /// Whether a password is the one that was hashed.
    ///
    /// # Errors
    /// When too many are waiting.
    pub async fn verify(&self, password: String, hash: Box<str>) -> Result<bool, Busy> {
        // The hash brings its own parameters, so that ours can be changed. One that cannot be read
        // opens nothing.
        self.run(move || argon2id().verify_password(password.as_bytes(), &*hash).is_ok()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| Busy)?;
        let running = self.running.clone().acquire_owned().await.map_err(|_| Busy)?;
        // The work keeps its permits to its end, also when whoever asked has hung up.
        let work = tokio::task::spawn_blocking(move || {
            let _held = (admitted, running);
            work()
        });
        work.await.map_err(|_| Busy) // The runtime is shutting down.
    }
}

impl Default for Passwords {
    fn default() -> Passwords {
        Passwords::new()
    }
}

/// Argon2id with 7 MiB, 5 passes and one lane: the choice of least memory in OWASP's "Password
/// Storage Cheat Sheet", for small machines.
fn argon2id() -> Argon2<'static> {
    let params = Params::new(7 * 1024, 5, 1, None).expect("constants; a test uses them");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    #[test]
    fn a_password_opens_what_it_was_hashed_for() {
        block_on(async {
            let passwords = Passwords::new();
            let hash = passwords.hash("correct horse".into()).await.expect("nobody waits");
            assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"), "{hash}");
            let again = passwords.hash("correct horse".into()).await.expect("nobody waits");
            assert_ne!(hash, again, "each hash has a salt of its own");
            for (password, hash, opens) in [
                ("correct horse", &*hash, true),
                ("Correct horse", &*hash, false),
                ("", &*hash, false),
                ("correct horse", "", false),
                ("correct horse", "$argon2id$v=19$m=7168,t=5,p=1$", false),
            ] {
                let verified = passwords.verify(password.into(), hash.into()).await;
                assert_eq!(verified, Ok(opens), "{password:?} {hash:?}");
            }
        });
    }

    #[test]
    fn the_gate_lets_in_a_few_and_turns_away_the_rest() {
        block_on(async {
            let passwords = Passwords::new();
            const ALL: usize = 3 * (PASSWORD_RUNNING_MAX + PASSWORD_WAITING_MAX);
            let count = || Arc::new(AtomicUsize::new(0));
            let (came, running, peak) = (count(), count(), count());
            let mut asked = tokio::task::JoinSet::new();
            for _ in 0..ALL {
                let (passwords, came) = (passwords.clone(), came.clone());
                let (running, peak) = (running.clone(), peak.clone());
                asked.spawn(async move {
                    came.fetch_add(1, SeqCst);
                    let work = move || {
                        peak.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                        // Nobody is done before all have come.
                        while came.load(SeqCst) < ALL {
                            std::thread::yield_now();
                        }
                        std::thread::sleep(Duration::from_millis(5));
                        running.fetch_sub(1, SeqCst);
                    };
                    passwords.run(work).await
                });
            }
            let mut served = 0;
            while let Some(outcome) = asked.join_next().await {
                served += usize::from(outcome.expect("no panic").is_ok());
            }
            assert_eq!(served, PASSWORD_RUNNING_MAX + PASSWORD_WAITING_MAX);
            assert_eq!(peak.load(SeqCst), PASSWORD_RUNNING_MAX);
            assert_eq!(passwords.verify("a".into(), "b".into()).await, Ok(false), "free again");
        });
    }

    /// It takes as long as any: it was made as they are, of what nobody knows.
    #[test]
    fn the_hash_of_nobody_costs_as_much_as_any() {
        block_on(async {
            let passwords = Passwords::new();
            let password = crypto::hex(&crypto::random::<32>());
            let hash = passwords.hash(password.clone()).await.expect("a hash");
            let costs = |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(costs(NOBODYS_HASH), costs(&hash));
            assert_eq!(NOBODYS_HASH.len(), hash.len());
            let verified = passwords.verify(password, NOBODYS_HASH.into()).await;
            assert_eq!(verified, Ok(false));
        });
    }
}
