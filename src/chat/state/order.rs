//! The order in which clients hear of changes: the queue behind the log.
//!
//! Some changes last, and wait for the log; others happen at once. A client must not hear of a
//! change of the second kind before it has heard of lasting changes that the core decided earlier:
//! otherwise a room hears that Ann left, and then her last message. So the core gives every
//! [`Effect`] to this type, which keeps these rules; no caller decides when a client hears it.
//!
//! 1. A proposal takes the next place in the queue. The log replies to proposals in that order.
//! 2. An entry's effects (an event with a `seq`, a notify) are issued at the place of the entry:
//!    the core applies an entry when its proposal has just left the queue.
//! 3. A stream's subscription to a room begins and ends with an entry, so these effects, too, are
//!    issued at the place of that entry: the sequence numbers that a stream hears only grow.
//!    So is the end of a connection that an entry cuts ([`CloseReason::cuts`]): it hears nothing
//!    that is behind that entry in the log.
//! 4. An entry's outcome (the reply to its sender) is issued at the place of the entry: see
//!    [`Order::tell_outcome`].
//! 5. Every other effect that a client hears on its connection takes the next place in the queue;
//!    if the queue is empty, it is issued at once.
//! 6. A subscription hears nothing before it has begun, and nothing after its end.
//! 7. If one entry needs more steps than one command may take, the core opens a *section* at the
//!    end of the queue, and effects under rule 5 go there while the core works on the entry,
//!    however many commands that takes. So each effect keeps the place that it would have had at
//!    once. The log's next reply waits until the section is closed, so there is never a second one.
//! 8. Answers to calls, proposals and notes to the store have no place in the queue: no client can
//!    observe their order.

use std::collections::VecDeque;

use crate::chat::numbered::Numbered;
use crate::chat::types::{ProtocolId, SubscriptionId, Ticket};
use crate::chat::vocabulary::{CloseReason, Effect, Entry};
use crate::time::Time;

/// The queue behind the log. `P` is what the core remembers with a proposal.
pub struct Order<P> {
    line: VecDeque<Waiting<P>>,
    /// The number of proposals in the queue, and its limit.
    proposals: usize,
    proposals_max: usize,
    last_ticket: u64,
    /// The subscriptions that have begun and not ended, as clients have heard. A stream's own
    /// subscription is here from its request on.
    heard: Numbered<SubscriptionId, ProtocolId>,
    section: Section,
    /// The effects for the hub.
    effects: Vec<Effect>,
}

/// One place in the queue.
enum Waiting<P> {
    Proposal {
        ticket: Ticket,
        purpose: P,
    },
    Effect(Effect),
    Section(VecDeque<Effect>),
    /// The place of the section on which the core still works: its effects are in [`Section`].
    OpenSection,
}

/// The open section, if there is one.
#[derive(Default)]
struct Section {
    effects: VecDeque<Effect>,
    /// Whether the current command works on the section.
    active: bool,
}

impl<P> Order<P> {
    /// An empty queue for at most `proposals_max` proposals.
    pub fn new(proposals_max: usize) -> Order<P> {
        Order {
            line: VecDeque::new(),
            proposals: 0,
            proposals_max,
            last_ticket: 0,
            heard: Numbered::default(),
            section: Section::default(),
            effects: Vec::new(),
        }
    }

    /// The same with another limit.
    pub fn within(self, proposals_max: usize) -> Order<P> {
        Order { proposals_max, ..self }
    }

    /// The number of proposals in the queue.
    pub fn proposals(&self) -> usize {
        self.proposals
    }

    /// Whether the queue has room for these proposals.
    pub fn has_room_for(&self, proposals: usize) -> bool {
        self.proposals + proposals <= self.proposals_max
    }

