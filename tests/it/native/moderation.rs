//! Order in rooms, at every door: moderators, mutes, bans from a room, slow mode, read-only and
//! locked rooms, the next owner, and deleting all messages of a person.

use serde_json::{Value, json};

use super::in_charge::{admin, is_done, is_put_out, with_admin};
use super::{Form, User, answer, number, text};
use crate::kit::{TestServer, Ws, cookie, failure, run, shanty};

const NOTHING: &Value = &Value::Null;

fn done(server: &TestServer, who: &User, method: &str, path: &str, body: &Value) {
    let (status, body) = server.api(who, method, path, body);
    assert_eq!(status, 204, "{method} {path}: {body}");
}

/// A server with a room of Own, where Mod moderates, and Bob and Cat are members.
fn room() -> (TestServer, u64, [User; 4]) {
    let server = TestServer::start();
    let all = ["Own", "Mod", "Bob", "Cat"].map(|name| server.user(name));
    let room = server.public(&all[0], "The den");
    all[1..].iter().for_each(|who| server.enter(who, room));
    done(&server, &all[0], "PUT", &format!("/rooms/{room}/moderators/Mod"), NOTHING);
    (server, room, all)
}

/// The next acknowledgement or refusal on a websocket of the seeds.
fn reply(ws: &mut Ws) -> Value {
    loop {
        let heard = ws.json();
        if heard.get("status").is_some() {
            return heard;
        }
    }
}

fn member(server: &TestServer, who: &User, room: u64, name: &str) -> Value {
    let all = server.get(who, &format!("/rooms/{room}/members"));
    let all = all["members"].as_array().expect("a list").clone();
    all.into_iter().find(|one| one["name"] == name).unwrap_or_default()
}

#[test]
fn a_moderator_is_seen_and_heard_and_its_role_is_gone_with_it() {
    let (mut server, room, [own, moderator, bob, cat]) = room();
    let path = |what: &str| format!("/rooms/{room}/{what}");
    assert_eq!(member(&server, &bob, room, "Mod")["role"], "moderator");
    assert_eq!(member(&server, &bob, room, "Own")["role"], "owner");
    assert_eq!(member(&server, &bob, room, "Bob").get("role"), None);
    server.refused(&bob, ("PUT", &path("moderators/Bob"), NOTHING), (403, "forbidden"));
    server.refused(&own, ("PUT", &path("moderators/Nemo"), NOTHING), (404, "user_not_found"));
    let mut live = server.live(&cat, Form::Lines);
    let since = live.since();
    done(&server, &own, "PUT", &path("moderators/Bob"), NOTHING);
    let frame = live.find("member");
    assert_eq!((&frame["name"], &frame["moderator"]), (&json!("Bob"), &json!(true)), "{frame}");
    done(&server, &moderator, "PUT", &path("mutes/Cat"), &json!({"minutes": 5}));
    let frame = live.find("member");
    assert_eq!((&frame["name"], &frame["muted"]), (&json!("Cat"), &json!(true)), "{frame}");
    assert!(frame["muted_until"].is_string());
    // Whoever resumes hears the same.
    let mut again = server.stream(&cat, Form::Lines, &since);
    let heard = [again.find("member"), again.find("member")];
    assert_eq!((&heard[0]["moderator"], &heard[1]), (&json!(true), &frame));
    // Only moderators list it; a restart changes nothing.
    server.refused(&cat, ("GET", &path("moderation"), NOTHING), (403, "forbidden"));
    assert_eq!(server.stop().code, Some(0));
    server.go_on();
    let found = server.get(&bob, &path("moderation"));
    assert_eq!(found["moderators"], json!(["Mod", "Bob"]));
    assert_eq!((&found["muted"][0]["name"], &found["banned"]), (&json!("Cat"), &json!([])));
    done(&server, &own, "DELETE", &path("moderators/Bob"), NOTHING);
    server.refused(&bob, ("DELETE", &path("mutes/Cat"), NOTHING), (403, "forbidden"));
    // A moderator deletes what others wrote, and expels; the room itself is the owner's.
    let rude = server.tell(&bob, room, "rude");
    let message = path(&format!("messages/{}", rude["seq"]));
    done(&server, &moderator, "DELETE", &message, &json!({"reason": "rude"}));
    done(&server, &moderator, "DELETE", &path("members/Bob"), NOTHING);
    let title = json!({"title": "Mine"});
    server.refused(&moderator, ("PATCH", &format!("/rooms/{room}"), &title), (403, "forbidden"));
    server.refused(&moderator, ("DELETE", &format!("/rooms/{room}"), NOTHING), (403, "forbidden"));
}

