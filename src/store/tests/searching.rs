//! Searching: results, their order, and that no typed text is an error.

use std::time::Instant;

use super::*;
use crate::chat::Folded;
use crate::limits::{
    INDEX_BYTES, INDEX_ENTRIES, SEARCH_DEADLINE_MS, SEARCH_LOOKS_MAX, SEARCH_WALK_MESSAGES_MAX,
    SNIPPET_CHARS,
};
use crate::store::{Found, Query};

fn ask(words: &str) -> Query {
    let rooms = vec![(RoomId(1), Seq(0)), (RoomId(2), Seq(0))];
    Query { words: words.into(), rooms, author: None, before: None, limit: 50 }
}

fn found(scratch: &Scratch, query: &Query) -> Found {
    scratch.reader().search(query).expect("a search is never an error")
}

fn numbers(found: &Found) -> Vec<u64> {
    found.messages.iter().map(|(message, _)| message.seq.0).collect()
}

/// The numbers of the matching messages in rooms 1 and 2.
pub(super) fn search(scratch: &Scratch, words: &str) -> Vec<u64> {
    numbers(&found(scratch, &ask(words)))
}

fn fill(writer: &mut Writer) {
    writer.commit((0..INDEX_ENTRIES).map(|_| write(1, said(9, "filling"))).collect());
}

#[test]
fn words_are_found_before_and_after_they_are_indexed() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let texts = ["Ärger im Büro", "the quick-brown fox", "fox", "名前 test", "foxes and oxen"];
    let numbers = texts.map(|text| put(&mut writer, says(1, 1, text)));
    let [office, quick, fox, kanji, foxes] = numbers;
    for indexed in [false, true] {
        let cases: [(&str, &[u64]); 24] = [
            ("fox", &[fox, quick]),
            ("FOX ", &[fox, quick]),
            ("fox quick", &[quick]),
            ("fox quic", &[]),
            ("fox quic*", &[quick]),
            ("fox qu*", &[]),
            ("quic fox", &[]),
            ("buro", &[office]),
            ("arger", &[office]),
            ("quick-brown", &[quick]),
            ("brown-quick", &[]),
            ("名", &[kanji]),
            ("名前", &[kanji]),
            ("f", &[]),
            ("", &[]),
            ("   ", &[]),
            ("\"", &[]),
            ("\"foxe*", &[foxes]),
            ("fox AND", &[]),
            ("foxes AND", &[foxes]),
            ("fo", &[]),
            ("fox* OR NEAR(", &[]),
            ("text:fox", &[]),
            ("- fox ^ ) (", &[fox, quick]),
        ];
        for (words, expected) in cases {
            assert_eq!(search(&scratch, words), expected, "{words:?}, indexed: {indexed}");
        }
        fill(&mut writer);
    }
}

#[test]
fn words_are_found_in_every_script() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let texts = [
        "我明天去上海见你",
        "東京タワーに行く",
        "그 검색어를 봐",
        "Ёлка стоит",
        "ΕΛΛΆΣ και κόσμος",
        "שָׁלוֹם עֲלֵיכֶם",
        "قال مُحَمَّدٌ شيئا",
        "ภาษาไทยง่าย",
        "Straße und Weg",
        "the quick brown fox",
    ];
    let numbers = texts.map(|text| put(&mut writer, says(1, 1, text)));
    let [shanghai, tower, query, tree, hellas, peace, name, thai, street, fox] = numbers;
    let cases: [(&str, &[u64]); 37] = [
        ("上海", &[shanghai]),
        ("去上海", &[shanghai]),
        ("海上", &[]),
        ("上", &[shanghai]),
        ("海", &[shanghai]),
        ("上*", &[shanghai]),
        ("京", &[tower]),
        ("タワー", &[tower]),
        ("ﾀﾜｰ", &[tower]),
        ("东京", &[]),
        ("검색", &[query]),
        ("색어", &[query]),
        ("검", &[query]),
        ("елка", &[tree]),
        ("ЁЛКА СТОИТ", &[tree]),
        ("елк", &[]),
        ("ελλασ", &[hellas]),
        ("ελλάς", &[hellas]),
        ("κοσμοσ", &[hellas]),
        ("שלום", &[peace]),
        ("עליכם שלום", &[peace]),
        ("محمد", &[name]),
        ("مُحَمَّد", &[name]),
        ("ไทย", &[thai]),
        ("ภาษา", &[thai]),
        ("ยไท", &[]),
        ("STRASSE", &[street]),
        ("strasse", &[street]),
        ("\"quick brown\"", &[fox]),
        ("“quick brown”", &[fox]),
        ("\"brown quick\"", &[]),
        ("brown quick", &[fox]),
        ("\"quick fox\"", &[]),
        ("\"the quick\" \"fox\"", &[fox]),
        ("qui*", &[]),
        ("quic*", &[fox]),
        ("\"the quic*\"", &[fox]),
    ];
    for indexed in [false, true] {
        for (words, expected) in cases {
            assert_eq!(search(&scratch, words), expected, "{words:?}, indexed: {indexed}");
        }
        fill(&mut writer);
    }
}

