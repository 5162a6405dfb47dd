//! The hub by itself: what stands in its queues, and what happens at their ends.

use tokio::sync::oneshot;

use super::*;
use crate::chat::{
    AccountId, Answer, Ask, Author, Caller, Entry, LOBBY, Name, Refusal, RoomFacts, SessionId,
    Source, Ticket, Title, Visibility, founding,
};
use crate::crypto::{self, KeyHash};
use crate::store::{LineEnd, Write, line};

/// A hub that somebody is known to, after so many messages in the lobby, and whoever is to write.
struct Bench {
    hub: Hub,
    end: LineEnd,
    rounds: Vec<Rounds>,
    session: KeyHash,
    now: Time,
    _handle: HubHandle,
}

impl Bench {
    fn new(messages: u64) -> Bench {
        let (line, end) = line();
        let settings = Settings { session_ttl_secs: 3_600, limits: false };
        let (hub, handle, rounds) = Hub::new(settings, Snapshot::default(), line, &[], "epoch", 2);
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
            bench.log(Entry::Said { room, author, color, text, client_id, reply_to });
        }
        bench
    }

    /// An entry is in the log that this hub has not proposed.
    fn log(&mut self, entry: Entry) {
        let (ticket, seq, time) = (None, Seq(self.hub.chat.last().0 + 1), Time::now());
        self.hub.carry_out(time.into(), Command::Logged { ticket, seq, time, entry });
    }

    /// A round in which this is asked, and nothing else; a minute after the one before, as who asks
    /// too often may be told to wait.
    fn ask(&mut self, what: Ask) -> oneshot::Receiver<Result<Answer, Refusal>> {
        let (answer, answered) = oneshot::channel();
        let (source, caller) = (Source::Local, Caller::Session(self.session));
        self.now = self.now.plus_secs(60);
        self.hub.take(self.now.into(), Message::Ask { source, caller, what, answer });
        self.hub.hand_over().expect("a writer");
        answered
    }

    fn make_room(&mut self, number: usize) -> oneshot::Receiver<Result<Answer, Refusal>> {
        let title = Title::new(&format!("room {number}")).expect("a title");
        let (description, visibility) = (Default::default(), Visibility::Public);
        let facts = RoomFacts { title, description, visibility, password: None };
        self.ask(Ask::MakeRoom { facts, chance: 1 })
    }

    /// The disk takes everything that has reached it. How many marks there were.
    fn write_all(&mut self) -> usize {
        let mut marks = 0;
        while let Ok(batch) = self.end.try_recv() {
            let mut answers = Vec::new();
            for write in batch {
                match write {
                    Write::Entry { ticket, entry, .. } => answers.push((ticket, entry)),
                    Write::Mark { .. } => marks += 1,
                    Write::Touch(_) => {}
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

/// While the disk stands still, somebody reads on as fast as they can: that fills no queue that
/// anything else stands in, and what was proposed is answered in order when the disk comes back.
#[test]
fn marks_without_end_take_no_place_of_an_entry() {
    let steps = PROPOSED_MAX as u64 + 4_000;
    let mut bench = Bench::new(steps);
    let mut first = bench.make_room(0);
    for step in 0..steps {
        let (room, seq) = (LOBBY, Seq(step + 4));
        let mut answered = bench.ask(Ask::Read { room, seq });
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
        bench.rounds.iter_mut().map(|round| round.try_recv().ok()).collect::<Vec<_>>()
    };
    let told = |seq| vec![Some(vec![Item::Head(Seq(seq))]); 2];
    assert_eq!(tick(&mut bench), told(3));
    bench.log(founding());
    assert_eq!(tick(&mut bench), told(4));
    // What is known is not told again.
    assert_eq!(tick(&mut bench), [None, None]);
}

/// Nobody can say any more what came of what was proposed: whoever waits is let go, and the hub
/// ends, by which the server knows.
#[test]
fn when_the_writer_is_gone_nobody_waits_for_ever() {
    let Bench { hub, mut end, session, _handle: handle, .. } = Bench::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let running = tokio::spawn(hub.run());
        let register = |name: &str| {
            let (handle, key, name) = (handle.clone(), crypto::hash(name), name.into());
            let what = Ask::Register { name, key };
            tokio::spawn(async move { handle.ask(Caller::Nobody, what).await })
        };
        let first = register("bob");
        end.recv().await.expect("it is proposed");
        drop(end);
        let second = register("eve");
        for waits in [first, second] {
            assert_eq!(waits.await.expect("an answer"), Err(Refusal::Unavailable));
        }
        running.await.expect("no panic");
        let late = handle.ask(Caller::Session(session), Ask::Me).await;
        assert_eq!(late, Err(Refusal::Unavailable));
    });
}
