//! What the hub hands to its workers.

use super::*;
use crate::chat::{Entry, founding};

#[test]
fn every_worker_hears_how_far_the_log_is() {
    let (store, _writes) = store_line();
    let settings = Settings { session_ttl_secs: 60, limits: false };
    let (mut hub, _handle, mut rounds) =
        Hub::new(settings, Snapshot::default(), store, &[], "epoch", 2);
    let mut log = |hub: &mut Hub, seq, entry: Entry| {
        let (ticket, seq, time) = (None, Seq(seq), Time(1));
        hub.carry_out(Time(1).into(), Command::Logged { ticket, seq, time, entry });
        hub.tick();
        hub.hand_over();
        rounds.iter_mut().map(|round| round.try_recv().ok()).collect::<Vec<_>>()
    };
    for seq in [1, 2] {
        let told = log(&mut hub, seq, founding());
        assert_eq!(told, vec![Some(vec![Item::Head(Seq(seq))]); 2]);
    }
    // What is known is not told again.
    assert_eq!(log(&mut hub, 2, founding()), [None, None]);
}
