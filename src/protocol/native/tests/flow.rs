//! Flows from end to end.

use super::{bearer, cookie, refusal};
use crate::limits::READERS_MAX;
use crate::protocol::tests::{Reply, Server, serve};
use crate::store::Reader;

/// Sends requests with one key, and compares a refusal, or the status and pieces of the body.
async fn table(server: &Server, key: &str, rows: &[(&str, &str, &str, &[&str])]) -> Vec<Reply> {
    let mut replies = Vec::new();
    for (line, body, expected, pieces) in rows {
        let reply = server.send(line, key, body).await;
        let found = match reply.status {
            ..400 => reply.status.to_string(),
            _ => refusal(&reply),
        };
        assert_eq!(found, *expected, "{line} {body}: {}", reply.body);
        for piece in *pieces {
            assert!(reply.body.contains(piece), "{line}: {piece} in {}", reply.body);
        }
        replies.push(reply);
    }
    replies
}

#[test]
fn saying_and_changing() {
    serve(async |server| {
        let (ann, bo) = (cookie(&server, "Ann").await, bearer(&server, "Bo").await);
        let put = "PUT /api/v1/rooms/1/messages/id-1";
        let said = table(
            &server,
            &ann,
            &[
                (put, r#"{"text":"hi @Bo"}"#, "201", &[r#""client_id":"id-1""#, r#"["Bo"]"#]),
                (put, r#"{"text":"hi @Bo"}"#, "200", &[r#""client_id":"id-1""#]),
                (put, r#"{"text":"other"}"#, "409 client_id_reused", &[]),
            ],
        )
        .await;
        assert_eq!(said[0].body, said[1].body);
        let at = said[0].header("Location").expect("where it is");
        let [get, patch, delete] = ["GET", "PATCH", "DELETE"].map(|how| format!("{how} {at}"));
        let reaction = format!("{at}/reactions/%F0%9F%91%8D");
        let (on, off) = (format!("PUT {reaction}"), format!("DELETE {reaction}"));
        let rows: [(&str, &str, &str, &[&str]); 5] = [
            (&get, "", "200", &[r#""text":"hi @Bo""#]),
            (&on, "", "200", &[r#""reactions":{"👍":["Bo"]}"#]),
            (&off, "", "200", &[]),
            (&patch, r#"{"text":"x"}"#, "403 forbidden", &[]),
            (&delete, "", "403 forbidden", &[]),
        ];
        table(&server, &bo, &rows).await;
        let page = "GET /api/v1/rooms/1/messages?limit=1";
        let rows: [(&str, &str, &str, &[&str]); 7] = [
            (&patch, r#"{"text":"words"}"#, "200", &[r#""text":"words""#, r#""edited":""#]),
            (page, "", "200", &[r#""text":"words""#, r#""more_before":false"#]),
            ("GET /api/v1/search?q=words", "", "200", &[r#""snippet":"#, r#""more":false"#]),
            (&delete, "", "204", &[]),
            (&get, "", "200", &[r#""deleted":true"#]),
            (&patch, r#"{"text":"x"}"#, "404 message_not_found", &[]),
            ("GET /api/v1/rooms/1/messages/999", "", "404 message_not_found", &[]),
        ];
        table(&server, &ann, &rows).await;
        let protocol = server.send("POST /r/1", &bo, "hello\n").await;
        assert_eq!(
            (protocol.status, protocol.header("Content-Type")),
            (201, Some("text/plain; charset=utf-8"))
        );
        let seq = protocol.body.trim_end();
        let read = format!(r#"{{"seq":{seq}}}"#);
        let so_far = format!(r#"{{"read_seq":{seq}}}"#);
        let rows: [(&str, &str, &str, &[&str]); 3] = [
            ("GET /api/v1/rooms/1", "", "200", &[r#""unread":1"#]),
            ("PUT /api/v1/rooms/1/read", &read, "200", &[&so_far]),
            ("PUT /api/v1/rooms/1/read", r#"{"seq":0}"#, "200", &[&so_far]),
        ];
        table(&server, &ann, &rows).await;
    });
}

#[test]
fn coming_to_stay() {
    serve(async |server| {
        let (ann, bo) = (cookie(&server, "Ann").await, bearer(&server, "Bo").await);
        let hidden = r#"{"title":"den","visibility":"hidden","password":"long enough"}"#;
        let private = r#"{"title":"pub","visibility":"private","password":"long enough"}"#;
        let rows: [(&str, &str, &str, &[&str]); 2] = [
            ("POST /api/v1/rooms", hidden, "201", &[r#""member":true"#]),
            ("POST /api/v1/rooms", private, "201", &[r#""id":2"#, r#""owner":"Ann""#]),
        ];
        let made = table(&server, &ann, &rows).await;
        // A hidden room's id cannot be guessed by counting.
        let dark: u64 =
            made[0].body.split(&[':', ','][..]).nth(1).expect("an id").parse().expect("it");
        assert!(dark > 1 << 32, "{dark}");
        let (wrong, right) = (r#"{"password":"a wrong one"}"#, r#"{"password":"long enough"}"#);
        let hidden = &*format!("PUT /api/v1/rooms/{dark}/membership");
        let private = "PUT /api/v1/rooms/2/membership";
        let dark = |line: &str| line.replace("DARK", &dark.to_string());
        let (show, read) =
            (dark("GET /api/v1/rooms/DARK"), dark("GET /api/v1/rooms/DARK/messages"));
        let change = dark("PATCH /api/v1/rooms/DARK");
        let rows: [(&str, &str, &str, &[&str]); 16] = [
            (&show, "", "404 room_not_found", &[]),
            (&read, "", "404 room_not_found", &[]),
            (&change, "{}", "404 room_not_found", &[]),
            (hidden, wrong, "404 room_not_found", &[]),
            (hidden, right, "200", &[r#""member":true"#]),
            (hidden, "", "200", &[r#""member":true"#]),
            ("GET /api/v1/rooms/2", "", "200", &[r#""member":false"#]),
            ("GET /api/v1/rooms/2/messages", "", "403 forbidden", &[]),
            (private, "", "403 wrong_password", &[]),
            (private, wrong, "403 wrong_password", &[]),
            (private, right, "200", &[r#""member":true"#]),
            ("GET /api/v1/rooms/2/members", "", "200", &[r#""name":"Bo""#]),
            ("DELETE /api/v1/rooms/2", "", "403 forbidden", &[]),
            ("DELETE /api/v1/rooms/2/membership", "", "204", &[]),
            ("PUT /api/v1/users/Ann/room", "", "201", &[r#""kind":"direct""#]),
            ("PUT /api/v1/users/Ann/room", "", "200", &[r#""title":"Ann""#]),
        ];
        table(&server, &bo, &rows).await;
        let rows: [(&str, &str, &str, &[&str]); 3] = [
            ("PATCH /api/v1/rooms/2", r#"{"title":"inn"}"#, "200", &[r#""title":"inn""#]),
            ("DELETE /api/v1/rooms/2", "", "204", &[]),
            ("GET /api/v1/rooms/2", "", "404 room_not_found", &[]),
        ];
        table(&server, &ann, &rows).await;
    });
}

#[test]
fn guests_and_sessions() {
    serve(async |server| {
        let begun = server.send("POST /api/v1/guests", "", r#"{"name":"Bo","color":"red"}"#).await;
        assert_eq!(begun.status, 201, "{}", begun.body);
        assert!(begun.body.contains(r#""guest":true"#) && begun.header("Set-Cookie").is_some());
        let again = server.send("POST /api/v1/guests", "", r#"{"name":"bo"}"#).await;
        assert_eq!(refusal(&again), "409 name_taken");
        let key = format!("Authorization: Bearer {}", begun.text("session"));
        let rows: [(&str, &str, &str, &[&str]); 4] = [
            ("GET /api/v1/me", "", "200", &[r#""guest":true"#]),
            ("GET /api/v1/sessions", "", "200", &[r#""current":true"#, r#""agent":"""#]),
            ("DELETE /api/v1/sessions/999", "", "404 not_found", &[]),
            ("DELETE /api/v1/sessions/current", "", "204", &[]),
        ];
        table(&server, &key, &rows).await;
    });
}

/// While every reader of pages is busy, sends and edits are answered, and later reads agree.
#[test]
fn what_the_log_has_taken_needs_no_free_reader() {
    serve(async |server| {
        let guest = server.send("POST /api/v1/guests", "", r#"{"name":"Bo","color":"red"}"#).await;
        let bo = format!("Authorization: Bearer {}", guest.text("session"));
        let first = server.send("PUT /api/v1/rooms/1/messages/id-0", &bo, r#"{"text":"hi"}"#).await;
        let at = first.header("Location").expect("where it is").to_owned();
        let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
        let free: Vec<std::sync::mpsc::Sender<()>> = (0..READERS_MAX)
            .map(|_| {
                let (free, freed) = std::sync::mpsc::channel();
                let (readers, begin) = (server.service.readers.clone(), begin.clone());
                tokio::spawn(async move {
                    let hold = move |_: &Reader| {
                        begin.send(()).expect("the test waits");
                        let _ = freed.recv(); // Until the test ends.
                        Ok(())
                    };
                    readers.read(hold).await
                });
                free
            })
            .collect();
        for _ in 0..READERS_MAX {
            begun.recv().await.expect("it reads");
        }
        let reply = format!(r#"{{"text":"hi @Bo","reply_to":{}}}"#, at.rsplit('/').next().unwrap());
        let put = "PUT /api/v1/rooms/1/messages/id-1";
        let reaction = format!("PUT {at}/reactions/%F0%9F%91%8D");
        let rows: [(&str, &str, &str, &[&str]); 7] = [
            (put, &reply, "201", &[r#""color":"red""#, r#""mentions":["Bo"]"#, r#""reply_to":"#]),
            (put, &reply, "200", &[r#""client_id":"id-1""#]),
            ("POST /api/v1/rooms/1/messages", r#"{"text":"ho"}"#, "201", &[r#""author":"Bo""#]),
            ("POST /r/1", "hello", "201", &[]),
            (&reaction, "", "200", &[r#""reactions":{"👍":["Bo"]}"#]),
            (&reaction, "", "200", &[r#""reactions":{"👍":["Bo"]}"#]),
            (&format!("PATCH {at}"), r#"{"text":"ha"}"#, "200", &[r#""text":"ha""#]),
        ];
        let busy = table(&server, &bo, &rows).await;
        drop(free);
        let said = busy[0].header("Location").expect("where it is");
        for (answered, at) in [(&busy[0], said), (&busy[1], said), (&busy[6], &at)] {
            let read = server.send(&format!("GET {at}"), &bo, "").await;
            assert_eq!(answered.body, read.body);
        }
    });
}