#[test]
fn unreadable_messages_are_not_found() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let secret = |title, visibility| RoomSettings { visibility, ..room_settings(title) };
    let open = |room| room_made(room, &format!("Room {room}"));
    for room in 3..20 {
        put(&mut writer, open(room));
    }
    let (room, owner, settings) = (RoomId(20), None, secret("Cellar", Visibility::Hidden));
    put(&mut writer, Entry::RoomMade { room, owner, settings });
    let mine: Vec<u64> = (0..3).map(|_| put(&mut writer, says(1, 3, "word"))).collect();
    let many = SEARCH_LOOKS_MAX as u64 + 100;
    for indexed in [false, true] {
        // More than a search looks at, with the word just before and after the visible ones.
        writer.commit((0..many).map(|n| write(n, says(1, 20, "word secret"))).collect());
        let rooms: Vec<_> = (1..20).map(|room| (RoomId(room), Seq(0))).collect();
        let ask = |words, limit| Query { rooms: rooms.clone(), limit, ..ask(words) };
        let told = |query: &Query| {
            let found = found(&scratch, query);
            (numbers(&found), found.before)
        };
        assert_eq!(told(&ask("secret", 50)), (vec![], None), "{indexed}");
        assert_eq!(told(&ask("secr*", 50)), (vec![], None), "{indexed}");
        assert_eq!(told(&ask("word", 3)), (vec![mine[2], mine[1], mine[0]], None), "{indexed}");
        let page = told(&ask("word", 2));
        assert_eq!(page, (vec![mine[2], mine[1]], Some(Seq(mine[1]))), "{indexed}");
        // A member of all rooms finds everything.
        let all = (1..=20).map(|room| (RoomId(room), Seq(0))).collect();
        let found = found(&scratch, &Query { rooms: all, ..ask("secret", 50) });
        assert_eq!((found.messages.len(), found.before.is_some()), (50, true), "{indexed}");
        fill(&mut writer);
    }
}

#[test]
fn messages_from_before_a_room_opened_are_found_only_by_readers() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let (room, owner) = (RoomId(20), None);
    let hidden = RoomSettings { visibility: Visibility::Hidden, ..room_settings("Cellar") };
    put(&mut writer, Entry::RoomMade { room, owner, settings: hidden.clone() });
    let before = put(&mut writer, says(1, 20, "word"));
    fill(&mut writer);
    put(
        &mut writer,
        Entry::RoomChanged {
            room,
            settings: room_settings("Cellar"),
            password_generation: 1,
            link: None,
            keep_members: true,
        },
    );
    let after = put(&mut writer, says(1, 20, "word"));
    let all: Vec<_> = (1..=20).map(|room| (RoomId(room), Seq(0))).collect();
    let asked = Query { rooms: all, ..ask("word") };
    assert_eq!(numbers(&found(&scratch, &asked)), [after, before]);
    fill(&mut writer);
    put(
        &mut writer,
        Entry::RoomChanged {
            room,
            settings: hidden,
            password_generation: 2,
            link: None,
            keep_members: true,
        },
    );
    let again = put(&mut writer, says(1, 20, "word"));
    assert_eq!(numbers(&found(&scratch, &asked)), [again, after, before]);
    // Nobody else finds it, nor learns that it exists.
    let rooms = vec![(room, Seq(before))];
    let theirs = found(&scratch, &Query { rooms, limit: 2, ..ask("word") });
    assert_eq!((numbers(&theirs), theirs.before), (vec![again, after], None));
    // A message from when the room was public can still be deleted.
    put(&mut writer, deletes(1, 20, after, false));
    put(&mut writer, deletes(1, 20, before, false));
    assert_eq!(numbers(&found(&scratch, &asked)), [again]);
}

