//! The list of rooms, each with all its present users. The core gives the rooms and the users of
//! each room page by page.

use crate::chat::{Caller, Refusal, RoomId, RoomInfo, call};
use crate::hub::HubHandle;
use crate::protocol::chitchat::json::{RoomJson, User};
use crate::protocol::lists::{Items, Listed, More};

/// The list of rooms in progress: each piece is made when the client has read the one before.
pub(super) struct List {
    hub: HubHandle,
    /// The last written room.
    after: RoomId,
    /// `Some`: the JSON of that room is open, and its next users arrived after this arrival.
    people: Option<u64>,
}

impl List {
    pub fn new(hub: HubHandle) -> List {
        List { hub, after: RoomId(0), people: None }
    }

    /// Writes the next page of the open room's users.
    async fn continue_room(&mut self, after: u64, items: &mut Items) {
        let page = self.hub.call(Caller::Nobody, call::Present { room: self.after, after }).await;
        let page = page.unwrap_or_default(); // The room may have been deleted meanwhile.
        for person in &page.items {
            items.raw(b",");
            items.item(&User::from(person));
        }
        self.people = page.next;
        if page.next.is_none() {
            items.raw(PEOPLE_END);
        }
    }

    async fn page(&mut self, items: &mut Items) -> Result<bool, Refusal> {
        if let Some(after) = self.people {
            self.continue_room(after, items).await;
            return Ok(true);
        }
        let call = call::Rooms { mine: false, after: self.after };
        let page = self.hub.call(Caller::Nobody, call).await?;
        for info in page.items {
            (self.after, self.people) = (info.id, info.more);
            items.push(&RoomJson::from(&info));
        }
        if self.people.is_some() {
            reopen(items); // A room with more users is the last of its page.
        }
        Ok(page.next.is_some() || self.people.is_some())
    }
}

/// The end of a room's JSON, whose last field is the list of users.
const PEOPLE_END: &[u8] = b"]}";

impl Listed for List {
    fn next<'a>(&'a mut self, items: &'a mut Items) -> More<'a> {
        Box::pin(self.page(items))
    }
}

/// Removes the end of the last written room, so that more users can follow.
fn reopen(items: &mut Items) {
    assert!(items.json.ends_with(PEOPLE_END), "a room ends with its people");
    items.json.truncate(items.json.len() - PEOPLE_END.len());
}

/// Adds the other present users of a room to the first page that `info` has. If the room is
/// deleted meanwhile, no more users follow.
pub(super) async fn complete(hub: &HubHandle, caller: &Caller, info: &mut RoomInfo) {
    while let Some(after) = info.more {
        let page = hub.call(caller.clone(), call::Present { room: info.id, after }).await;
        let page = page.unwrap_or_default();
        info.present.extend(page.items);
        info.more = page.next;
    }
}