    /// Whether the queue is too long for a new subscription.
    pub fn is_congested(&self) -> bool {
        self.line.len() > 2 * self.proposals_max
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Whether the first place can be issued now.
    pub fn has_next(&self) -> bool {
        match self.line.front() {
            Some(Waiting::Effect(_) | Waiting::Section(_)) => true,
            Some(Waiting::OpenSection) => !self.section.effects.is_empty(),
            Some(Waiting::Proposal { .. }) | None => false,
        }
    }

    /// Exchanges the effects of a command for an empty list, and back.
    pub fn swap_effects(&mut self, effects: &mut Vec<Effect>) {
        std::mem::swap(&mut self.effects, effects);
    }

    /// Proposes an entry: rule 1.
    pub fn propose(&mut self, time: Time, entry: Entry, purpose: P) {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.proposals += 1;
        self.line.push_back(Waiting::Proposal { ticket, purpose });
        self.effects.push(Effect::Propose { ticket, time, entry });
    }

    /// The log has replied to a proposal: issues the effects before it and removes it from the
    /// queue.
    ///
    /// # Panics
    /// If the log replies out of order, or too early: the state could not be trusted any more.
    pub fn settle(&mut self, ticket: Ticket) -> P {
        while self.tell_next() {}
        match self.line.pop_front() {
            Some(Waiting::Proposal { ticket: first, purpose }) if first == ticket => {
                self.proposals -= 1;
                purpose
            }
            _ => panic!("the log answered {ticket:?}, which is not the first in the line"),
        }
    }

    /// Issues the first effect of the queue, unless it waits for the log.
    pub fn tell_next(&mut self) -> bool {
        let next = match self.line.front_mut() {
            Some(Waiting::Section(effects)) if !effects.is_empty() => effects.pop_front(),
            Some(Waiting::Section(_) | Waiting::Effect(_)) => match self.line.pop_front() {
                Some(Waiting::Effect(effect)) => Some(effect),
                _ => return true,
            },
            Some(Waiting::OpenSection) => self.section.effects.pop_front(),
            Some(Waiting::Proposal { .. }) | None => None,
        };
        let told = next.is_some();
        next.into_iter().for_each(|effect| self.tell_now(effect));
        told
    }

    /// Issues an effect at once or in order: rules 2, 3, 5 and 8.
    pub fn tell(&mut self, effect: Effect) {
        if is_at_once(&effect) {
            if let Effect::Unsubscribe { subscription, .. } = effect
                && !self.heard.contains_key(&subscription)
            {
                self.begin_now(subscription);
            }
            return self.tell_now(effect);
        }
        let is_first = matches!(self.line.front(), Some(Waiting::OpenSection));
        match self.section.active {
            true if is_first && self.section.effects.is_empty() => self.tell_now(effect),
            true => self.section.effects.push_back(effect),
            false if self.line.is_empty() => self.tell_now(effect),
            false => self.line.push_back(Waiting::Effect(effect)),
        }
    }

    /// A subscription that is about to begin begins now, to end at once: its beginning must not
    /// come after its end.
    fn begin_now(&mut self, subscription: SubscriptionId) {
        let begins = |place: &Waiting<P>| {
            matches!(place, Waiting::Effect(Effect::Subscribe { subscription: one, .. })
                if *one == subscription)
        };
        let place = self.line.iter().position(begins);
        if let Some(Waiting::Effect(effect)) = place.and_then(|place| self.line.remove(place)) {
            self.tell_now(effect);
        }
    }

    /// Issues the outcome of the entry that has just left the queue: rule 4.
    pub fn tell_outcome(&mut self, effect: Effect) {
        self.tell_now(effect);
    }

    /// A stream's own subscription begins to hear, or ends, without an effect.
    pub fn set_heard(&mut self, subscription: SubscriptionId, protocol: Option<ProtocolId>) {
        match protocol {
            Some(protocol) => self.heard.insert(subscription, protocol),
            None => self.heard.remove(&subscription),
        };
    }

    /// Opens a section at the end of the queue: rule 7.
    pub fn open_section(&mut self) {
        self.line.push_back(Waiting::OpenSection);
    }

    /// The core works on the open section from here on.
    pub fn enter_section(&mut self) {
        self.section.active = true;
    }

    /// The core turns to other work; `close`: the section is complete.
    pub fn leave_section(&mut self, close: bool) {
        self.section.active = false;
        if close {
            let effects = std::mem::take(&mut self.section.effects);
            let is_open = |place: &&mut Waiting<P>| matches!(place, Waiting::OpenSection);
            let place = self.line.iter_mut().rev().find(is_open);
            *place.expect("the open section has a place in the queue") = Waiting::Section(effects);
        }
    }

    fn tell_now(&mut self, mut effect: Effect) {
        match &mut effect {
            Effect::Subscribe { subscription, protocol, .. } => {
                self.heard.insert(*subscription, *protocol);
            }
            Effect::Unsubscribe { subscription, .. } | Effect::CloseStream { subscription, .. } => {
                self.heard.remove(subscription);
            }
            // Rule 6.
            Effect::Reply { subscription, .. } if !self.heard.contains_key(subscription) => return,
            Effect::Announce { by, .. } => {
                *by = by.filter(|(subscription, _)| self.heard.contains_key(subscription));
            }
            _ => {}
        }
        self.effects.push(effect);
    }
}

/// Whether an effect belongs to the place of the current entry, or has no place at all.
fn is_at_once(effect: &Effect) -> bool {
    match effect {
        Effect::Announce { event, .. } => event.kind.seq().is_some(),
        Effect::Notify { .. } => true,
        Effect::Subscribe { stream, .. } => stream.is_some(),
        Effect::Unsubscribe { stream, reason, .. } => {
            stream.is_some() || reason.is_some_and(CloseReason::cuts)
        }
        Effect::CloseStream { .. } | Effect::Reply { .. } => false,
        Effect::Answer { .. }
        | Effect::Freeze { .. }
        | Effect::Propose { .. }
        | Effect::Mark { .. }
        | Effect::Touch { .. } => true,
    }
}

#[cfg(any(test, debug_assertions))]
impl<P> Order<P> {
    /// The queue begins with a proposal or an open section, and counts its proposals.
    pub fn check(&self) {
        let is_proposal = |place: &&Waiting<P>| matches!(place, Waiting::Proposal { .. });
        assert_eq!(self.proposals, self.line.iter().filter(is_proposal).count());
        assert!(!self.has_next(), "an effect is late");
        assert!(!self.section.active, "the core has not left a section");
        let open = self.line.iter().filter(|place| matches!(place, Waiting::OpenSection)).count();
        assert!(open == 1 || open == 0 && self.section.effects.is_empty(), "{open} sections");
    }