#[test]
fn whoever_is_muted_is_told_until_when_at_every_door() {
    let (server, ann) = with_admin(&[]);
    let pip = server.account("Pip");
    let user = server.session(&pip.key);
    let said = server.tell(&user, 1, "hello");
    let (mut pirate, mut chitchat) = (server.pirate(&pip), server.ws("/chats/1/ws", &cookie(&pip)));
    chitchat.say(&json!({"event_type": "join", "name": "Pip"}));
    let mut stream = server.live(&user, Form::Ws);
    done(&server, &ann, "PUT", "/rooms/1/mutes/pip", &json!({"minutes": 60, "reason": "spam"}));
    let message = format!("/rooms/1/messages/{}", said["seq"]);
    for (method, path, body) in [
        ("POST", "/rooms/1/messages", json!({"text": "again"})),
        ("PUT", "/rooms/1/messages/abc", json!({"text": "again"})),
        ("PATCH", &message, json!({"text": "other"})),
        ("PUT", &format!("{message}/reactions/%F0%9F%91%8D"), Value::Null),
    ] {
        server.refused(&user, (method, path, &body), (403, "muted"));
    }
    let plain = server.ask("POST /r/1", &user.bearer(), "again");
    let error = &plain.json()["error"];
    assert_eq!(plain.status, 403);
    assert!(text(&error["message"]).starts_with("you are muted in this room until "), "{error}");
    assert!(error["until"].is_string(), "{error}");
    stream.say(&json!({"type": "send", "room": 1, "client_id": "x", "text": "again"}));
    assert_eq!(stream.find("error")["error"]["code"], "muted");
    pirate.say(&json!({"message": "again"}));
    assert_eq!(reply(&mut pirate), json!({"status": false, "code": "muted"}));
    chitchat.say(&json!({"event_type": "send", "name": "Pip", "msg": "again"}));
    assert_eq!(reply(&mut chitchat), failure(308, "Client error: You are muted", ""));
    // A second login is the same person; leaving and coming back changes nothing.
    let other = server.session(&pip.key);
    server.refused(&other, ("POST", "/rooms/1/messages", &json!({"text": "x"})), (403, "muted"));
    done(&server, &user, "DELETE", "/rooms/1/membership", NOTHING);
    server.enter(&user, 1);
    server.refused(&user, ("POST", "/rooms/1/messages", &json!({"text": "x"})), (403, "muted"));
    for minutes in [0, 527_041] {
        let body = json!({"minutes": minutes});
        server.refused(&ann, ("PUT", "/rooms/1/mutes/Pip", &body), (422, "invalid_field"));
    }
    done(&server, &ann, "DELETE", "/rooms/1/mutes/Pip", NOTHING);
    server.tell(&user, 1, "thanks");
    // On the whole server, without an end.
    server.refused(&user, ("PUT", "/users/Pip/mute", NOTHING), (403, "forbidden"));
    done(&server, &ann, "PUT", "/users/Pip/mute", NOTHING);
    let (_, body) = server.api(&user, "POST", "/rooms/1/messages", &json!({"text": "x"}));
    let says = "you are muted on this server until an administrator lifts it";
    assert_eq!(body["error"], json!({"code": "muted", "message": says}));
    assert_eq!(server.get(&user, "/me")["muted"], true);
    assert_eq!(server.get(&ann, "/mutes/users"), json!({"users": [{"name": "Pip"}]}));
    done(&server, &ann, "DELETE", "/users/Pip/mute", NOTHING);
    server.tell(&user, 1, "at last");
}

#[test]
fn a_guest_stays_muted_under_another_name() {
    let (server, ann) = with_admin(&[]);
    let guest = server.send("POST /api/v1/guests", &json!({"name": "Gus"}));
    assert_eq!(guest.status, 201);
    done(&server, &ann, "PUT", "/rooms/1/mutes/Gus", NOTHING);
    let cookie = guest.header("set-cookie").expect("a cookie");
    let header = format!("Cookie: {}\r\n", cookie.split(';').next().expect("its value"));
    let body = json!({"name": "Gil"}).to_string();
    let again = answer(&server.ask("POST /api/v1/guests", &header, &body));
    assert_eq!(again.0, 201, "{}", again.1);
    let gil = User { key: String::new(), session: text(&again.1["session"]) };
    server.refused(&gil, ("POST", "/rooms/1/messages", &json!({"text": "x"})), (403, "muted"));
    // (Gus may be there until the server has seen that he is gone.)
    let muted = server.get(&ann, "/rooms/1/moderation")["muted"].take();
    assert!(muted.as_array().expect("a list").contains(&json!({"name": "Gil"})), "{muted}");
}

