//! *May this member see this entry?* The question of `sight`, asked of what is read back from the
//! log: for a stream that has missed something, after the core has long applied it.
//!
//! What counts are the memberships of the moment in which the log is read. An entry belongs to a
//! member's stream if the member has been in the room since before it; who has been put out or has
//! left is told that, and nothing more of that room.

use std::collections::HashMap;

use crate::chat::types::{AccountId, RoomId, Seq};
use crate::chat::vocabulary::{Entry, MembershipMarks};

/// What one member may see of the log.
pub struct MemberView {
    account: AccountId,
    only: Option<Vec<RoomId>>,
    /// The rooms to which the member belongs.
    rooms: HashMap<RoomId, MembershipMarks>,
    /// The rooms to which the member ceased to belong, by the entry that did it.
    lost: HashMap<Seq, RoomId>,
}

/// What a member is told of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// The entry itself.
    Entry,
    /// The room as it is now: it is new to the member, or has changed.
    Room(RoomId),
    /// The member does not belong to this room any more.
    Gone(RoomId),
}

impl MemberView {
    /// `only`: the rooms that the stream is about, where it is not about all. `memberships`: those
    /// of now. `lost`: the rooms that the member lost, by the entries that are to be judged.
    pub fn new(
        account: AccountId,
        only: Option<Vec<RoomId>>,
        memberships: impl IntoIterator<Item = MembershipMarks>,
        lost: impl IntoIterator<Item = (Seq, RoomId)>,
    ) -> MemberView {
        let (rooms, lost) = (HashMap::new(), lost.into_iter().collect());
        let mut view = MemberView { account, only, rooms, lost };
        for marks in memberships {
            if view.wants(marks.room) {
                view.rooms.insert(marks.room, marks);
            }
        }
        view
    }

    /// Whether the stream is about a room.
    pub fn wants(&self, room: RoomId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&room))
    }

    /// Whether the member has been in a room since before an entry.
    pub fn sees(&self, room: RoomId, seq: Seq) -> bool {
        self.rooms.get(&room).is_some_and(|marks| marks.since < seq)
    }

    /// Whether the member is told of an entry that changes a message: who may not see the message
    /// does not learn its new text either.
    pub fn sees_change(&self, room: RoomId, seq: Seq, target: Seq) -> bool {
        let seen = |marks: &MembershipMarks| marks.since < seq && marks.horizon < target;
        self.rooms.get(&room).is_some_and(seen)
    }

    /// What the member is told of an entry; `None`: nothing.
    pub fn shown(&self, entry: &Entry, seq: Seq) -> Option<Shown> {
        if let Some(room) = self.shown_room(entry, seq) {
            return Some(Shown::Room(room));
        }
        // Who was never in a room, or had left before, does not learn that it was there.
        if let Some(room) = self.lost.get(&seq).filter(|room| self.wants(**room)) {
            return Some(Shown::Gone(*room));
        }
        match entry {
            Entry::Said { room, .. } | Entry::MemberChanged { room, .. } => {
                self.sees(*room, seq).then_some(Shown::Entry)
            }
            Entry::Edited { room, target, .. }
            | Entry::Deleted { room, target, .. }
            | Entry::Reacted { room, target, .. } => {
                self.sees_change(*room, seq, *target).then_some(Shown::Entry)
            }
            _ => None,
        }
    }

    /// The room that an entry tells of as it is now.
    fn shown_room(&self, entry: &Entry, seq: Seq) -> Option<RoomId> {
        let begun = |room: RoomId| {
            let marks = self.rooms.get(&room)?;
            (marks.since == seq).then_some(room)
        };
        match entry {
            Entry::RoomMade { room, .. }
            | Entry::RoomReturned { room, .. }
            | Entry::DirectMade { room, .. } => begun(*room),
            Entry::MemberChanged { room, account, member: true, .. }
                if *account == self.account =>
            {
                begun(*room)
            }
            Entry::RoomChanged { room, .. } => self.sees(*room, seq).then_some(*room),
            _ => None,
        }
    }
}