#[test]
fn young_messages_are_indexed_once_and_kept_current() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let mut reader = scratch.reader();
    let mut look = |words: &str| {
        reader.end().expect("it ends");
        reader.begin(Duration::from_secs(60)).expect("it begins");
        numbers(&reader.search(&ask(words)).expect("an answer"))
    };
    let first = put(&mut writer, says(1, 1, "early bird"));
    assert_eq!(look("bird"), [first]);
    let second = put(&mut writer, says(1, 1, "late bird"));
    assert_eq!(look("bird"), [second, first]);
    put(&mut writer, edits(1, 1, first, "early worm"));
    put(&mut writer, deletes(1, 1, second, false));
    assert_eq!((look("bird"), look("worm"), look("early")), (vec![], vec![first], vec![first]));
    // Long messages are indexed sooner.
    let long = "worm ".repeat(790);
    let many = INDEX_BYTES / long.len() + 1;
    writer.commit((0..many as u64).map(|n| write(n, says(1, 1, &long))).collect());
    let last = put(&mut writer, says(1, 1, "one more worm"));
    let indexed = crate::store::index::indexed(&writer.connection).expect("it is read");
    assert!(indexed > 1 + many as i64, "{indexed}");
    let found = look("worm");
    assert_eq!((found[0], found.len()), (last, many + 2));
}

#[test]
fn a_long_search_in_long_messages_is_over_soon() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    // A phrase that needs the most work, as long as it fits.
    let long = format!("{}b", "a ".repeat(1_999));
    writer.commit((0..600).map(|n| write(n, says(1, 1, &long))).collect());
    fill(&mut writer);
    let mut reader = scratch.reader();
    reader.searches_for = Duration::from_millis(SEARCH_DEADLINE_MS);
    for words in [
        format!("\"{}c\"", "a ".repeat(1_900)),
        format!("\"{}b a\"", "a ".repeat(40)),
        "\"a a a a a a a a b b\" ".repeat(200),
        "a-a-a-a-a-a-a-a-a-a-a-a-b-b ".repeat(100),
        "a ".repeat(20_000),
    ] {
        // Without this, the reader would abort after `READ_DEADLINE_MS` with an error.
        reader.break_off_at(Instant::now() + Duration::from_secs(60)).expect("it can be told");
        match reader.search(&ask(&words)) {
            Ok(_) => {}
            Err(error) => assert_eq!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::OperationInterrupted)
            ),
        }
    }
    // A snippet takes time linear in the message, however it repeats itself.
    let pieces = reader.search(&ask("\"a a a a a a a a a a a a b\"")).expect("an answer");
    assert!(pieces.messages.iter().all(|(_, piece)| piece.ends_with("a a b")));
}

#[test]
fn nothing_that_can_be_typed_is_an_error() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    put(&mut writer, says(1, 1, "a b c"));
    let alphabet: Vec<char> = "ab1 \"'*^:()-+{}\0\n\u{301}ß名👍,.NEAR ".chars().collect();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut reader = scratch.reader();
    for _ in 0..2_000 {
        let any = |chance: &mut Chance| alphabet[chance.roll(alphabet.len() as u64) as usize];
        let words: String = (0..chance.roll(12)).map(|_| any(&mut chance)).collect();
        reader.search(&ask(&words)).unwrap_or_else(|error| panic!("{words:?}: {error}"));
    }
    reader.search(&ask(&"long ".repeat(5_000))).expect("it is cut");
    reader.search(&ask(&"x".repeat(50_000))).expect("it is a word");
}

