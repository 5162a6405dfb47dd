//! The hub by itself: its queues, and the consequences when they are full.

use tokio::sync::oneshot;

use super::*;
use crate::chat::{
    AccountId, Answer, Author, Call, Caller, Entry, LOBBY, Name, Refusal, RoomSettings, SessionId,
    Source, Ticket, Title, Visibility, call, founding,
};
use crate::crypto::{self, KeyHash};
use crate::store::{Job, LineEnd, line};

/// A hub with an account and this many messages in the lobby, and the receiving end of the store's
/// line.
struct Bench {
    hub: Hub,
    end: LineEnd,
    rounds: Vec<Rounds>,
    session: KeyHash,
    now: Time,
    _handle: HubHandle,
}

/// The items of the next round.
fn items(rounds: &mut Rounds) -> Option<Vec<Item>> {
    rounds.try_recv().ok().map(|round| round.items)
}

impl Bench {
    fn new(messages: u64) -> Bench {
        let (line, end) = line();
        let settings = Settings::new(3_600, false);
        let (hub, handle, rounds) =
            Hub::new(settings, Snapshot::default(), line, vec![], "epoch", 2);
        let session = crypto::hash("session");
        let mut bench = Bench { hub, end, rounds, session, now: Time::now(), _handle: handle };
        let (account, name) = (AccountId(1), Name::new("Ann").expect("a name"));
        let (key, agent) = (crypto::hash("key"), "".into());
        bench.log(founding());
        bench.log(Entry::AccountMade { account, name: name.clone(), key: Some(key), color: None });
        let (id, remember) = (SessionId(1), true);
        bench.log(Entry::SessionBegun { session: id, account, key: session, remember, agent });
        let author = Author { account: Some(account), name };
        for _ in 0..messages {
            let (room, author, text) = (LOBBY, author.clone(), "hello".into());
            let (color, client_id, reply_to) = (None, None, None);
            let calls = Box::default();
            bench.log(Entry::Said { room, author, color, text, client_id, reply_to, calls });
        }
        bench
    }

    /// Adds an entry to the log that this hub has not proposed.
    fn log(&mut self, entry: Entry) {
        let (ticket, seq, time) = (None, Seq(self.hub.chat.last().0 + 1), Time::now());
        self.hub.carry_out(time.into(), Command::Logged { ticket, seq, time, entry });
    }

    /// Runs a round with one call; a minute after the one before, as of the rate limits.
    fn ask(&mut self, call: impl Into<Call>) -> oneshot::Receiver<Result<Answer, Refusal>> {
        let (answer, answered) = oneshot::channel();
        let (source, caller) = (Source::Local, Caller::Session(self.session));
        self.now = self.now.plus_secs(60);
        self.hub.take(self.now.into(), Message::Call { source, caller, call: call.into(), answer });
        self.hub.hand_over().expect("a writer");
        answered
    }

    fn make_room(&mut self, number: usize) -> oneshot::Receiver<Result<Answer, Refusal>> {
        let title = Title::new(&format!("room {number}")).expect("a title");
        let (description, visibility) = (Default::default(), Visibility::Public);
        let settings = RoomSettings { title, description, visibility, password: None };
        self.ask(call::MakeRoom { settings, chance: 1 })
    }

    /// The disk commits everything that has reached it. Returns the number of marks.
    fn write_all(&mut self) -> usize {
        let mut marks = 0;
        while let Ok(batch) = self.end.try_recv() {
            let mut answers = Vec::new();
            for write in batch {
                match write {
                    Job::Entry { ticket, entry, .. } => answers.push((ticket, entry)),
                    Job::Mark { .. } => marks += 1,
                    Job::Touch(_) => {}
                }
            }
            let first = self.hub.chat.last().0 + 1;
            let logged = |((ticket, entry), seq): ((Ticket, Entry), u64)| {
                let (ticket, seq, time) = (Some(ticket), Seq(seq), Time::now());
                Command::Logged { ticket, seq, time, entry }
            };
            let answers = answers.into_iter().zip(first..).map(logged).collect();
            self.hub.take(self.now.into(), Message::FromLog(answers));
            self.hub.hand_over().expect("a writer");
        }
        marks
    }
}

/// While the disk stands still, a client moves its read marker as fast as it can: that fills no
/// queue that entries use, and the proposals are answered in order when the disk comes back.
#[test]
fn marks_without_end_take_no_place_of_an_entry() {
    let steps = PROPOSED_MAX as u64 + 4_000;
    let mut bench = Bench::new(steps);
    let mut first = bench.make_room(0);
    for step in 0..steps {
        let (room, seq) = (LOBBY, Seq(step + 4));
        let mut answered = bench.ask(call::Read { room, seq });
        assert_eq!(answered.try_recv(), Ok(Ok(Answer::Read(seq))), "at once");
    }
    let mut last = bench.make_room(1);
    assert!(first.try_recv().is_err() && last.try_recv().is_err(), "they wait for the disk");
    // The first has gone to the disk alone; what came behind it is one mark.
    assert!((1..=2).contains(&bench.write_all()));
    for answered in [&mut first, &mut last] {
        let answer = answered.try_recv().expect("an answer");
        assert!(matches!(answer, Ok(Answer::Room(_))), "{answer:?}");
    }
    assert!(bench.hub.chat.is_settled());
}

