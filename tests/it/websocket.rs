//! RFC 6455 over a live socket: every shape of frame, every way a connection can end, and that the
//! other clients get one leave.

use serde_json::json;

use crate::frames::header;
use crate::kit::ws::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, handshake};
use crate::kit::{Heard, TestServer, Ws, failure, joined, left, said, send};

/// A witness in room 1 gets the other's join; then `act` makes the server close the other with
/// `code`, and the witness gets one leave, and stays connected.
fn closes(code: u16, act: impl FnOnce(&mut Ws)) {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let mut other = server.guest(1, "Other");
    witness.expect(&joined(1, "Other"));
    act(&mut other);
    other.expect_close(code);
    witness.expect(&left(1, "Other"));
    witness.say(&send("Witness", "still here"));
    witness.expect(&said(1, "Witness", "still here"));
}

#[test]
fn frames_may_come_with_the_handshake() {
    let server = TestServer::start();
    let mut http = server.http();
    let join = json!({"event_type": "join", "name": "Eve"}).to_string();
    let say = send("Eve", "early").to_string();
    let mut bytes = handshake(&http.host(), "/chats/1/ws", "").into_bytes();
    bytes.extend(frame(TEXT, true, join.as_bytes()));
    bytes.extend(frame(TEXT, true, say.as_bytes()));
    http.send(bytes);
    let mut ws = Ws::upgraded(http).expect("a websocket");
    ws.expect(&joined(1, "Eve"));
    ws.expect(&said(1, "Eve", "early"));
}

#[test]
fn a_whole_visit_in_one_packet_is_heard() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let mut http = server.http();
    let mut bytes = handshake(&http.host(), "/chats/1/ws", "").into_bytes();
    bytes.extend(frame(TEXT, true, send("Eve", "and gone").to_string().as_bytes()));
    bytes.extend(frame(CLOSE, true, &1000_u16.to_be_bytes()));
    http.send(bytes);
    witness.expect(&said(1, "Eve", "and gone"));
    witness.expect(&left(1, "Eve"));
}

#[test]
fn a_message_may_come_in_pieces_with_pings_between_them() {
    let server = TestServer::start();
    let mut ws = server.guest(1, "Ann");
    let text = send("Ann", "häppchen").to_string();
    let (first, rest) = text.as_bytes().split_at(text.find('ä').expect("it is there") + 1);
    ws.frame(TEXT, false, first);
    ws.frame(PING, true, b"between");
    ws.frame(CONTINUATION, false, &[]);
    ws.frame(CONTINUATION, true, rest);
    assert_eq!(ws.hear(), Heard::Pong(b"between".to_vec()));
    ws.expect(&said(1, "Ann", "häppchen"));
    // And byte by byte, as the network may deliver.
    for byte in frame(TEXT, true, send("Ann", "drip").to_string().as_bytes()) {
        ws.http.send([byte]);
    }
    ws.expect(&said(1, "Ann", "drip"));
}

#[test]
fn a_ping_is_answered_and_a_pong_is_not() {
    let server = TestServer::start();
    let mut ws = server.guest(1, "Ann");
    ws.frame(PONG, true, b"unasked");
    ws.frame(PING, true, b"");
    assert_eq!(ws.hear(), Heard::Pong(Vec::new()));
    ws.frame(PING, true, &[7; 125]);
    assert_eq!(ws.hear(), Heard::Pong(vec![7; 125]));
}

#[test]
fn a_close_is_answered_with_its_own_code() {
    closes(1000, |ws| ws.frame(CLOSE, true, &1000_u16.to_be_bytes()));
    closes(4321, |ws| ws.frame(CLOSE, true, b"\x10\xe1and why"));
    // RFC 6455 section 7.1.5: without a code there is none (1005).
    closes(1005, |ws| ws.frame(CLOSE, true, b""));
}

