//! What each field must be: one sentence for the error of each.

use crate::protocol::native::errors::Code;

/// The requirement of a field, for the sentence of its error.
pub(super) fn wanted(field: &str) -> &'static str {
    match field {
        "name" => {
            "name must be 1 to 32 letters and digits (A-Z a-z 0-9); a guest's name may contain \
             letters and digits of any script, emoji and single spaces, but nothing invisible, \
             no :, no @ at the beginning, and no reserved word for the server or for everybody"
        }
        "key" => "key must be the key that you got when you registered",
        "slow_mode" => "slow_mode must be seconds, from 0 (off) to 21600 (6 hours)",
        "hours" => "hours must be a number from 1 to 24",
        "remember" | "on" | "read_only" | "locked" => "this field must be true or false",
        "color" => "color must be a CSS colour, such as #ff00aa",
        "title" => {
            "title must be 2 to 70 characters, with at least one letter, digit or emoji, single \
             spaces, nothing invisible, and not only digits"
        }
        "description" => "description must be a text of at most 70 characters",
        "role" => "role must be owner or administrator",
        "reason" => "reason must be a line of at most 200 characters",
        "token" => "token must be the last part of the setup link that the server printed",
        "registration" => "registration must be open, invite or closed",
        "guests" => "guests must be on, rooms or off",
        "uses" => "uses must be a number from 1 to 1000",
        "days" => "days must be a number from 1 to 365",
        "code" => "code must be the last part of the link that you were given",
        "invitation" => "invitation must be the last part of the link that you were given",
        "page" => "page must be the address of the page, such as https://chat.example.org/",
        "minutes" | "address_minutes" => "this field must be minutes, from 1 to 43200 (30 days)",
        "address" => "address must be an address of another machine, such as 203.0.113.7",
        "visibility" => "visibility must be public, private or hidden",
        "password" => {
            "password must be 8 to 256 characters for a private or hidden room; leave it out for \
             a public room"
        }
        "text" => "text must be a string, without control characters except tabs and line ends",
        "client_id" => "client_id must be 1 to 64 characters of A-Z a-z 0-9 _ -",
        "Idempotency-Key" => "Idempotency-Key must be 1 to 64 characters of A-Z a-z 0-9 _ -",
        "emoji" => "emoji must be one emoji, percent-encoded in a path",
        "limit" => "limit must be a number from 1 to 200",
        "q" => "q must be the words to search for",
        "author" => "author must be the name of a user",
        "type" => "type must be send, edit, delete, react, typing or read",
        "room" => "room must be a room number",
        "rooms" => "rooms must be room numbers separated by commas, such as 1,7",
        "since" => {
            "since must be <epoch>:<seq>, such as cf860fcf0f85527f:12: an event id of the \
             stream, or the position in GET /api/v1/server"
        }
        "reply_to" => "reply_to must be the number of a message in this room",
        "seq" | "target" | "before" | "after" | "around" => {
            "this field must be the number of a message"
        }
        _ => Code::InvalidField.definition().2,
    }
}
