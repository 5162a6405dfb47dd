//! *May this member see this entry?* The question of `sight`, for entries that are read back from
//! the log: a stream that is behind reads them long after the core has applied them.
//!
//! The memberships at the time of reading decide. A member sees an entry of a room if the
//! membership began before the entry. An account that has left or was expelled sees the end of its
//! membership, and no other entry of that room.

use std::collections::HashMap;

use crate::chat::types::{AccountId, RoomId, Seq};
use crate::chat::vocabulary::{Entry, MembershipMarks};

/// Decides what one member may see of the log.
pub struct MemberView {
    account: AccountId,
    only: Option<Vec<RoomId>>,
    /// The rooms to which the member belongs.
    rooms: HashMap<RoomId, MembershipMarks>,
    /// The rooms of which the account ceased to be a member, by entry.
    lost: HashMap<Seq, RoomId>,
}

/// What a member sees of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shown {
    /// The entry itself.
    Entry,
    /// The room's current state: the room is new to the member, or has changed.
    Room(RoomId),
    /// The end of the membership in this room.
    Gone(RoomId),
}

impl MemberView {
    /// `only`: the rooms of the stream; `None`: all of the member's rooms. `memberships`: the
    /// current ones. `lost`: the rooms whose membership one of the read entries ended, by entry.
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

    /// Whether the stream includes a room.
    pub fn wants(&self, room: RoomId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&room))
    }

    /// Whether the account has been a member of a room since before an entry.
    pub fn sees(&self, room: RoomId, seq: Seq) -> bool {
        self.rooms.get(&room).is_some_and(|marks| marks.since < seq)
    }

    /// Whether the member sees an entry that changes a message: a member who may not see the
    /// message does not learn its new text either.
    pub fn sees_change(&self, room: RoomId, seq: Seq, target: Seq) -> bool {
        let seen = |marks: &MembershipMarks| marks.since < seq && marks.horizon < target;
        self.rooms.get(&room).is_some_and(seen)
    }

    /// What the member sees of an entry; `None`: nothing.
    pub fn shown(&self, entry: &Entry, seq: Seq) -> Option<Shown> {
        if let Some(room) = self.shown_room(entry, seq) {
            return Some(Shown::Room(room));
        }
        // An account that was not a member then does not learn that the room existed.
        if let Some(room) = self.lost.get(&seq).filter(|room| self.wants(**room)) {
            return Some(Shown::Gone(*room));
        }
        match entry.act() {
            Entry::Said { room, .. }
            | Entry::MemberChanged { room, .. }
            | Entry::ModeratorChanged { room, .. }
            | Entry::Muted { room: Some(room), .. } => {
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

    /// The room whose current state the member sees for this entry.
    fn shown_room(&self, entry: &Entry, seq: Seq) -> Option<RoomId> {
        let begun = |room: RoomId| {
            let marks = self.rooms.get(&room)?;
            (marks.since == seq).then_some(room)
        };
        match entry.act() {
            Entry::RoomMade { room, .. }
            | Entry::RoomReturned { room, .. }
            | Entry::DirectMade { room, .. } => begun(*room),
            Entry::MemberChanged { room, account, member: true, .. }
                if *account == self.account =>
            {
                begun(*room)
            }
            Entry::RoomChanged { room, .. }
            | Entry::RulesChanged { room, .. }
            | Entry::OwnerChanged { room, .. } => self.sees(*room, seq).then_some(*room),
            _ => None,
        }
    }
}

/// Whether the members of a room hear of a membership change. An account that leaves a room for two
/// only hides it, so the other does not hear of it; and an account that was not a member does not
/// leave. `was`: whether the account was a member before.
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
        let (room, settings, password_generation, link) = (RoomId(room), room_settings(), 0, None);
        Entry::RoomChanged { room, settings, password_generation, link, keep_members: true }
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
        // The membership ended and began again: the member sees the room only once.
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