#[test]
fn what_is_said_before_a_close_is_heard() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let mut other = server.guest(1, "Other");
    witness.expect(&joined(1, "Other"));
    let mut bytes = Vec::new();
    for index in 0..100 {
        let text = send("Other", &format!("number {index}")).to_string();
        bytes.extend(frame(TEXT, true, text.as_bytes()));
    }
    bytes.extend(frame(CLOSE, true, &1000_u16.to_be_bytes()));
    other.http.send(bytes);
    for index in 0..100 {
        witness.expect(&said(1, "Other", &format!("number {index}")));
    }
    witness.expect(&left(1, "Other"));
}

#[test]
fn too_long_is_1009() {
    closes(1009, |ws| ws.frame(TEXT, true, &[b'x'; 64 * 1024 + 1]));
    // The sum of all fragments counts.
    closes(1009, |ws| {
        ws.frame(TEXT, false, &[b'x'; 40 * 1024]);
        ws.frame(CONTINUATION, true, &[b'x'; 40 * 1024]);
    });
    // The announced length is enough: the server does not wait for the payload.
    closes(1009, |ws| {
        let mut bytes = header(0x80 | TEXT, 1 << 40, true);
        bytes.extend_from_slice(b"mask");
        ws.http.send(bytes);
    });
}

#[test]
fn just_fitting_is_refused_as_too_much_said_and_the_connection_stays() {
    let server = TestServer::start();
    let mut ws = server.guest(1, "Ann");
    let head = r#"{"event_type":"send","name":"Ann","msg":""#;
    let fill = "x".repeat(64 * 1024 - head.len() - 2);
    ws.text(&format!(r#"{head}{fill}"}}"#));
    let refused = ws.json();
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["field"]),
        (&303.into(), &"msg".into())
    );
    ws.say(&send("Ann", "on"));
    ws.expect(&said(1, "Ann", "on"));
}

#[test]
fn binary_is_1003() {
    closes(1003, |ws| ws.frame(BINARY, true, b"{}"));
}

#[test]
fn breaking_the_protocol_is_1002() {
    closes(1002, |ws| {
        let mut bytes = header(0x80 | TEXT, 2, false);
        bytes.extend_from_slice(b"{}");
        ws.http.send(bytes); // Not masked.
    });
    closes(1002, |ws| ws.frame(TEXT | 0x40, true, b"{}")); // A reserved bit.
    closes(1002, |ws| ws.frame(3, true, b"{}")); // A reserved opcode.
    closes(1002, |ws| ws.frame(CONTINUATION, true, b"{}")); // Nothing to continue.
    closes(1002, |ws| {
        ws.frame(TEXT, false, b"{");
        ws.frame(TEXT, true, b"}"); // The first has not ended.
    });
    closes(1002, |ws| ws.frame(PING, false, b"")); // A control frame in pieces.
    closes(1002, |ws| ws.frame(PING, true, &[0; 126])); // A control frame that is too long.
    closes(1002, |ws| ws.frame(CLOSE, true, &[3])); // Half a code.
    closes(1002, |ws| ws.frame(CLOSE, true, &1005_u16.to_be_bytes())); // Never sent.
}

#[test]
fn text_that_is_not_utf_8_is_1007() {
    closes(1007, |ws| ws.frame(TEXT, true, b"\xff\xfe"));
    closes(1007, |ws| {
        ws.frame(TEXT, false, b"\xe2\x82");
        ws.frame(CONTINUATION, true, b""); // Half a letter.
    });
    closes(1007, |ws| ws.frame(CLOSE, true, b"\x03\xe8\xff")); // In the reason.
}

#[test]
fn who_vanishes_is_heard_to_leave_once() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    for round in 0..3 {
        let other = server.guest(1, "Other");
        witness.expect(&joined(1, "Other"));
        match round {
            0 => other.vanish(),
            1 => drop(other),
            _ => {
                // A reset.
                let socket = socket2::SockRef::from(&other.http.stream);
                socket.set_linger(Some(std::time::Duration::ZERO)).expect("a socket option");
                drop(other);
            }
        }
        witness.expect(&left(1, "Other"));
    }
    // The name is free, and no second leave comes.
    let _other = server.guest(1, "Other");
    witness.expect(&joined(1, "Other"));
}

