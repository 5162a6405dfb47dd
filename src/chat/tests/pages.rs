//! Long lists have pages; together the pages are the list.

use super::*;
use crate::limits::ANSWER_ITEMS_MAX;

const COUNT: u64 = ANSWER_ITEMS_MAX as u64 * 2 + 44;

/// A core with this many accounts, all of them in the lobby, and this many rooms.
fn crowd() -> Core {
    let mut core = Core::with(&["ann"]);
    let mut snapshot = core.chat.snapshot();
    for id in 10..10 + COUNT {
        snapshot.accounts.push(full::account(id));
        snapshot.rooms.push(full::room(id, &[AccountId(1)]));
        let member =
            MemberRecord { account: AccountId(id), since: Seq(1), read: Seq(1), horizon: Seq(0) };
        snapshot.rooms[0].members.push(member);
    }
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot);
    core
}

/// All pages of a list, none empty or too long.
fn pages<T, K: Copy>(mut after: K, mut page: impl FnMut(K) -> (Vec<T>, Option<K>)) -> Vec<T> {
    let mut all = Vec::new();
    loop {
        let (items, next) = page(after);
        assert!(items.len() <= ANSWER_ITEMS_MAX);
        all.extend(items);
        let Some(next) = next else { return all };
        after = next;
    }
}

#[test]
fn rooms_by_number() {
    let mut core = crowd();
    let expected: Vec<RoomId> = [LOBBY].into_iter().chain((10..10 + COUNT).map(RoomId)).collect();
    for mine in [true, false] {
        let found = pages(RoomId(0), |after| match core.ask("ann", call::Rooms { mine, after }) {
            Ok(Answer::Rooms(Page { items: rooms, next })) => (rooms, next),
            other => panic!("{other:?}"),
        });
        assert!(found.iter().map(|room| room.id).eq(expected.iter().copied()));
    }
    let found = pages(RoomId(0), |after| match core.ask("ann", call::Readable { after }) {
        Ok(Answer::Readable(Page { items: rooms, next })) => (rooms, next),
        other => panic!("{other:?}"),
    });
    assert!(found.iter().map(|(room, _)| *room).eq(expected.iter().copied()));
    let found = pages(RoomId(0), |after| match core.ask("ann", call::Marks { after }) {
        Ok(Answer::Marks(Page { items: rooms, next })) => (rooms, next),
        other => panic!("{other:?}"),
    });
    assert!(found.iter().map(|marks| marks.room).eq(expected));
}

/// Some people leave and some arrive between two pages; nobody is missing, and those who stay are
/// listed once.
#[test]
fn members_while_people_arrive_and_leave() {
    let mut core = crowd();
    for guest in 0..COUNT {
        core.try_to("", subscribe(guest, LOBBY)).expect("a subscription");
        core.join(guest, &format!("guest {guest}"));
    }
    let present = pages(0, |after| match core.ask("", call::Present { room: LOBBY, after }) {
        Ok(Answer::Present(Page { items: present, next })) => (present, next),
        other => panic!("{other:?}"),
    });
    assert!((0..COUNT).zip(&present).all(|(guest, person)| {
        person.author.name.as_str() == format!("guest {guest}") && present.len() as u64 == COUNT
    }));
    let mut asked = 0;
    let members = pages(Place::Present(0), |after| {
        asked += 1;
        match asked {
            2 => assert!(!core.leave(0).is_empty()),
            3 => core.subscribe(COUNT, "ann").expect("a subscription"),
            4 => assert_eq!(core.join(COUNT, "ann").len(), 2),
            _ => {}
        }
        match core.ask("ann", call::Members { room: LOBBY, after }) {
            Ok(Answer::Members(Page { items: members, next })) => (members, next),
            other => panic!("{other:?}"),
        }
    });
    let online = members.iter().filter(|member| member.online).count() as u64;
    assert_eq!((online, members.len() as u64), (COUNT + 1, 2 * COUNT + 1));
    let ann = members.iter().find(|member| member.author.name.as_str() == "ann");
    assert!(ann.is_some_and(|member| member.online), "she arrived after the others");
}

#[test]
fn a_room_lists_its_first_people_and_a_cursor_for_the_rest() {
    let mut core = crowd();
    for guest in 0..COUNT {
        core.try_to("", subscribe(guest, LOBBY)).expect("a subscription");
        core.join(guest, &format!("guest {guest}"));
    }
    let call = call::Room { room: RoomRef::Id(LOBBY), access: Access::Open };
    let Ok(Answer::Room(info)) = core.ask("", call) else { panic!("no room") };
    assert_eq!((info.online as u64, info.present.len()), (COUNT, ANSWER_ITEMS_MAX));
    assert_eq!(info.more, Some(ANSWER_ITEMS_MAX as u64));
    let call = call::Rooms { mine: false, after: RoomId(0) };
    let Ok(Answer::Rooms(Page { items: rooms, next })) = core.ask("", call) else {
        panic!("no rooms")
    };
    assert_eq!((rooms.len(), next), (1, Some(LOBBY)), "the people fill the page");
}