#[test]
fn whoever_is_banned_from_a_room_comes_back_through_no_door() {
    let (server, room, [own, moderator, _, _]) = room();
    let pip = server.account("Pip");
    let user = server.session(&pip.key);
    server.enter(&user, room);
    let path = format!("/chats/{room}/ws");
    let mut chitchat = server.ws(&path, &cookie(&pip));
    chitchat.say(&json!({"event_type": "join", "name": "Pip"}));
    let mut stream = server.live(&user, Form::Lines);
    let ban = format!("/rooms/{room}/bans/Pip");
    done(&server, &moderator, "PUT", &ban, &json!({"reason": "floods"}));
    assert_eq!(stream.find("room_gone")["room"], room);
    is_put_out(&mut chitchat);
    server.tell(&own, room, "he is gone");
    let enter = format!("/rooms/{room}/membership");
    server.refused(&user, ("PUT", &enter, NOTHING), (403, "banned_from_room"));
    let refused = server.try_ws(&path, &cookie(&pip)).err().expect("refused");
    assert_eq!(refused.status, 403);
    let says = "Client error: You are banned from this room";
    assert_eq!(refused.json(), failure(311, says, ""));
    // The password opens nothing; a wrong one says no more than to others.
    let close = json!({"visibility": "hidden", "password": "open sesame"});
    assert_eq!(server.api(&own, "PATCH", &format!("/rooms/{room}"), &close).0, 200);
    let password = |word: &str| json!({"password": word});
    let right = password("open sesame");
    server.refused(&user, ("PUT", &enter, &right), (403, "banned_from_room"));
    let wrong = password("open barley");
    server.refused(&user, ("PUT", &enter, &wrong), (404, "room_not_found"));
    done(&server, &own, "DELETE", &ban, NOTHING);
    assert_eq!(server.api(&user, "PUT", &enter, &right).0, 200);
}

#[test]
fn slow_read_only_and_locked_rooms_at_every_door() {
    let (server, room, [own, moderator, bob, _]) = room();
    let path = format!("/rooms/{room}");
    let change = |who: &User, change: Value| server.api(who, "PATCH", &path, &change);
    let mut stream = server.live(&bob, Form::Ws);
    let (status, changed) = change(&moderator, json!({"slow_mode": 3_600}));
    assert_eq!((status, &changed["slow_mode"]), (200, &json!(3_600)), "{changed}");
    let told = stream.find("room");
    assert_eq!(told["room"]["slow_mode"], 3_600, "{told}");
    for wrong in [json!({"slow_mode": 21_601}), json!({"slow_mode": -1}), json!({"locked": 1})] {
        assert_eq!(change(&own, wrong.clone()).0, 422, "{wrong}");
    }
    for theirs in [json!({"read_only": true}), json!({"locked": true})] {
        assert_eq!(change(&moderator, theirs).0, 403);
        assert_eq!(change(&bob, json!({"slow_mode": 0})).0, 403);
    }
    server.tell(&bob, room, "one");
    let messages = format!("/rooms/{room}/messages");
    let (status, refused) = server.api(&bob, "POST", &messages, &json!({"text": "two"}));
    assert_eq!((status, &refused["error"]["code"]), (429, &json!("rate_limited")));
    let wait = number(&refused["error"]["retry_after_ms"]);
    assert!((3_500_000..=3_600_001).contains(&wait), "{wait}");
    assert!(text(&refused["error"]["message"]).starts_with("slow mode: "), "{refused}");
    server.tell(&moderator, room, "as often");
    server.tell(&moderator, room, "as they like");
    let mut jack = server.guest(room, "Jack");
    jack.say(&json!({"event_type": "send", "name": "Jack", "msg": "one"}));
    jack.say(&json!({"event_type": "send", "name": "Jack", "msg": "two"}));
    assert_eq!(reply(&mut jack), failure(305, "Too many requests", ""));
    // A change of everything at once.
    let all = json!({"title": "The hall", "slow_mode": 0, "read_only": true, "locked": true});
    let (_, changed) = change(&own, all);
    assert_eq!(changed["title"], "The hall");
    assert_eq!([&changed["read_only"], &changed["locked"]], [&json!(true), &json!(true)]);
    server.refused(&bob, ("POST", &messages, &json!({"text": "x"})), (403, "read_only"));
    jack.say(&json!({"event_type": "send", "name": "Jack", "msg": "three"}));
    let says = "Client error: Only moderators can post here";
    assert_eq!(reply(&mut jack), failure(309, says, ""));
    let new = server.user("New");
    let enter = format!("/rooms/{room}/membership");
    server.refused(&new, ("PUT", &enter, NOTHING), (403, "locked"));
    let refused = server.try_ws(&format!("/chats/{room}/ws"), "").err().expect("refused");
    let says = "Client error: This room is locked, nobody new may join";
    assert_eq!((refused.status, refused.json()), (403, failure(310, says, "")));
}

