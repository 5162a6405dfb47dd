//! What must be true of answers about rooms: who may see one, and what became of it.

use crate::chat::simulation::book::Book;
use crate::chat::simulation::world::{Asked, Hearing, World};
use crate::chat::{
    Access, AccountId, Answer, DeletedRecord, Refusal, RoomChange, RoomInfo, RoomRef,
    SubscriptionId, Visibility,
};

impl World {
    /// Whoever is shown a room may see it; and who is in it, only where that is theirs to know.
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
        let member = asked.account.is_some_and(|one| book.is_member(one, room.id));
        let inside = open || member || (fits && access != Access::Open);
        assert!(inside || info.present.is_empty(), "who is in {:?} is not theirs to know", info.id);
    }

    /// A room is as its acknowledgement says; what was refused has left no mark.
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
                assert_eq!(told, kept, "a room is what was acknowledged");
                assert!(mark.is_none_or(|mark| mark == settings.description.as_str()));
            }
            Ok(other) => panic!("{other:?} is no answer to a change of a room"),
            Err(_) => {
                assert!(mark.and_then(marked).is_none(), "what was refused is there");
            }
        }
    }

    /// Only the owner brings a deleted room back, and is told of it.
    pub(super) fn restored(
        &self,
        answer: &Result<Answer, Refusal>,
        account: Option<AccountId>,
        book: &Book,
    ) {
        match answer {
            Ok(Answer::Room(info)) => {
                self.changed(answer, None, book);
                assert_eq!(book.rooms[&info.id].owner, account, "brought back by another");
            }
            Ok(Answer::Deleted(infos)) => {
                for info in infos {
                    let same = |one: &&DeletedRecord| {
                        (one.deleted, &one.room.settings.title) == (info.deleted, &info.title)
                    };
                    let mut same = book.deleted.values().filter(same);
                    assert!(same.any(|one| one.room.owner == account), "another's deleted room");
                }
            }
            _ => {}
        }
    }

    /// A change leaves alone what it does not name, also what another change has just made.
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

    /// Nobody sits in a room that is not public without a token of its present generation.
    pub(super) fn sat(
        &mut self,
        subscription: SubscriptionId,
        answer: &Result<Answer, Refusal>,
        book: &Book,
    ) {
        let member = self.members.get_mut(&subscription).expect("who asked for a subscription");
        let room = book.rooms.get(&member.room);
        let open = room.is_some_and(|room| room.settings.visibility == Visibility::Public);
        let fits = open || (room.is_some() && member.opens);
        match answer {
            Ok(_) => {
                assert!(fits, "a subscription without access");
                assert!(!self.closed, "a subscription after the close");
                member.standing = true;
            }
            Err(refusal) => {
                assert!(!fits || *refusal != Refusal::NoAccess, "no access, with a good token");
                assert_eq!(member.hearing, Hearing::NotYet, "refused, and subscribed all the same");
                self.members.remove(&subscription);
            }
        }
    }
}
