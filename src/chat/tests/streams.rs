//! Streams: one connection that hears all rooms of its account.

use super::*;
use Visibility::Hidden;

const BASE: u64 = 65_536;

fn follow(base: u64) -> Call {
    call::OpenStream { subscription: SubscriptionId(base), protocol: BACK, only: None }.into()
}

fn send(room: RoomId, text: &str, id: &str) -> Action {
    Action::Send { room, text: text.into(), client_id: ClientId::new(id), reply_to: None }
}

fn act(action: Action) -> ClientEvent {
    ClientEvent::Stream(StreamEvent::Act { action, mark: None })
}

#[test]
fn a_stream_hears_its_rooms_from_membership_to_exit() {
    let mut core = Core::with(&["ann", "bob"]);
    let den = core.room("ann", room_settings("den", Hidden, Some("hash")));
    core.ask("bob", follow(BASE)).expect("a stream");
    assert_eq!(core.present(LOBBY), ["bob"]);
    core.ask_late("bob", call::Enter { room: den, access: token(den, 0) });
    let hears = format!("65538 hears room {den}");
    let expected = ["bob is member true as 7", &*hears, "notified to 65538: den as 7"];
    assert_eq!(core.commit()[..3], expected);
    core.ask_late("bob", call::Exit { room: den });
    let expected = ["notified to 65538: gone as 8", "65538 hears no more"];
    let heard = core.commit();
    assert_eq!(heard[..2], expected);
    assert_eq!(heard.last().map(String::as_str), Some("bob is member false as 8"));
}

#[test]
fn a_streams_message_names_its_subscription_and_the_reply_goes_to_the_stream() {
    let mut core = Core::with(&["ann"]);
    core.ask("ann", follow(BASE)).expect("a stream");
    core.tell(BASE, act(send(LOBBY, "hi", "a")));
    assert_eq!(core.commit(), ["ann said hi as 4 by 65537", "to 65536: Said(4)"]);
    let nowhere = core.tell(BASE, act(send(RoomId(9), "hi", "b")));
    assert_eq!(nowhere, ["to 65536: no, RoomNotFound"]);
    let typing = core.tell(BASE, ClientEvent::Stream(StreamEvent::Typing { room: LOBBY }));
    assert_eq!(typing, ["ann types by 65537", "to 65536: Noted"]);
    let read = core.tell(BASE, ClientEvent::Stream(StreamEvent::Read { room: LOBBY, seq: Seq(9) }));
    assert_eq!(read[0], "1 has read 1 to 4", "not beyond the last message");
    assert!(
        core.tell(BASE, ClientEvent::Stream(StreamEvent::Read { room: LOBBY, seq: Seq(1) })).len()
            == 1,
        "only forward"
    );
}

#[test]
fn a_stream_ends_with_its_session_and_the_oldest_makes_way() {
    let mut core = Core::with(&["ann"]);
    for number in 1..=crate::limits::STREAMS_PER_ACCOUNT_MAX as u64 {
        core.ask("ann", follow(number * BASE)).expect("a stream");
    }
    core.ask("ann!", follow(99 * BASE)).expect("a stream by the account's key");
    core.ask_late("ann", call::Logout);
    let heard = core.commit();
    assert!(
        !heard.contains(&"65536 is dismissed: SessionEnded".to_owned()),
        "it was replaced already"
    );
    assert!(heard.contains(&"131072 is dismissed: SessionEnded".to_owned()));
    assert_eq!(core.present(LOBBY), ["ann"], "one stream has no session");
    let heard = core.give(Command::Close);
    assert_eq!(heard.first().map(String::as_str), Some("6488064 is about to end"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("6488064 is dismissed: ShuttingDown"));
}

#[test]
fn a_stream_of_some_rooms_hears_no_others() {
    let mut core = Core::with(&["ann"]);
    let den = core.room("ann", room_settings("den", Hidden, Some("hash")));
    let attic = core.room("ann", room_settings("attic", Hidden, Some("hash")));
    let later = RoomId::drawn(77);
    let only = Some(vec![den, later, RoomId(99)]);
    let call = call::OpenStream { subscription: SubscriptionId(BASE), protocol: BACK, only };
    let Ok(Answer::OpenedStream(OpenedStream { rooms, .. })) = core.ask("ann", call) else {
        panic!("no stream")
    };
    assert_eq!(rooms.iter().map(|marks| marks.room).collect::<Vec<_>>(), [den]);
    assert!(core.present(LOBBY).is_empty());
    core.ask_late(
        "ann",
        call::MakeRoom { settings: room_settings("later", Hidden, Some("hash")), chance: 77 },
    );
    let hears = format!("65538 hears room {later}");
    assert_eq!(core.commit()[..2], [&*hears, "notified to 65538: later as 6"]);
    core.ask_late(
        "ann",
        call::MakeRoom { settings: room_settings("cellar", Hidden, Some("hash")), chance: 1 },
    );
    assert!(core.commit().is_empty(), "the stream excludes this room");
    core.tell(BASE, act(send(attic, "hi", "a")));
    assert_eq!(
        core.commit(),
        ["ann said hi as 8 by 65536", "to 65536: Said(8)"],
        "but it may send there"
    );
}
