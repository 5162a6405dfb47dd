//! What people say on a subscription of one room, and its end.

use crate::chat::simulation::Simulation;
use crate::chat::{ClientEvent, Command, Field, Refusal, RoomEvent, SubscriptionId};

const REFUSALS: [Refusal; 3] =
    [Refusal::MessageTooLong, Refusal::Malformed(Field::Whole), Refusal::Malformed(Field::Name)];

impl Simulation {
    fn somebody_who_is_there(&mut self) -> Option<SubscriptionId> {
        let there = self.world.members.iter().filter(|(_, member)| !member.left);
        let subscriptions: Vec<SubscriptionId> =
            there.map(|(subscription, _)| *subscription).collect();
        self.dice.pick(&subscriptions)
    }

    pub(super) fn somebody_leaves(&mut self) {
        let Some(subscription) = self.somebody_who_is_there() else { return };
        self.give(Command::Leave { subscription });
    }

    pub(super) fn somebody_tells(&mut self) {
        let Some(subscription) = self.somebody_who_is_there() else { return };
        let usual = self.world.members.get(&subscription).and_then(|member| member.name.clone());
        let name = match self.dice.below(8) {
            0 => Some(self.name()),
            1..=2 => None,
            _ => usual,
        };
        let event = match self.dice.below(10) {
            0..=1 => ClientEvent::Room(RoomEvent::Join { name, color: self.color() }),
            2 => ClientEvent::Room(RoomEvent::Part { name }),
            3 => ClientEvent::garbled(self.dice.pick(&REFUSALS).expect("a refusal")),
            _ => {
                let text = format!("text {}", self.number()).into();
                ClientEvent::Room(RoomEvent::Say { name, color: self.color(), text })
            }
        };
        self.give(Command::ClientEvent { subscription, event });
    }
}
