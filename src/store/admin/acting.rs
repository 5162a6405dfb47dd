//! `shanty admin`: what the operator does at the shell. A running server is asked over its socket
//! beside the database, which only the server's own user can open. Without a server the command
//! opens the database itself: the same core decides, and the same log has the entry.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::chat::{
    Answer, Call, CallId, Caller, Chat, Command, Effect, Refusal, Role, RoomId, Settings, Source,
    call,
};
use crate::config::{AdminTask, AdminWhat};
use crate::crypto::{self, KeyHash};
use crate::limits::SESSION_TTL_SECS;
use crate::limits::in_charge::{
    OPERATOR_DEADLINE_MS, OPERATOR_LINE_BYTES_MAX, OPERATOR_PATIENCE_MS,
};
use crate::qr;
use crate::store::admin::{at, missing, plain};
use crate::store::{self, Job, OpenError, Writer};
use crate::time::Time;

/// How long a command waits for the socket of a server that starts.
const PATIENCE: Duration = Duration::from_millis(OPERATOR_PATIENCE_MS);

/// The socket of the server that has this database open.
///
/// # Errors
/// If there is no such file.
pub fn socket(db: &Path) -> io::Result<PathBuf> {
    let mut name = OsString::from(fs::canonicalize(db)?);
    name.push(".sock");
    Ok(PathBuf::from(name))
}

/// What a command asks of the core. `code`: the hash of the code in the link that it prints.
pub fn call_of(task: &AdminTask, code: KeyHash) -> Call {
    match task {
        AdminTask::Role { what, name } => {
            let role = match what {
                AdminWhat::MakeOwner => Some(Role::Owner),
                AdminWhat::MakeAdmin => Some(Role::Administrator),
                AdminWhat::Revoke => None,
            };
            call::ChangeRole { name: name.as_str().into(), role, reason: None }.into()
        }
        AdminTask::Recover { name } => {
            call::MakeRecovery { name: name.as_str().into(), code, reason: None }.into()
        }
        AdminTask::Invite { uses, days, room } => {
            let (room, secs) = (room.map(RoomId), days * 24 * 3_600);
            call::Invite { code, room, uses: *uses, secs, reason: None }.into()
        }
    }
}

/// The outcome, for the operator.
///
/// # Errors
/// What is wrong, and what to do.
pub fn told(task: &AdminTask, outcome: Result<(), Refusal>) -> Result<String, String> {
    let name = match task {
        AdminTask::Role { name, .. } | AdminTask::Recover { name } => name.as_str(),
        AdminTask::Invite { .. } => "",
    };
    match (outcome, task) {
        (Ok(()), AdminTask::Role { what: AdminWhat::MakeOwner, .. }) => {
            Ok(format!("{name} is an owner of the server"))
        }
        (Ok(()), AdminTask::Role { what: AdminWhat::MakeAdmin, .. }) => {
            Ok(format!("{name} is an administrator"))
        }
        (Ok(()), AdminTask::Role { what: AdminWhat::Revoke, .. }) => {
            Ok(format!("{name} has no role"))
        }
        (Ok(()), AdminTask::Recover { .. }) => {
            Ok(format!("{name} gets a new key by this link, once, within a day:"))
        }
        (Ok(()), AdminTask::Invite { uses: 1, days, .. }) => {
            Ok(format!("one person can come by this invitation, for {days} days:"))
        }
        (Ok(()), AdminTask::Invite { uses, days, .. }) => {
            Ok(format!("{uses} people can come by this invitation, for {days} days:"))
        }
        (Err(Refusal::PersonNotFound), _) => {
            Err(format!("no account is named {name}: check the spelling, or register it first"))
        }
        (Err(Refusal::RoomNotFound | Refusal::Forbidden), AdminTask::Invite { .. }) => {
            Err("there is no such room that people could join: see GET /api/v1/rooms".to_owned())
        }
        (Err(Refusal::QuotaReached | Refusal::Full), AdminTask::Invite { .. }) => {
            Err("there are too many invitations: end some of them first".to_owned())
        }
        (Err(Refusal::NotForGuests), AdminTask::Recover { .. }) => {
            Err(format!("{name} is a guest: only a registered account has a key"))
        }
        (Err(Refusal::NotForGuests), _) => {
            Err(format!("{name} is a guest: only a registered account can have a role"))
        }
        (Err(Refusal::Banned), _) => Err(format!("{name} is banned: lift the ban first")),
        (Err(_), _) => Err("this cannot be saved now: try again".to_owned()),
    }
}

/// Carries out a command. `page`: the address of the page, for the link that it prints.
pub(super) fn act(db: &Path, task: &AdminTask, page: &str) -> Result<String, String> {
    // Only here is the code; the server, the log and the database have its hash.
    let code = crypto::session_key();
    let said = decide_or_ask(db, task, crypto::hash(&code))?;
    let place = match task {
        AdminTask::Role { .. } => return Ok(said),
        AdminTask::Recover { .. } => "recover",
        AdminTask::Invite { .. } => "invite",
    };
    let link = format!("{page}#/{place}/{code}");
    let picture = qr::half_blocks(&link).unwrap_or_default();
    let here = page.starts_with("http://localhost") || page.starts_with("https://localhost");
    let hint =
        if here { "(for this machine only: --url says where others open the page)\n" } else { "" };
    Ok(format!("{said}\n{link}\n{hint}\n{}", picture.trim_end_matches('\n')))
}