#[test]
fn who_vanishes_in_the_middle_of_a_frame_or_a_message_leaves() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let whole = frame(TEXT, true, send("Other", "never whole").to_string().as_bytes());
    for cut in [1, 5, 9, whole.len() - 1] {
        let mut other = server.guest(1, "Other");
        witness.expect(&joined(1, "Other"));
        other.http.send(&whole[..cut]);
        other.vanish();
        witness.expect(&left(1, "Other"));
    }
}

#[test]
fn whoever_says_nothing_for_too_long_is_dead_and_whoever_answers_pings_is_not() {
    let server = TestServer::with(&["--ping-interval", "100", "--pong-deadline", "400"]);
    let mut witness = server.guest(1, "Witness");
    let mut silent = server.guest(1, "Silent");
    witness.expect(&joined(1, "Silent"));
    // The witness answers pings while it waits; the silent client is pinged once, and cut off.
    witness.expect(&left(1, "Silent"));
    assert_eq!(silent.hear(), Heard::Ping(Vec::new()));
    assert_eq!(silent.hear(), Heard::End);
    witness.say(&send("Witness", "alive"));
    witness.expect(&said(1, "Witness", "alive"));
}

#[test]
fn whatever_the_peer_sends_is_a_sign_of_life() {
    let server = TestServer::with(&["--ping-interval", "200", "--pong-deadline", "500"]);
    let mut ws = server.guest(1, "Ann");
    // No pong; but a message follows each ping.
    for index in 0..4 {
        assert_eq!(ws.hear(), Heard::Ping(Vec::new()));
        let word = format!("word {index}");
        ws.say(&send("Ann", &word));
        ws.expect(&said(1, "Ann", &word));
    }
}

#[test]
fn a_client_that_does_not_answer_our_close_is_not_waited_for_long() {
    let server = TestServer::start();
    let mut witness = server.guest(1, "Witness");
    let mut other = server.guest(1, "Other");
    witness.expect(&joined(1, "Other"));
    other.frame(BINARY, true, b"");
    witness.expect(&left(1, "Other")); // At once, not after the handshake.
    assert!(matches!(other.hear(), Heard::Close(1003, _)));
    assert_eq!(other.hear(), Heard::End);
}

#[test]
fn nothing_is_heard_after_the_close_frame() {
    let server = TestServer::start();
    let mut talker = server.guest(1, "Talker");
    let mut other = server.guest(1, "Other");
    talker.expect(&joined(1, "Other"));
    other.frame(BINARY, true, b"");
    talker.expect(&left(1, "Other"));
    for index in 0..10 {
        let word = format!("word {index}");
        talker.say(&send("Talker", &word));
        talker.expect(&said(1, "Talker", &word));
    }
    other.expect_close(1003);
}

#[test]
fn who_joins_a_second_time_is_told_and_nobody_else() {
    let server = TestServer::start();
    let ann = server.account("ann");
    let mut bob = server.guest(1, "bob");
    let mut pirate = server.pirate(&ann);
    bob.expect(&joined(1, "ann"));
    // Ann is present already, through another protocol, and through another tab.
    let headers = format!("Cookie: {}\r\n", ann.cookie);
    for color in ["#010203", "#040506"] {
        let mut tab = server.ws("/chats/1/ws", &headers);
        tab.say(&json!({"event_type": "join", "name": "ann", "color": color}));
        let mut own = joined(1, "ann");
        own["color"] = json!(color);
        tab.expect(&own);
        tab.say(&send("ann", "again"));
        let mut told = said(1, "ann", "again");
        told["color"] = json!(color);
        tab.expect(&told);
        bob.expect(&told);
        pirate.expect(&json!({"message": "again", "author": "ann"}));
        // On the same connection it is an error, as ever.
        tab.say(&json!({"event_type": "join", "name": "ann"}));
        tab.expect(&failure(202, "Client error: Duplicate username", "name"));
        tab.bye();
    }
    bob.say(&send("bob", "bye"));
    bob.expect(&said(1, "bob", "bye"));
}
