//! Deceptive names and titles, as the core judges them; and old ones, which stay usable.

use super::*;

#[test]
fn a_name_must_not_look_like_an_accounts() {
    let mut core = Core::with(&["anne", "HEXA", "tom"]);
    core.ask("", be_guest("José")).expect("a guest");
    for bad in ["Anne", "ａｎｎｅ", "аnne", "ΑΝΝΕ", "НЕХА", "hеxa", "torn", "JOSE\u{301}", "Jоsé"]
    {
        assert_eq!(core.try_to("", be_guest(bad)), Err(Refusal::NameTaken), "{bad:?}");
        // Nor can an anonymous client use it.
        core.subscribe(1, "").expect("a subscription");
        assert_eq!(core.join(1, bad), ["to 1: no, NameInUse"], "{bad:?}");
        core.leave(1);
        let room = RoomRef::Id(LOBBY);
        let call = call::PasswordState { room, name: Some(name(bad)), access: Access::Open };
        assert_eq!(core.try_to("", call), Err(Refusal::NameInUse), "{bad:?}");
    }
    for bad in ["bob\u{fe0f}", "Shanty", "all", "@bob", "a: b", "\u{3164}"] {
        assert_eq!(core.try_to("", be_guest(bad)), Err(Refusal::NameInvalid), "{bad:?}");
    }
    // Plain names of accounts differ by their letters; the server's name is its own.
    for (plain, taken) in [("torn", false), ("T0m", false), ("shanty", true), ("jose", false)] {
        assert_eq!(core.register(plain).is_err(), taken, "{plain}");
    }
    // Found in any spelling, and free again with its owner.
    assert!(core.ask("anne", call::Person { name: "jose\u{301}".into() }).is_ok());
    core.ask("José", call::Logout).expect("out");
    core.ask("", be_guest("Jоsé")).expect("nobody else is called that");
}

#[test]
fn two_pending_names_do_not_look_alike() {
    let mut core = Core::new();
    let first = core.ask_late("", be_guest("Нина"));
    let second = core.ask_late("", be_guest("Нинa"));
    assert_eq!(core.answer(second), Some(Err(Refusal::NameTaken)));
    core.settle();
    assert!(matches!(core.answer(first), Some(Ok(_))));
}

#[test]
fn two_titles_are_not_the_same() {
    let mut core = Core::with(&["ann"]);
    core.room("ann", room_settings("Café", Visibility::Public, None));
    for title in ["CAFÉ", "cafe\u{301}", "Ｃａｆé"] {
        let settings = room_settings(title, Visibility::Public, None);
        let made = core.try_to("ann", call::MakeRoom { settings, chance: 1 });
        assert_eq!(made, Err(Refusal::TitleTaken), "{title:?}");
        let find = call::Room { room: RoomRef::Title(title.into()), access: Access::Open };
        assert!(core.ask("", find).is_ok(), "{title:?}");
    }
}

/// A log of the first versions has two equal names and two equal titles; the core applies it by the
/// old rule, case alone, and both stay usable.
#[test]
fn old_duplicates_stay_separate() {
    let mut core = Core::with(&["ann"]);
    let mut put = |entry| core.logged(None, NOON, entry);
    for (number, old) in (7..).zip(["José", "Jose\u{301}", "JOSÉ", "x\u{200b}"]) {
        let name = Name::kept(old).expect("a name");
        let account = AccountId(number);
        put(Entry::AccountMade { account, name, key: None, color: None });
    }
    for (number, old) in (7..).zip(["Café", "Cafe\u{301}", "café"]) {
        let mut settings = room_settings("any", Visibility::Public, None);
        settings.title = Title::kept(old).expect("a title");
        put(Entry::RoomMade { room: RoomId(number), owner: Some(AccountId(1)), settings });
    }
    let snapshot = core.chat.snapshot();
    let accounts: Vec<u64> = snapshot.accounts.iter().map(|account| account.id.0).collect();
    let rooms: Vec<u64> = snapshot.rooms.iter().map(|room| room.id.0).collect();
    assert_eq!((accounts, rooms), (vec![1, 7, 8, 10], vec![1, 7, 8]));
    // A new core from the same tables finds all of them.
    core.chat = Chat::new(Settings::new(TTL_SECS, false), snapshot.clone());
    core.chat.check();
    assert_eq!(core.chat.snapshot(), snapshot);
    let change = |room, title: Option<&str>| {
        let title = title.and_then(Title::new);
        let description = Description::new("other");
        let change = RoomChange { title, description, ..RoomChange::default() };
        call::ChangeRoom { room: RoomRef::Id(room), access: Access::Open, change, chance: 1 }
    };
    assert_eq!(core.try_to("ann", change(RoomId(8), None)), Ok(()));
    assert_eq!(core.try_to("ann", change(LOBBY, Some("CAFÉ"))), Err(Refusal::Forbidden));
    assert_eq!(core.try_to("ann", change(RoomId(8), Some("Bar"))), Ok(()));
    assert_eq!(core.try_to("ann", change(RoomId(8), Some("CAFÉ"))), Err(Refusal::TitleTaken));
}
