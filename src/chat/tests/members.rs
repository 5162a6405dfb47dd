//! Who belongs to which room, and how one comes to belong.

use super::*;
use Visibility::{Hidden, Private};

fn enter_room(room: RoomId, access: Access) -> Call {
    call::Enter { room, access }.into()
}

#[test]
fn who_may_enter_see_and_leave() {
    let mut core = Core::with(&["ann", "bob"]);
    let shut = core.room("ann", room_settings("shut", Private, Some("hash")));
    let dark = core.room("ann", room_settings("dark", Hidden, Some("hash")));
    let view = |room| call::View { room };
    assert_eq!(core.try_to("bob", view(dark)), Err(Refusal::RoomNotFound));
    assert_eq!(core.try_to("bob", view(shut)), Ok(()));
    let members = call::Members { room: shut, after: Place::Present(0) };
    assert_eq!(core.try_to("bob", members), Err(Refusal::NotMember));
    assert_eq!(core.try_to("bob", enter_room(shut, Access::Open)), Err(Refusal::NoAccess));
    assert_eq!(core.try_to("bob", enter_room(dark, token(dark, 0))), Ok(()));
    assert_eq!(core.try_to("bob", enter_room(dark, Access::Open)), Ok(()), "a member already");
    assert_eq!(core.try_to("bob", view(dark)), Ok(()));
    let readable = core.ask("bob", call::Readable { after: RoomId(0) });
    let rooms = vec![(LOBBY, Seq(1)), (dark, Seq(0))];
    assert_eq!(readable, Ok(Answer::Readable(Page { items: rooms, next: None })));
    assert_eq!(core.try_to("bob", call::Exit { room: dark }), Ok(()));
    assert_eq!(core.try_to("ann", call::Exit { room: dark }), Ok(()));
    assert_eq!(core.try_to("ann", enter_room(dark, Access::Open)), Ok(()), "she owns it");
}

#[test]
fn two_have_one_room_and_nobody_else_finds_it() {
    let mut core = Core::with(&["ann", "bob", "cat"]);
    let direct = |name: &str| call::Direct { name: name.into(), chance: 1 };
    let Ok(Answer::Direct(DirectRoom { room, made: true })) = core.ask("ann", direct("BOB")) else {
        panic!()
    };
    assert_eq!((room.title.as_str(), room.direct), ("bob", true));
    let Ok(Answer::Direct(DirectRoom { room: same, made: false })) = core.ask("bob", direct("ann"))
    else {
        panic!()
    };
    assert_eq!((same.id, same.title.as_str()), (room.id, "ann"));
    assert_eq!(core.try_to("ann", direct("ann")), Err(Refusal::PersonNotFound));
    assert_eq!(core.try_to("cat", call::View { room: room.id }), Err(Refusal::RoomNotFound));
    assert_eq!(
        core.try_to("cat", enter_room(room.id, token(room.id, 0))),
        Err(Refusal::RoomNotFound)
    );
    assert_eq!(
        core.try_to("ann", subscribe_with(1, room.id, token(room.id, 0))),
        Err(Refusal::RoomNotFound)
    );
}
