//! When a websocket is written to, and when it is read.

use super::*;

/// A client that sends faster than it reads the answers is not read until it has read.
#[test]
fn a_client_that_does_not_read_its_answers_is_slowed() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let shared = shared(service);
        let (stream, peer) = pair();
        let connection = shared.connection(subscription_id(0, 1), stream, None);
        connection.uncork();
        assert!(connection.may_tell());
        let answer = [b'x'; 4_096];
        let mut sent = 0;
        while connection.may_tell() {
            connection.deliver(&answer);
            sent += answer.len();
            assert!(connection.closing().is_none() && sent < 64 * 1024 * 1024, "{sent}");
        }
        let mut peer = peer.into_std().expect("a socket");
        let mut read = 0;
        while read < sent {
            read += peer.read(&mut [0; 65_536]).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(1)).await;
            connection.flush();
        }
        assert!(connection.may_tell());
    });
}

/// Where many websockets listen without a login, each event does not cost a write to each of them.
#[test]
fn a_silent_websocket_in_a_crowd_receives_in_batches() {
    tests::serve(async |Server { service, rounds: _rounds, .. }| {
        let shared = Rc::new(shared(service));
        assert!(!shared.slots.are_crowded());
        let mut crowd = Vec::new();
        for _ in 0..CROWDED_PERCENT {
            let mut slot = slot(&shared).await;
            assert!(shared.slots.admit_stranger(&mut slot));
            crowd.push(slot);
        }
        assert!(shared.slots.are_crowded());
        let (stream, peer) = pair();
        let connection = Rc::new(shared.connection(subscription_id(0, 1), stream, None));
        let mut peer = peer.into_std().expect("a socket");
        let upgrade = format!("GET /chats/1/ws HTTP/1.1\nHost: h\n{}\n", tests::UPGRADE);
        peer.write_all(upgrade.replace('\n', "\r\n").as_bytes()).expect("it fits");
        tokio::time::pause();
        let batch = Duration::from_millis(BATCH_MS);
        let mut heard = || {
            let mut bytes = [0; 1024];
            let count = peer.read(&mut bytes).unwrap_or(0);
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        let listens = async {
            while connection.stage.get().0 != Stage::Silent {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(heard().starts_with("HTTP/1.1 101 "));
            // (The upgrade was a write, too.)
            tokio::time::sleep(batch).await;
            connection.deliver(b"first");
            assert_eq!(heard(), "first", "after a pause at once");
            connection.deliver(b"second");
            connection.deliver(b"third");
            tokio::time::sleep(batch / 2).await;
            assert_eq!(heard(), "");
            connection.deliver(b"fourth");
            tokio::time::sleep(batch).await;
            assert_eq!(heard(), "secondthirdfourth");
            let held = shared.unsent.hold(UNSENT_BYTES_MAX);
            assert!(connection.hear(b"fifth"));
            assert_eq!(heard(), "fifth", "where too much is unsent, nothing waits for a batch");
            drop(held);
            assert!(connection.hear(b"sixth"));
            assert_eq!(heard(), "");
            tokio::time::sleep(2 * batch).await;
            assert_eq!(heard(), "sixth");
            connection.enter(Stage::Busy);
            for frame in ["seventh", "eighth"] {
                connection.deliver(frame.as_bytes());
                assert_eq!(heard(), frame, "a client that talks");
            }
        };
        tokio::select! {
            () = serve(shared.clone(), connection.clone(), slot(&shared).await) => panic!("ended"),
            () = listens => {}
        }
    });
}
