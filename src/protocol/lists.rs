//! Long lists, gathered: the core answers a page at a time, so that no list holds up everybody
//! else. Between two pages the world moves on; a list is of no one moment. Called by the protocols.

use std::collections::HashSet;

use crate::chat::{
    AccountId, Answer, Ask, Caller, Followed, Member, Place, Present, Refusal, RoomId, RoomInfo,
};
use crate::hub::HubHandle;

/// All rooms that are not hidden; with `mine`, and those of the caller, but without the people.
pub(super) async fn rooms(
    hub: &HubHandle,
    caller: &Caller,
    mine: bool,
) -> Result<Vec<RoomInfo>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        match hub.ask(caller.clone(), Ask::Rooms { mine, after }).await? {
            Answer::Rooms { rooms, next } => {
                all.extend(rooms);
                let Some(next) = next else { return Ok(all) };
                after = next;
            }
            _ => unreachable!("rooms are answered with rooms"),
        }
    }
}

/// The rooms whose messages the caller may read.
pub(super) async fn readable(hub: &HubHandle, caller: &Caller) -> Result<Vec<RoomId>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        match hub.ask(caller.clone(), Ask::Readable { after }).await? {
            Answer::Readable { rooms, next } => {
                all.extend(rooms);
                let Some(next) = next else { return Ok(all) };
                after = next;
            }
            _ => unreachable!("what is readable is answered with rooms"),
        }
    }
}

/// How far the caller has read their rooms.
pub(super) async fn marks(hub: &HubHandle, caller: &Caller) -> Result<Vec<Followed>, Refusal> {
    let (mut all, mut after) = (Vec::new(), RoomId(0));
    loop {
        match hub.ask(caller.clone(), Ask::Marks { after }).await? {
            Answer::Marks { rooms, next } => {
                all.extend(rooms);
                let Some(next) = next else { return Ok(all) };
                after = next;
            }
            _ => unreachable!("marks are answered with marks"),
        }
    }
}

/// Who is present in a room and arrived after that.
pub(super) async fn present(
    hub: &HubHandle,
    caller: &Caller,
    room: RoomId,
    mut after: u64,
) -> Result<Vec<Present>, Refusal> {
    let mut all = Vec::new();
    loop {
        match hub.ask(caller.clone(), Ask::Present { room, after }).await? {
            Answer::Present { present, next } => {
                all.extend(present);
                let Some(next) = next else { return Ok(all) };
                after = next;
            }
            _ => unreachable!("who is present is answered with a list"),
        }
    }
}

/// Who belongs to a room, and who is present in it.
pub(super) async fn members(
    hub: &HubHandle,
    caller: &Caller,
    room: RoomId,
) -> Result<Vec<Member>, Refusal> {
    let (mut all, mut after) = (Vec::new(), Place::Present(0));
    // Who left meanwhile comes again, as away.
    let mut here: HashSet<AccountId> = HashSet::new();
    loop {
        match hub.ask(caller.clone(), Ask::Members { room, after }).await? {
            Answer::Members { members, next } => {
                let known = |one: &Member| one.author.account.is_some_and(|id| here.contains(&id));
                let fresh: Vec<Member> = members.into_iter().filter(|one| !known(one)).collect();
                let online = fresh.iter().filter(|one| one.online);
                here.extend(online.filter_map(|one| one.author.account));
                all.extend(fresh);
                let Some(next) = next else { return Ok(all) };
                after = next;
            }
            _ => unreachable!("members are answered with members"),
        }
    }
}

/// The rest of those who are present in a room, of whom an answer has only the first. A room that
/// has gone meanwhile has nobody more.
pub(super) async fn complete(hub: &HubHandle, caller: &Caller, info: &mut RoomInfo) {
    if let Some(after) = info.more.take()
        && let Ok(rest) = present(hub, caller, info.id, after).await
    {
        info.present.extend(rest);
    }
}
