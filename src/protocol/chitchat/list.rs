//! The list of rooms, in which each room has all who are present in it. Both come from the core in
//! pages.

use crate::chat::{Caller, Refusal, RoomId, RoomInfo, call};
use crate::hub::HubHandle;
use crate::protocol::chitchat::json::{Room, User};
use crate::protocol::lists::{Items, Listed, More};

/// The list of rooms, as it is made while it is read.
pub(super) struct List {
    hub: HubHandle,
    /// The last room that was written.
    after: RoomId,
    /// After which arrival the rest of those who are present in that one begins: it is open.
    people: Option<u64>,
}

impl List {
    pub fn new(hub: HubHandle) -> List {
        List { hub, after: RoomId(0), people: None }
    }

    /// Goes on with those who are present in a room that has more of them than an answer.
    async fn go_on(&mut self, after: u64, items: &mut Items) {
        let page = self.hub.call(Caller::Nobody, call::Present { room: self.after, after }).await;
        let page = page.unwrap_or_default(); // The room may have gone meanwhile.
        for one in &page.items {
            items.raw(b",");
            items.item(&User::from(one));
        }
        self.people = page.next;
        if page.next.is_none() {
            items.raw(PEOPLE_END);
        }
    }

    async fn page(&mut self, items: &mut Items) -> Result<bool, Refusal> {
        if let Some(after) = self.people {
            self.go_on(after, items).await;
            return Ok(true);
        }
        let call = call::Rooms { mine: false, after: self.after };
        let page = self.hub.call(Caller::Nobody, call).await?;
        for info in page.items {
            (self.after, self.people) = (info.id, info.more);
            items.push(&Room::from(&info));
        }
        if self.people.is_some() {
            reopen(items); // It is the last of its page.
        }
        Ok(page.next.is_some() || self.people.is_some())
    }
}

/// What a room's JSON ends with: those who are present are its last field.
const PEOPLE_END: &[u8] = b"]}";

impl Listed for List {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(self.page(items))
    }
}

/// Takes away the end of the room that was written last, so that its people can go on.
fn reopen(items: &mut Items) {
    assert!(items.json.ends_with(PEOPLE_END), "a room ends with its people");
    items.json.truncate(items.json.len() - PEOPLE_END.len());
}

/// The rest of those who are present in a room, of whom an answer has only the first. A room that
/// has gone meanwhile has nobody more.
pub(super) async fn complete(hub: &HubHandle, caller: &Caller, info: &mut RoomInfo) {
    while let Some(after) = info.more {
        let page = hub.call(caller.clone(), call::Present { room: info.id, after }).await;
        let page = page.unwrap_or_default();
        info.present.extend(page.items);
        info.more = page.next;
    }
}
