//! Invariants of answers about rooms: who may see a room, and the effect of a change.

use crate::chat::simulation::book::Book;
use crate::chat::simulation::world::{Asked, Hearing, World};
use crate::chat::{
    Access, AccountId, Answer, DeletedRecord, Refusal, RoomChange, RoomInfo, RoomRef,
    SubscriptionId, Visibility,
};

impl World {
    /// A caller sees a room only if it may, and the people present only if it may know.
    pub(super) fn sees(
        &self,
        info: &RoomInfo,
        asked: &Asked,
        access: Access,
        name: Option<&RoomRef>,
        book: &Book,
    ) {
        let room = &book.rooms[&info.id];
        let fits = asked.opens;
        assert!(
            book.may_see(asked.account, room, fits, name),
            "{:?} is not theirs to see",
            info.id
        );
        let open = room.settings.visibility == Visibility::Public;
        let member = asked.account.is_some_and(|account| book.is_member(account, room.id));
        let inside = open || member || (fits && access != Access::Open);
        assert!(inside || info.present.is_empty(), "a stranger learns who is in {:?}", info.id);
    }

    /// An acknowledged change is in the room; a refused one has left no mark.
    pub(super) fn changed(
        &self,
        answer: &Result<Answer, Refusal>,
        mark: Option<&str>,
        book: &Book,
    ) {
        let marked = |text| {
            let mut all = book.rooms.values();
            all.find(|room| room.settings.description.as_str() == text)
        };
        match answer {
            Ok(Answer::Room(info)) => {
                let room = book.rooms.get(&info.id).expect("an acknowledged room is in the log");
                let told = (&info.title, &info.description, info.visibility, info.updated);
                let settings = &room.settings;
                let kept =
                    (&settings.title, &settings.description, settings.visibility, room.updated);
                assert_eq!(told, kept, "the room is as acknowledged");
                assert!(mark.is_none_or(|mark| mark == settings.description.as_str()));
            }
            Ok(other) => panic!("{other:?} is no answer to a room's change"),
            Err(_) => {
                assert!(mark.and_then(marked).is_none(), "a refused change has an effect");
            }
        }
    }

    /// Only the owner restores a deleted room, and lists it.
    pub(super) fn restored(
        &self,
        answer: &Result<Answer, Refusal>,
        account: Option<AccountId>,
        book: &Book,
    ) {
        match answer {
            Ok(Answer::Room(info)) => {
                self.changed(answer, None, book);
                assert_eq!(book.rooms[&info.id].owner, account, "restored by another account");
            }
            Ok(Answer::Deleted(infos)) => {
                for info in infos {
                    let same = |record: &&DeletedRecord| {
                        (record.deleted, &record.room.settings.title) == (info.deleted, &info.title)
                    };
                    let mut same = book.deleted.values().filter(same);
                    assert!(
                        same.any(|record| record.room.owner == account),
                        "another's deleted room"
                    );
                }
            }
            _ => {}
        }
    }

    /// A change keeps what it does not name, even the result of a change just before.
    pub(super) fn kept(&self, answer: &Result<Answer, Refusal>, change: &RoomChange, book: &Book) {
        let Ok(Answer::Room(info)) = answer else { return };
        let Some(Some(before)) = self.before.get(&info.id) else { return };
        let after = &book.rooms.get(&info.id).expect("the room").settings;
        assert!(change.title.is_some() || after.title == before.title);
        assert!(change.description.is_some() || after.description == before.description);
        assert!(change.visibility.is_some() || after.visibility == before.visibility);
        let open = after.visibility == Visibility::Public;
        assert!(open || change.password.is_some() || after.password == before.password);
    }

    /// A room that is not public has only subscriptions with a valid token.
    pub(super) fn sat(
        &mut self,
        subscription: SubscriptionId,
        asked: &Asked,
        answer: &Result<Answer, Refusal>,
        book: &Book,
    ) {
        let member = self.members.get_mut(&subscription).expect("a connection that has asked");
        let room = book.rooms.get(&member.room);
        let open = room.is_some_and(|room| room.settings.visibility == Visibility::Public);
        let fits = open || (room.is_some() && member.opens);
        match answer {
            Ok(_) => {
                assert!(fits, "a subscription without access");
                assert!(!self.closed, "a subscription after the close");
                let mut whose = member.account.iter().chain(&asked.account);
                let banned = whose.any(|one| room.is_some_and(|room| room.has_banned(*one)));
                assert!(!banned, "a subscription of somebody who is banned");
                let inside = |one| {
                    room.is_some_and(|room| room.owner == Some(one) || book.is_member(one, room.id))
                };
                let locked = room.is_some_and(|room| room.rules().locked);
                assert!(!locked || member.account.is_some_and(inside), "new, in a locked room");
                member.standing = true;
            }
            Err(refusal) => {
                assert!(!fits || *refusal != Refusal::NoAccess, "no access, with a good token");
                assert_eq!(member.hearing, Hearing::NotYet, "refused, but subscribed");
                self.members.remove(&subscription);
            }
        }
    }
}