#[test]
fn results_match_the_rooms_author_and_time() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let all: Vec<u64> = (0..30)
        .map(|n| put(&mut writer, says(1 + n % 2, 1 + n % 3, &format!("same {n}"))))
        .collect();
    for indexed in [false, true] {
        let rooms = |rooms: &[u64]| rooms.iter().map(|room| (RoomId(*room), Seq(0))).collect();
        let newest = |keep: &dyn Fn(u64) -> bool| {
            let seqs = (0..30).zip(&all).filter(|(n, _)| keep(*n)).map(|(_, seq)| *seq);
            let seqs: Vec<u64> = seqs.collect();
            seqs.into_iter().rev().collect::<Vec<u64>>()
        };
        let only = Query { rooms: rooms(&[2]), ..ask("same") };
        assert_eq!(numbers(&found(&scratch, &only)), newest(&|n| n % 3 == 1), "{indexed}");
        let many = Query { rooms: rooms(&(2..200).collect::<Vec<u64>>()), ..ask("same") };
        assert_eq!(numbers(&found(&scratch, &many)), newest(&|n| n % 3 > 0), "{indexed}");
        let author = Some(Folded::new("PERSON2"));
        let hers = Query { author, ..ask("same") };
        assert_eq!(numbers(&found(&scratch, &hers)), newest(&|n| n % 2 == 1 && n % 3 < 2));
        let nobody = Query { author: Some(Folded::new("person 2")), ..ask("same") };
        assert!(numbers(&found(&scratch, &nobody)).is_empty());
        let nowhere = Query { rooms: Vec::new(), ..ask("same") };
        assert_eq!(found(&scratch, &nowhere), Found { messages: Vec::new(), before: None });
        // Page by page gives the same, and the last page says so.
        let (mut before, mut paged) = (None, Vec::new());
        loop {
            let page = found(&scratch, &Query { before, limit: 7, ..ask("same") });
            paged.extend(numbers(&page));
            before = page.before;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(paged, newest(&|n| n % 3 < 2), "{indexed}");
        if !indexed {
            writer.commit((0..INDEX_ENTRIES).map(|_| write(1, said(9, "filling"))).collect());
        }
    }
}

#[test]
fn a_search_that_ends_early_says_where_to_go_on() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let own = [says(1, 2, "common"), says(1, 3, "common")].map(|entry| put(&mut writer, entry));
    let many = SEARCH_LOOKS_MAX as u64 * 2;
    writer.commit((0..many).map(|n| write(n, says(1, 1, "common"))).collect());
    fill(&mut writer);
    let rooms: Vec<_> = (2..20).map(|room| (RoomId(room), Seq(0))).collect();
    let (mut before, mut pages, mut all) = (None, 0, Vec::new());
    loop {
        let page = found(&scratch, &Query { rooms: rooms.clone(), before, ..ask("common") });
        pages += 1;
        all.extend(numbers(&page));
        match page.before {
            Some(next) => assert!(before.replace(next).is_none_or(|last| next < last)),
            None => break,
        }
    }
    // Two empty pages, and then the matches.
    assert_eq!((pages, all), (3, own.into_iter().rev().collect()));
    // With few rooms the index filters by room, and finds it at once.
    let few = found(&scratch, &Query { rooms: rooms[..2].to_vec(), ..ask("common") });
    assert_eq!((numbers(&few), few.before), (vec![own[1], own[0]], None));
    // A page full of messages that are not in the index on disk is not the last.
    let young = [(); 2].map(|()| put(&mut writer, says(1, 2, "common")));
    let page = found(&scratch, &Query { limit: 2, ..ask("common") });
    assert_eq!((numbers(&page), page.before), (vec![young[1], young[0]], Some(Seq(young[0]))));
}

#[test]
fn an_edit_changes_what_is_found() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    for indexed in [false, true] {
        let seq = put(&mut writer, says(1, 1, "before"));
        if indexed {
            fill(&mut writer);
        }
        put(&mut writer, edits(1, 1, seq, "afterwards"));
        fill(&mut writer);
        assert!(search(&scratch, "before").is_empty(), "{indexed}");
        assert_eq!(search(&scratch, "afterwards").first(), Some(&seq), "{indexed}");
    }
}

#[test]
fn a_snippet_is_around_the_word() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let long = format!("{} the\nNeedle is here {}", "hay ".repeat(200), "straw ".repeat(200));
    for text in ["a <b>needle</b>", &long] {
        put(&mut writer, says(1, 1, text));
    }
    let pieces = found(&scratch, &ask("needle")).messages;
    let piece = &pieces[0].1;
    assert!(piece.starts_with('…') && piece.ends_with('…'), "{piece}");
    assert!(piece.contains(" the Needle is here "), "{piece}");
    assert!(piece.chars().count() <= SNIPPET_CHARS + 2, "{piece}");
    assert_eq!(pieces[1].1, "a <b>needle</b>");
}

