//! For every queue, buffer and table with a bound in `src/limits.rs`: the test that fills it and
//! checks the consequence in the map. A bound that no test fills is a guess.

use std::fs;
use std::path::Path;

/// A bound, the file of a test that fills it, and the name of that test. (Where a bound is too
/// large for a test, the test fills the same code with a smaller one.)
const FILLED: &[[&str; 3]] = &[
    // HTTP and websockets.
    ["HEAD_BYTES_MAX", "src/http/tests/heads.rs", "heads_are_bounded"],
    ["HEADERS_MAX", "src/http/tests/heads.rs", "heads_are_bounded"],
    ["TARGET_BYTES_MAX", "src/http/tests/targets.rs", "long_targets"],
    ["BODY_BYTES_MAX", "src/http/tests/bodies.rs", "at_the_bound"],
    ["CHUNK_LINE_BYTES_MAX", "src/http/tests/bodies.rs", "chunk_extensions_are_ignored"],
    ["TRAILER_BYTES_MAX", "src/http/tests/bodies.rs", "trailers_are_checked_and_thrown_away"],
    ["MESSAGE_BYTES_MAX", "src/ws/tests.rs", "sizes_up_to_the_limit"],
    ["PROXY_HEADER_BYTES_MAX", PROXIES, "what_is_no_header_is_closed_and_counted"],
    // Connections.
    ["CONNECTIONS_MAX", OVERLOAD, "connections_beyond_the_bound_wait_and_are_then_served"],
    ["ARRIVALS_MAX", "src/server/dispatch.rs", "when_all_workers_are_stuck_the_next_waits_for_any"],
    ["OUTBOX_BYTES_MAX", OVERLOAD, "the_frames_of_a_dropped_reader_have_no_gap"],
    ["STREAM_OUTBOX_BYTES_MAX", SLOW, "a_stalled_stream_falls_behind_and_catches_up"],
    ["UNSENT_BYTES_MAX", "src/outgoing.rs", "a_budget_counts_all_holders_together"],
    ["INPUT_BYTES_MAX", OVERLOAD, "messages_that_never_end_do_not_hold_memory_for_ever"],
    ["LAG_OWN_MAX", "src/connection/lag.rs", "a_lag_is_bounded"],
    ["LAG_BYTES_MAX", "src/connection/lag.rs", "a_lag_is_bounded"],
    ["UNANSWERED_MAX", CONNECTION, "a_client_that_waits_for_the_disk_is_not_taken_for_dead"],
    // The hub and its lines.
    ["INBOX_MAX", HUB, "the_inbox_is_bounded_and_loses_no_call"],
    ["ROUND_COMMANDS_MAX", "src/worker/simulation/mod.rs", "whatever_happens"],
    ["ROUNDS_MAX", HUB, "a_stuck_worker_gets_an_overrun"],
    ["ROUND_ITEMS_MAX", HUB, "a_stuck_worker_gets_an_overrun"],
    ["PRESENCE_GATHERED_MAX", PRESENCE, "many_joins_are_announced_at_the_end_of_the_second"],
    ["STEPS_MAX", "src/chat/tests/growth.rs", "the_work_of_a_command_does_not_grow"],
    ["PROPOSED_MAX", HUB, "a_bounded_number_of_entries_waits_for_the_disk"],
    ["BATCHES_MAX", HUB, "a_bounded_number_of_entries_waits_for_the_disk"],
    ["MARKS_WAITING_MAX", "src/store/line.rs", "waiting_marks_and_touches_are_bounded"],
    ["TOUCHES_WAITING_MAX", "src/store/line.rs", "waiting_marks_and_touches_are_bounded"],
    ["COMMIT_ENTRIES_MAX", WRITING, "everything_is_answered_once_and_in_order"],
    // Beside the hub.
    ["READERS_MAX", GATES, "every_read_gets_its_turn_or_gives_up"],
    ["READERS_IN_TURN_MAX", GATES, "every_read_gets_its_turn_or_gives_up"],
    ["PASSWORD_WAITING_MAX", PASSWORDS, "one_password_is_not_locked_out_by_thousands"],
    ["LOG_LINES_MAX", "tests/it/logging.rs", "an_unread_log_delays_nothing"],
    ["IMPORT_LINE_BYTES_MAX", "src/store/admin/tests.rs", "lines_have_an_end"],
    // What lasts.
    ["ACCOUNTS_MAX", FULL, "rooms_and_accounts"],
    ["ROOMS_MAX", FULL, "rooms_and_accounts"],
    ["MEMBERS_MAX", FULL, "members_of_a_room"],
    ["ROOMS_PER_ACCOUNT_MAX", FULL, "rooms_of_an_account"],
    ["DIRECT_ROOMS_PER_ACCOUNT_MAX", FULL, "rooms_for_two_count_for_who_opened_them"],
    ["ROOMS_PER_GUEST_MAX", QUOTAS, "a_guest_is_in_fewer_rooms"],
    ["OWNED_ROOMS_PER_ACCOUNT_MAX", QUOTAS, "rooms_that_one_owns_count_though_one_has_left_them"],
    ["OWNED_ROOMS_PER_GUEST_MAX", QUOTAS, "rooms_that_one_owns_count_though_one_has_left_them"],
    [
        "GUESTS_PER_ADDRESS_MAX",
        QUOTAS,
        "guests_and_accounts_count_for_networks_and_for_wider_ones_more_loosely",
    ],
    [
        "ACCOUNTS_PER_ADDRESS_MAX",
        QUOTAS,
        "guests_and_accounts_count_for_networks_and_for_wider_ones_more_loosely",
    ],
    [
        "FREE_ROOMS_PER_ADDRESS_MAX",
        QUOTAS,
        "what_an_address_has_made_counts_as_long_as_it_is_there",
    ],
    [
        "BLOCKED_PER_ACCOUNT_MAX",
        BLOCKS,
        "nobody_blocks_more_than_so_many_and_guests_who_are_gone_make_room",
    ],
    ["DELETED_ROOMS_PER_OWNER_MAX", DELETED, "so_many_are_kept_of_one_owner"],
    ["DELETED_ROOMS_MAX", DELETED, "so_many_are_kept_of_all"],
    ["DELETED_MEMBERS_MAX", DELETED, "so_many_are_kept_of_all"],
    ["SESSIONS_PER_ACCOUNT_MAX", PEOPLE, "sessions_that_begin_at_once_are_bounded_too"],
    ["STREAMS_PER_ACCOUNT_MAX", STREAMS, "a_stream_ends_with_its_session_and_the_oldest_makes_way"],
    ["BANNED_ADDRESSES_MAX", BANS, "so_many_addresses_are_banned"],
    ["INVITATIONS_MAX", INVITATIONS, "so_many_invitations_are_open_at_once"],
    ["INVITATIONS_PER_ACCOUNT_MAX", INVITATIONS, "so_many_invitations_are_open_at_once"],
    ["INVITATIONS_PER_ROOM_MAX", INVITATIONS, "so_many_invitations_are_open_at_once"],
    ["RECOVERIES_MAX", INVITATIONS, "so_many_links_for_new_keys_are_open_at_once"],
    ["MODERATORS_MAX", MODERATION, "a_room_has_so_many_moderators_mutes_and_bans"],
    ["MUTES_PER_ROOM_MAX", MODERATION, "a_room_has_so_many_moderators_mutes_and_bans"],
    ["BANS_PER_ROOM_MAX", MODERATION, "a_room_has_so_many_moderators_mutes_and_bans"],
    ["MUTED_ACCOUNTS_MAX", MODERATION, "so_many_accounts_are_muted_everywhere"],
    ["SLOW_SPEAKERS_MAX", "src/chat/state/slow.rs", "so_many_wait"],
    ["REACTIONS_MAX", MESSAGES, "a_message_bears_so_many_reactions"],
    ["REACTION_KINDS_MAX", MESSAGES, "nobody_uses_up_the_kinds_of_reactions"],
    ["REACTIONS_PER_PERSON_MAX", MESSAGES, "nobody_uses_up_the_kinds_of_reactions"],
];