#[test]
fn every_worker_hears_how_far_the_log_is() {
    let mut bench = Bench::new(0);
    let tick = |bench: &mut Bench| {
        bench.hub.tick();
        bench.hub.hand_over().expect("a writer");
        bench.rounds.iter_mut().map(items).collect::<Vec<_>>()
    };
    let told = |seq| vec![Some(vec![Item::Head(Seq(seq))]); 2];
    assert_eq!(tick(&mut bench), told(3));
    bench.log(founding());
    assert_eq!(tick(&mut bench), told(4));
    // A known head is not sent again.
    assert_eq!(tick(&mut bench), [None, None]);
}

/// The outcome of pending proposals is unknown: the waiting callers get `Unavailable`, and the hub
/// ends, which tells the server.
#[test]
fn no_caller_waits_for_ever_when_the_writer_is_gone() {
    let Bench { hub, mut end, session, _handle: handle, .. } = Bench::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let running = tokio::spawn(hub.run());
        let register = |name: &str| {
            let (handle, key, name) = (handle.clone(), crypto::hash(name), name.into());
            let call = call::Register { name, key, invitation: None };
            tokio::spawn(async move { handle.call(Caller::Nobody, call).await })
        };
        let first = register("bob");
        end.recv().await.expect("it is proposed");
        drop(end);
        let second = register("eve");
        for waits in [first, second] {
            assert_eq!(waits.await.expect("an answer"), Err(Refusal::Unavailable));
        }
        running.await.expect("no panic");
        let late = handle.call(Caller::Session(session), call::Me).await;
        assert_eq!(late, Err(Refusal::Unavailable));
    });
}

/// A caller waits while the inbox is full, and is answered in the end.
#[test]
fn the_inbox_is_bounded_and_loses_no_call() {
    let Bench { hub, end: _end, session, _handle: handle, .. } = Bench::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let places = INBOX_MAX + CONNECTIONS_MAX;
        let ask = |_| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.call(Caller::Session(session), call::Heard).await })
        };
        let asked: Vec<_> = (0..places + 100).map(ask).collect();
        for _ in 0..asked.len() {
            tokio::task::yield_now().await; // Each time some of them begin.
        }
        assert_eq!(hub.inbox.len(), places);
        let running = tokio::spawn(hub.run());
        for asked in asked {
            assert_eq!(asked.await.expect("no panic"), Ok(Seq(3)));
        }
        drop(handle);
        running.await.expect("it ends");
    });
}

/// Rounds pile up for a stuck worker; far beyond the bound it gets an `Overrun`. Another worker is
/// not affected.
#[test]
fn a_stuck_worker_gets_an_overrun() {
    let mut bench = Bench::new(0);
    let item = |number: usize| Item::Head(Seq(number as u64));
    let turn = |bench: &mut Bench, number: usize| {
        bench.hub.item(0, item(number));
        bench.hub.item(1, item(number));
        bench.hub.hand_over().expect("a writer");
        assert_eq!(items(&mut bench.rounds[1]), Some(vec![item(number)]));
    };
    for number in 0..ROUNDS_MAX + ROUND_ITEMS_MAX {
        turn(&mut bench, number);
    }
    // So far nothing is lost: the items come in as many rounds as there can be, and one more.
    for number in 0..ROUNDS_MAX {
        assert_eq!(items(&mut bench.rounds[0]), Some(vec![item(number)]));
    }
    turn(&mut bench, 0);
    assert_eq!(items(&mut bench.rounds[0]).expect("the rest").len(), ROUND_ITEMS_MAX + 1);
    // Now items are dropped.
    for number in 0..=ROUNDS_MAX + ROUND_ITEMS_MAX {
        turn(&mut bench, number);
    }
    for number in 0..ROUNDS_MAX {
        assert_eq!(items(&mut bench.rounds[0]), Some(vec![item(number)]));
    }
    turn(&mut bench, 0);
    assert_eq!(items(&mut bench.rounds[0]), Some(vec![Item::Overrun, item(0)]));
}

/// Proposals are bounded while the disk stands still: beyond the bound a call is refused at once;
/// the calls before are answered when the disk comes back.
#[test]
fn a_bounded_number_of_entries_waits_for_the_disk() {
    let mut bench = Bench::new(0);
    let register = |bench: &mut Bench, number: usize| {
        let name = format!("n{number}");
        bench.ask(call::Register { key: crypto::hash(&name), name: name.into(), invitation: None })
    };
    let waiting: Vec<_> = (0..PROPOSED_MAX).map(|number| register(&mut bench, number)).collect();
    let mut refused = register(&mut bench, PROPOSED_MAX);
    assert_eq!(refused.try_recv(), Ok(Err(Refusal::Unavailable)));
    while !bench.hub.chat.is_settled() {
        bench.write_all();
    }
    for mut answered in waiting {
        assert_eq!(answered.try_recv(), Ok(Ok(Answer::Done(()))));
    }
    let mut again = register(&mut bench, PROPOSED_MAX);
    bench.write_all();
    assert_eq!(again.try_recv(), Ok(Ok(Answer::Done(()))));
}