#[test]
fn a_snippet_shows_the_match() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    let cases = [
        ("Ёлка", "елка"),
        ("Quickly-Moving", "quic*"),
        ("上海", "上海"),
        ("マンション", "ンショ"),
        ("ΕΛΛΆΣ", "ελλασ"),
        ("STRAẞE", "strasse"),
        ("mar y\nlamb", "\"mar y lamb\""),
        ("ﾀﾜｰ", "タワー"),
    ];
    for (word, asked) in cases {
        put(&mut writer, says(1, 1, &format!("{}{word} {}", "hay ".repeat(200), "x ".repeat(300))));
        let shown = &found(&scratch, &ask(asked)).messages[0].1;
        assert!(shown.contains(&word.replace('\n', " ")), "{asked}: {shown}");
        assert!(shown.chars().count() <= SNIPPET_CHARS + 2, "{shown}");
    }
}

#[test]
fn the_index_leads_a_search() {
    let scratch = Scratch::new();
    let _writer = scratch.open().writer;
    let other = scratch.other_program();
    let sql = "EXPLAIN QUERY PLAN SELECT log.seq FROM main.words AS found
        CROSS JOIN main.log ON log.seq = found.rowid
        WHERE found.words MATCH 'x' AND found.rowid < 9 ORDER BY found.rowid DESC";
    let mut plan = other.prepare(sql).expect("it is SQL");
    let rows = plan.query_map([], |row| row.get::<_, String>("detail")).expect("a plan");
    let plan = rows.collect::<Result<Vec<String>, _>>().expect("a plan").join("; ");
    assert!(plan.starts_with("SCAN found VIRTUAL TABLE INDEX"), "{plan}");
    assert!(plan.contains("SEARCH main.log USING INTEGER PRIMARY KEY"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

/// A prefix is first looked for in the messages, then in the index: the results do not show it.
#[test]
fn words_that_begin_so_are_found_wherever_they_are() {
    let scratch = Scratch::new();
    let mut writer = scratch.open().writer;
    // Common at the end, rare before; more than are read one by one, in messages or in bytes.
    let total = 5 * SEARCH_WALK_MESSAGES_MAX as u64;
    let text = |n: u64| {
        let word = match n {
            _ if n + 40 > total => "needles",
            _ if n.is_multiple_of(700) => "needlework",
            _ if n.is_multiple_of(450) => "a needle",
            _ => "hay",
        };
        let long = if n.is_multiple_of(1_300) { "straw ".repeat(600) } else { String::new() };
        let rare = if n.is_multiple_of(900) { "rare " } else { "" };
        format!("{rare}{long}this {word} is {n}")
    };
    let all = (0..total).map(|n| write(n, says(1 + n % 2, 1 + n % 2, &text(n)))).collect();
    let answers = writer.commit(all);
    let seqs = answers.iter().map(|answer| match answer {
        Command::Logged { seq, .. } => seq.0,
        other => panic!("{other:?}"),
    });
    let seqs: Vec<u64> = seqs.collect();
    assert_eq!(crate::store::index::indexed(&writer.connection), Ok(seqs[seqs.len() - 1] as i64));
    let newest = |fits: &dyn Fn(u64, &str) -> bool| {
        let newest = (0..total).rev().zip(seqs.iter().rev());
        let found = newest.filter(|(n, _)| fits(*n, &text(*n)));
        found.map(|(_, seq)| *seq).collect::<Vec<u64>>()
    };
    let needle = |n: u64, text: &str| n < total && text.contains("needle");
    let author = Some(Folded::new("PERSON2"));
    let cases: [(Query, Vec<u64>); 6] = [
        (ask("needl*"), newest(&needle)),
        (ask("needlew*"), newest(&|_, text| text.contains("needlew"))),
        (ask("\"this needl*\""), newest(&|_, text| text.contains("this needl"))),
        (ask("rare needl*"), newest(&|n, text| needle(n, text) && text.contains("rare"))),
        (Query { author, ..ask("needl*") }, newest(&|n, text| n % 2 == 1 && needle(n, text))),
        (ask("needlx*"), Vec::new()),
    ];
    for (query, expected) in cases {
        for limit in [7, 50] {
            let (mut before, mut paged) = (None, Vec::new());
            loop {
                let page = found(&scratch, &Query { before, limit, ..query.clone() });
                paged.extend(numbers(&page));
                before = page.before;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(paged, expected, "{query:?}, {limit} a page");
        }
    }
}