const BANS: &str = "src/chat/tests/bans.rs";
const BLOCKS: &str = "src/chat/tests/blocks.rs";
const CONNECTION: &str = "src/connection/tests.rs";
const DELETED: &str = "src/chat/tests/deleted.rs";
const FULL: &str = "src/chat/tests/full.rs";
const GATES: &str = "src/store/tests/gates.rs";
const HUB: &str = "src/hub/tests.rs";
const INVITATIONS: &str = "src/chat/tests/invitations.rs";
const PROXIES: &str = "tests/it/proxy_header.rs";
const MODERATION: &str = "src/chat/tests/moderation.rs";
const OVERLOAD: &str = "tests/it/overload.rs";
const PASSWORDS: &str = "src/protocol/passwords.rs";
const PEOPLE: &str = "src/chat/tests/people.rs";
const PRESENCE: &str = "src/hub/presence.rs";
const QUOTAS: &str = "src/chat/tests/quotas.rs";
const SLOW: &str = "tests/it/native/slow.rs";
const STREAMS: &str = "src/chat/tests/streams.rs";
const MESSAGES: &str = "src/store/tests/messages.rs";
const WRITING: &str = "src/store/tests/writing.rs";

/// Bounds of things that do not queue or gather: lengths of one thing, sizes of one page or one
/// step, numbers of threads, and ranges of settings.
const NO_QUEUES: &[&str] = &[
    "ACME_ANSWER_BYTES_MAX",
    "AGENT_CHARS_MAX",
    "ANSWER_ITEMS_MAX",
    "BAN_MINUTES_MAX",
    "BLOCKING_THREADS_MAX",
    "CLEARED_AT_ONCE_MAX",
    "CLEAR_HOURS_MAX",
    "CLEAR_LOOKS_MAX",
    "CLIENT_ID_BYTES_MAX",
    "COLOR_CHARS_MAX",
    "COOKIES_TRIED_MAX",
    "DESCRIPTION_CHARS_MAX",
    "EMOJI_BYTES_MAX",
    "ENTRIES_PAGE_MAX",
    "INVITATION_DAYS_MAX",
    "INVITATION_USES_MAX",
    "LOG_LINE_BYTES_MAX",
    "MARKS_MAX",
    "MENTIONS_MAX",
    "MESSAGE_CHARS_MAX",
    "MUTE_MINUTES_MAX",
    "NAME_CHARS_MAX",
    "OPERATOR_LINE_BYTES_MAX",
    "PAGE_ADDRESS_CHARS_MAX",
    "PAGE_BYTES_MAX",
    "PAGE_ENTRIES_MAX",
    "PAGE_MESSAGES_MAX",
    "LISTENERS_MAX",
    "MENTION_PLACES_MAX",
    "PASSWORD_CHARS_MAX",
    "PIRATCHAT_MESSAGE_CHARS_MAX",
    "PRUNE_PAGES_MAX",
    "PRUNE_ROWS_MAX",
    "REASON_CHARS_MAX",
    "RETAIN_DAYS_MAX",
    "RETAIN_LOOKS_MAX",
    "RETAIN_MESSAGES_MAX",
    "SEARCH_LOOKS_MAX",
    "SEARCH_ROOMS_MAX",
    "SEARCH_SMALL_ROOMS_MESSAGES_MAX",
    "SEARCH_TOKENS_MAX",
    "SEARCH_WALK_BYTES_MAX",
    "SEARCH_WALK_MESSAGES_MAX",
    "SEARCH_WORDS_MAX",
    "SLOW_SECS_MAX",
    "TITLE_CHARS_MAX",
    "TLS_FILE_BYTES_MAX",
    "VOUCH_TRIES_MAX",
    "UNREAD_LOOKS_MAX",
    "UNREAD_MAX",
    "WAL_PAGES_MAX",
    "WORD_CHARS_MAX",
    "WORKERS_MAX",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_bound_is_filled_by_a_test() {
    let files = ["src/limits.rs", "src/limits/in_charge.rs", "src/limits/edge.rs"];
    let limits = files.map(read).concat() + &read("src/limits/moderation.rs");
    let constants = limits.lines().filter_map(|line| line.strip_prefix("pub const "));
    let names = constants.filter_map(|rest| rest.split(':').next());
    let bounds: Vec<&str> = names.filter(|name| name.ends_with("_MAX")).collect();
    assert!(bounds.len() > 40, "the numbers are found");
    let mut wrong = Vec::new();
    for bound in &bounds {
        if !FILLED.iter().any(|[name, ..]| name == bound) && !NO_QUEUES.contains(bound) {
            wrong.push(format!("{bound}: which test fills it? Say so in tests/it/bounds.rs"));
        }
    }
    for [name, file, test] in FILLED {
        let source = read(file);
        let there = source.split("#[test]").skip(1).any(|after| {
            let declared = after.find("fn ").map(|at| &after[at + 3..]);
            declared.is_some_and(|rest| rest.strip_prefix(test).is_some_and(|r| r.starts_with('(')))
        });
        if !there {
            wrong.push(format!("{name}: {file} has no test {test}"));
        }
    }
    let listed = FILLED.iter().map(|[name, ..]| name).chain(NO_QUEUES);
    wrong
        .extend(listed.filter(|name| !bounds.contains(name)).map(|name| format!("{name} is gone")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