/// Whether the members of a room hear that somebody came or went. Who hides a room for two tells
/// nobody; and who belonged to a room no more did not go. `was`: the account belonged to the room
/// before.
pub fn is_member_change_told(for_two: bool, was: bool, is: bool) -> bool {
    !for_two && (is || was)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::types::{Author, Emoji, Name, Title, Visibility};
    use crate::chat::vocabulary::RoomSettings;

    const ME: AccountId = AccountId(7);
    const OTHER: AccountId = AccountId(8);

    /// In room 1 since entry 10, in room 2 since entry 20; lost room 3 by entry 30.
    fn view(only: Option<Vec<RoomId>>) -> MemberView {
        let marks_of = |room, since| {
            let (room, since) = (RoomId(room), Seq(since));
            MembershipMarks { room, since, read: Seq(0), horizon: Seq(0) }
        };
        let lost = [(Seq(30), RoomId(3))];
        MemberView::new(ME, only, [marks_of(1, 10), marks_of(2, 20)], lost)
    }

    fn said(room: u64) -> Entry {
        Entry::Deleted { room: RoomId(room), target: Seq(1), by: by(), as_owner: false }
    }

    fn by() -> Author {
        Author { account: Some(OTHER), name: Name::new("Bo").expect("a name") }
    }

    fn membership(room: u64, account: AccountId, member: bool) -> Entry {
        let (room, expelled, with) = (RoomId(room), false, None);
        Entry::MemberChanged { room, account, member, expelled, with }
    }

    fn room_settings() -> RoomSettings {
        let title = Title::new("the den").expect("a title");
        let (description, visibility) = (Default::default(), Visibility::Public);
        RoomSettings { title, description, visibility, password: None }
    }

    fn changed(room: u64) -> Entry {
        let (room, settings, generation, link) = (RoomId(room), room_settings(), 0, None);
        Entry::RoomChanged { room, settings, generation, link, keep_members: true }
    }

    #[track_caller]
    fn check(entry: &Entry, seq: u64, expected: Option<Shown>) {
        assert_eq!(view(None).shown(entry, Seq(seq)), expected, "{entry:?} at {seq}");
    }

    #[test]
    fn what_was_before_a_member_came_is_not_theirs() {
        for seq in [1, 9, 10] {
            check(&said(1), seq, None);
            check(&changed(1), seq, None);
            check(&membership(1, OTHER, true), seq, None);
        }
        check(&said(1), 11, Some(Shown::Entry));
        check(&changed(1), 11, Some(Shown::Room(RoomId(1))));
        check(&membership(1, OTHER, true), 11, Some(Shown::Entry));
        check(&membership(1, OTHER, false), 11, Some(Shown::Entry));
        let emoji = Emoji::new("👍").expect("a reaction");
        let reacted = Entry::Reacted { room: RoomId(1), target: Seq(1), by: by(), emoji, on: true };
        check(&reacted, 11, Some(Shown::Entry));
    }

    #[test]
    fn a_room_of_others_is_not_there() {
        for seq in [1, 25, 30, 31] {
            let lost = (seq == 30).then_some(Shown::Gone(RoomId(3)));
            for entry in [said(3), changed(3), membership(3, OTHER, true)] {
                check(&entry, seq, lost);
            }
            let gone = Entry::RoomGone { room: RoomId(4), recoverable: false };
            check(&gone, if seq == 30 { 29 } else { seq }, None);
        }
    }

    #[test]
    fn a_room_begins_by_the_entry_that_made_one_a_member() {
        let new = Some(Shown::Room(RoomId(2)));
        check(&membership(2, ME, true), 20, new);
        let made = Entry::RoomMade { room: RoomId(2), owner: Some(ME), settings: room_settings() };
        check(&made, 20, new);
        check(&Entry::RoomReturned { room: RoomId(2), title: room_settings().title }, 20, new);
        check(&Entry::DirectMade { room: RoomId(2), between: [ME, OTHER], both: true }, 20, new);
        // A membership that ended and began again does not begin twice.
        check(&membership(2, ME, true), 15, None);
        check(&made, 15, None);
    }

    #[test]
    fn a_stream_of_some_rooms_hears_of_no_other() {
        let view = view(Some(vec![RoomId(2)]));
        assert_eq!(view.shown(&said(1), Seq(40)), None);
        assert_eq!(view.shown(&said(2), Seq(40)), Some(Shown::Entry));
        assert_eq!(view.shown(&membership(3, ME, false), Seq(30)), None, "lost, and not asked for");
        assert!(!view.sees(RoomId(1), Seq(40)) && !view.wants(RoomId(3)));
    }

    #[test]
    fn accounts_and_sessions_are_nobodys_to_see() {
        for entry in [
            Entry::AccountEnded { account: ME },
            Entry::BlockChanged { account: OTHER, blocked: ME, on: true },
            Entry::RoomPurged { room: RoomId(1) },
        ] {
            check(&entry, 40, None);
        }
    }

    #[test]
    fn who_did_not_belong_does_not_go() {
        assert!(is_member_change_told(false, false, true));
        assert!(is_member_change_told(false, true, false));
        assert!(!is_member_change_told(false, false, false));
        assert!(
            !is_member_change_told(true, true, false) && !is_member_change_told(true, false, true)
        );
    }
}