    /// The effects in the queue, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Effect> {
        self.line.iter().flat_map(|place| match place {
            Waiting::Proposal { .. } => Vec::new(),
            Waiting::Effect(effect) => vec![effect],
            Waiting::Section(effects) => effects.iter().collect(),
            Waiting::OpenSection => self.section.effects.iter().collect(),
        })
    }

    /// The subscriptions that hear something, as clients know.
    pub fn heard(&self) -> impl Iterator<Item = &SubscriptionId> {
        self.heard.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::types::{AccountId, Author, LOBBY, Name, Seq};
    use crate::chat::vocabulary::{Event, EventKind, Receipt};

    const ANN: SubscriptionId = SubscriptionId(1);
    const STREAM: SubscriptionId = SubscriptionId(1 << 16);
    const PROTOCOL: ProtocolId = ProtocolId(0);

    /// A queue whose proposals are remembered by a word.
    struct Line(Order<&'static str>);

    impl Line {
        fn new() -> Line {
            let mut line = Line(Order::new(9));
            line.0.set_heard(ANN, Some(PROTOCOL));
            line
        }

        fn propose(&mut self, word: &'static str) {
            self.0.propose(Time(0), Entry::AccountEnded { account: AccountId(1) }, word);
        }

        fn tell(&mut self, effect: Effect) {
            self.0.tell(effect);
        }

        /// The effects for the hub.
        fn effects(&mut self) -> Vec<String> {
            let mut effects = Vec::new();
            self.0.swap_effects(&mut effects);
            let told = effects.into_iter().map(|effect| match effect {
                Effect::Announce { event, by } => format!("{:?} by {by:?}", event.kind),
                Effect::Propose { ticket, .. } => format!("{ticket:?}"),
                Effect::Reply { reply, .. } => format!("{reply:?}"),
                Effect::Notify { event, .. } => format!("notified {:?}", event.kind),
                Effect::Subscribe { subscription, .. } => format!("{subscription:?} begins"),
                Effect::Unsubscribe { subscription, .. } => format!("{subscription:?} ends"),
                other => format!("{other:?}"),
            });
            told.collect()
        }

        fn advance(&mut self) -> Vec<String> {
            while self.0.tell_next() {}
            self.0.check();
            self.effects()
        }
    }

    fn announce(kind: EventKind) -> Effect {
        let author = Author { account: None, name: Name::new("ann").expect("a name") };
        let event = Event { room: LOBBY, time: Time(0), author, color: None, kind };
        Effect::Announce { event, by: None }
    }

    fn reply() -> Effect {
        Effect::Reply {
            subscription: ANN,
            protocol: PROTOCOL,
            reply: Ok(Receipt::Noted),
            mark: None,
        }
    }

    fn unsubscribe(subscription: SubscriptionId, stream: Option<SubscriptionId>) -> Effect {
        Effect::Unsubscribe { subscription, protocol: PROTOCOL, room: LOBBY, stream, reason: None }
    }

    #[test]
    fn what_happens_at_once_is_told_behind_what_was_proposed_before() {
        let mut line = Line::new();
        line.tell(announce(EventKind::Joined));
        assert_eq!(line.effects(), ["Joined by None"]);
        line.propose("a message");
        line.tell(announce(EventKind::Left));
        line.tell(reply());
        line.propose("another");
        assert_eq!(line.effects(), ["Ticket(1)", "Ticket(2)"]);
        assert_eq!(line.0.settle(Ticket(1)), "a message");
        line.tell(announce(EventKind::Gone { seq: Seq(7) }));
        line.0.tell_outcome(reply());
        line.tell(announce(EventKind::Typing));
        let entry = ["Gone { seq: Seq(7) } by None", "Ok(Noted)"];
        assert_eq!(line.effects(), entry, "the entry and its outcome come first");
        assert_eq!(line.advance(), ["Left by None", "Ok(Noted)"]);
        assert_eq!(line.0.settle(Ticket(2)), "another");
        assert_eq!(line.advance(), ["Typing by None"]);
        assert!(line.0.is_empty());
    }

    #[test]
    fn a_streams_subscriptions_change_at_the_place_of_the_entry() {
        let mut line = Line::new();
        line.propose("a message");
        line.effects();
        let (protocol, room, subscription) = (PROTOCOL, LOBBY, SubscriptionId(STREAM.0 + 1));
        let horizon = Seq(0);
        let stream = Some(STREAM);
        line.tell(Effect::Subscribe { subscription, protocol, room, stream, horizon });
        line.tell(unsubscribe(subscription, Some(STREAM)));
        line.tell(Effect::Subscribe {
            subscription: SubscriptionId(2),
            protocol,
            room,
            stream: None,
            horizon,
        });
        assert_eq!(line.effects(), ["SubscriptionId(65537) begins", "SubscriptionId(65537) ends"]);
        line.0.settle(Ticket(1));
        assert_eq!(line.advance(), ["SubscriptionId(2) begins"]);
    }

    #[test]
    fn nothing_is_told_to_a_subscription_that_has_ended() {
        let mut line = Line::new();
        line.propose("a message");
        line.tell(unsubscribe(ANN, None));
        line.tell(reply());
        let Effect::Announce { event, .. } = announce(EventKind::Left) else { unreachable!() };
        line.tell(Effect::Announce { event, by: Some((ANN, PROTOCOL)) });
        line.effects();
        line.0.settle(Ticket(1));
        assert_eq!(line.advance(), ["SubscriptionId(1) ends", "Left by None"]);
    }

    #[test]
    fn a_section_keeps_its_place() {
        // Before the section stands nothing, an effect, or a proposal.
        for (before, expected) in [(0, "1 2 !"), (1, "- 1 2 !"), (2, "- 1 2 !")] {
            let mut line = Line::new();
            line.propose("the entry");
            let told = ["Left by None", "Joined by None"][before % 2];
            match before {
                0 => {}
                1 => line.tell(announce(EventKind::Joined)),
                _ => {
                    line.propose("a message");
                    line.tell(announce(EventKind::Left));
                }
            }
            line.0.settle(Ticket(1));
            line.0.open_section();
            line.0.enter_section();
            line.tell(unsubscribe(SubscriptionId(11), None));
            line.0.leave_section(false);
            // Another command comes between, and the queue moves up as far as it can.
            line.tell(announce(EventKind::Typing));
            let mut heard = line.effects();
            heard.extend(line.advance());
            line.0.enter_section();
            line.tell(unsubscribe(SubscriptionId(12), None));
            line.0.leave_section(true);
            heard.extend(line.advance());
            if before == 2 {
                assert_eq!(line.0.settle(Ticket(2)), "a message");
                heard.extend(line.advance());
            }
            let short: Vec<&str> = heard
                .iter()
                .filter(|effect| !effect.starts_with("Ticket"))
                .map(|effect| match effect.as_str() {
                    "SubscriptionId(11) ends" => "1",
                    "SubscriptionId(12) ends" => "2",
                    "Typing by None" => "!",
                    other => {
                        assert_eq!(other, told);
                        "-"
                    }
                })
                .collect();
            assert_eq!(short.join(" "), expected, "{before}");
            assert!(line.0.is_empty());
        }
    }

    #[test]
    fn there_is_room_for_so_many_proposals() {
        let mut line = Line(Order::new(2));
        assert!(line.0.has_room_for(2) && !line.0.has_room_for(3));
        line.propose("a message");
        assert!(line.0.has_room_for(1) && !line.0.has_room_for(2));
        line.0.settle(Ticket(1));
        assert!(line.0.has_room_for(2) && !line.0.is_congested());
    }

    #[test]
    #[should_panic(expected = "not the first in the line")]
    fn the_log_answers_in_order() {
        let mut line = Line::new();
        line.propose("a message");
        line.propose("another");
        line.0.settle(Ticket(2));
    }

    #[test]
    #[should_panic(expected = "not the first in the line")]
    fn the_log_does_not_answer_while_a_section_is_open() {
        let mut line = Line::new();
        line.propose("the entry");
        line.0.settle(Ticket(1));
        line.0.open_section();
        line.propose("a message");
        line.0.settle(Ticket(2));
    }
}