fn decide_or_ask(db: &Path, task: &AdminTask, code: KeyHash) -> Result<String, String> {
    let start = Instant::now();
    let store = loop {
        if let Some(said) = ask_server(db, &task.line(&code)).map_err(at(db))? {
            return said;
        }
        fs::metadata(db).map_err(|error| at(db)(missing(error)))?;
        match store::open(&plain(db)) {
            // A server opens its socket after the database.
            Err(OpenError::InUse) if start.elapsed() < PATIENCE => thread::sleep(PATIENCE / 10),
            Err(OpenError::InUse) => {
                let says = "a server has it open, but does not answer at its socket: stop it first";
                return Err(format!("{}: {says}", db.display()));
            }
            opened => break opened.map_err(at(db))?,
        }
    };
    let (mut writer, settings) = (store.writer, Settings::new(SESSION_TTL_SECS, false));
    let mut chat = Chat::new(settings, store.snapshot);
    let outcome = decide(&mut chat, &mut writer, call_of(task, code));
    writer.close();
    told(task, outcome.map(|_| ()))
}

/// Asks the server that runs. `None`: none does.
fn ask_server(db: &Path, line: &str) -> Result<Option<Result<String, String>>, OpenError> {
    let Ok(socket) = socket(db) else { return Ok(None) };
    let mut server = match UnixStream::connect(&socket) {
        Ok(server) => server,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let says = "the server runs as another user: run this command as that user";
            return Err(OpenError::Other(says.to_owned()));
        }
        Err(_) => return Ok(None), // A socket that is left over, or none.
    };
    let deadline = Some(Duration::from_millis(OPERATOR_DEADLINE_MS));
    server.set_read_timeout(deadline)?;
    server.write_all(line.as_bytes())?;
    let mut said = String::new();
    server.take(OPERATOR_LINE_BYTES_MAX as u64).read_to_string(&mut said)?;
    Ok(match said.strip_suffix('\n').and_then(|said| said.split_once(": ")) {
        Some(("done", said)) => Some(Ok(said.to_owned())),
        Some(("refused", said)) => Some(Err(said.to_owned())),
        _ => None, // It has stopped meanwhile.
    })
}

/// Has a core decide about a call of the operator, with the log right behind it.
fn decide(chat: &mut Chat, writer: &mut Writer, call: Call) -> Result<Answer, Refusal> {
    let (id, mut effects) = (CallId(1), Vec::new());
    let (source, caller) = (Source::Own, Caller::Operator);
    chat.handle(Time::now(), Command::Call { id, source, caller, call }, &mut effects);
    loop {
        let mut batch = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Answer { answer, .. } => return answer,
                Effect::Propose { ticket, time, entry } => {
                    batch.push(Job::Entry { ticket, time, entry });
                }
                _ => {}
            }
        }
        if batch.is_empty() {
            return Err(Refusal::Unavailable);
        }
        for answer in writer.commit(batch) {
            chat.handle(Time::now(), answer, &mut effects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{Scratch, account_made, put};

    fn task(what: AdminWhat, name: &str) -> AdminTask {
        AdminTask::Role { what, name: name.to_owned() }
    }

    fn act(db: &Path, task: &AdminTask) -> Result<String, String> {
        super::act(db, task, "https://chat.example.org/")
    }

    #[test]
    fn without_a_server_the_command_appends_to_the_log_itself() {
        let scratch = Scratch::new();
        let file = scratch.file();
        let there = act(&file, &task(AdminWhat::MakeOwner, "Ann")).expect_err("no database");
        assert!(there.contains("no such file"), "{there}");
        assert!(!file.exists(), "a wrong name makes no database");
        let mut store = scratch.open();
        put(&mut store.writer, account_made(1, "Ann", "a"));
        let used = act(&file, &task(AdminWhat::MakeOwner, "Ann")).expect_err("it is in use");
        assert!(used.contains("stop it first"), "{used}");
        drop(store);
        let role = || scratch.open().snapshot.accounts[0].role;
        for (what, expected) in [
            (AdminWhat::MakeOwner, Some(Role::Owner)),
            (AdminWhat::MakeAdmin, Some(Role::Administrator)),
            (AdminWhat::Revoke, None),
            (AdminWhat::Revoke, None),
        ] {
            act(&file, &task(what, "ann")).expect("it is done");
            assert_eq!(role(), expected);
        }
        let unknown = act(&file, &task(AdminWhat::Revoke, "Bob")).expect_err("nobody");
        assert!(unknown.contains("no account is named Bob"), "{unknown}");
        // What changes nothing is no entry.
        assert_eq!(scratch.open().last_seq.0, 5);
        crate::store::admin::sound(&file).expect("a sound database");
    }
}