#[test]
fn piratchat_has_a_code_for_a_read_only_chat() {
    let (server, ann) = with_admin(&[]);
    let pip = server.account("Pip");
    let mut pirate = server.pirate(&pip);
    let quiet = json!({"read_only": true});
    assert_eq!(server.api(&ann, "PATCH", "/rooms/1", &quiet).0, 200);
    pirate.say(&json!({"message": "ahoy"}));
    assert_eq!(reply(&mut pirate), json!({"status": false, "code": "read_only"}));
    let slow = json!({"read_only": false, "slow_mode": 60});
    assert_eq!(server.api(&ann, "PATCH", "/rooms/1", &slow).0, 200);
    pirate.say(&json!({"message": "ahoy"}));
    assert_eq!(reply(&mut pirate), json!({"status": true}));
    pirate.say(&json!({"message": "ahoy"}));
    assert_eq!(reply(&mut pirate), json!({"status": false, "code": "rate_limited"}));
    assert_eq!(server.api(&ann, "PATCH", "/rooms/1", &json!({"locked": true})).0, 403);
}

#[test]
fn a_room_is_given_away_and_all_messages_of_a_person_go() {
    let (mut server, room, [own, moderator, bob, cat]) = room();
    is_done(&admin(&server, &["make-owner", "Own"]));
    let path = |what: &str| format!("/rooms/{room}/{what}");
    let mut stream = server.live(&cat, Form::Lines);
    for number in 0..150 {
        server.tell(&bob, room, &format!("rude {number}"));
    }
    let kept = server.tell(&cat, room, "polite, not rude");
    let elsewhere = server.tell(&bob, 1, "rude elsewhere");
    let clear = path("members/bob/messages");
    server.refused(&cat, ("DELETE", &clear, NOTHING), (403, "forbidden"));
    server.refused(&moderator, ("DELETE", &clear, &json!({"hours": 25})), (422, "invalid_field"));
    let (status, body) = server.api(&moderator, "DELETE", &clear, &json!({"reason": "rude"}));
    assert_eq!((status, body), (200, json!({"deleted": 150})));
    for _ in 0..150 {
        assert_eq!(stream.find("delete")["by"], "Mod");
    }
    let page = server.get(&cat, &path("messages?limit=200"));
    let left: Vec<&Value> = page["messages"].as_array().expect("a list").iter().collect();
    let left: Vec<u64> = left
        .into_iter()
        .filter(|one| one.get("text").is_some())
        .map(|one| number(&one["seq"]))
        .collect();
    assert_eq!(left, [number(&kept["seq"])]);
    let found = server.get(&cat, "/search?q=rude");
    let found = found["messages"].as_array().expect("a list").iter();
    let found: Vec<&Value> = found.map(|one| &one["seq"]).collect();
    assert_eq!(found, [&elsewhere["seq"], &kept["seq"]]);
    // Again, there is nothing to delete; everywhere, there is.
    let (_, body) = server.api(&moderator, "DELETE", &clear, NOTHING);
    assert_eq!(body, json!({"deleted": 0}));
    server.refused(&moderator, ("DELETE", "/users/Bob/messages", NOTHING), (403, "forbidden"));
    let (_, body) = server.api(&own, "DELETE", "/users/Bob/messages", &json!({"hours": 24}));
    assert_eq!(body, json!({"deleted": 1}));
    // The room is Bob's from now on.
    server.refused(
        &moderator,
        ("PUT", &path("owner"), &json!({"name": "Mod"})),
        (403, "forbidden"),
    );
    let (status, body) = server.api(&own, "PUT", &path("owner"), &json!({"name": "bob"}));
    assert_eq!((status, &body["owner"]), (200, &json!("Bob")), "{body}");
    assert_eq!(stream.find("room")["room"]["owner"], "Bob");
    let title = json!({"title": "Bob's den"});
    assert_eq!(server.api(&bob, "PATCH", &format!("/rooms/{room}"), &title).0, 200);
    // One line each in the audit.
    let deeds = server.get(&own, "/audit")["deeds"].as_array().expect("a list").clone();
    let deeds: Vec<String> = deeds
        .iter()
        .map(|deed| {
            format!("{} {} {}", text(&deed["by"]), text(&deed["what"]), text(&deed["user"]))
        })
        .take(4)
        .collect();
    assert_eq!(
        deeds,
        [
            "Own transfer Bob",
            "Own delete_messages Bob",
            "Mod delete_messages Bob",
            "Mod delete_messages Bob",
        ]
    );
    // All of it is sound, and stays so in an export and an import.
    assert_eq!(server.stop().code, Some(0));
    let mut verify = shanty();
    verify.args(["verify", &server.db()]);
    assert_eq!(run(verify).code, Some(0));
    server.go_on();
    assert_eq!(member(&server, &cat, room, "Bob")["role"], "owner");
}
