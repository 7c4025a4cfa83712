//! The event stream codec: goldens, tables, exhaustive mixes of what is special, and round trips.

#![allow(clippy::unwrap_used)] // A test crate as a whole, helpers included.

use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use proptest::sample::Index;
use tidings_protocol::fuzz;
use tidings_protocol::sse::{Block, Decoder, Event, FieldValue, HEARTBEAT, Item, TooLarge, put_comment};

/// Everything that lines, fields and the start of a stream treat specially, and something that nothing does.
const SPECIAL: [&str; 9] = ["\r", "\n", "\r\n", "\0", "\u{FEFF}", "\u{2028}", ":", " ", "a"];

fn field(text: &str) -> FieldValue<'_> {
    FieldValue::new(text).unwrap()
}

fn written(block: Block<'_>) -> String {
    let mut out = Vec::new();
    block.write(&mut out);
    assert_eq!(out.len(), block.encoded_len());
    assert_eq!(out, block.to_bytes());
    let mut other = BytesMut::new();
    block.write(&mut other);
    assert_eq!(out, other);
    String::from_utf8(out).unwrap()
}

/// What a stream says, an item a line; the error, if any, as the last.
fn transcript(decoder: &mut Decoder, pieces: &[&[u8]]) -> Vec<String> {
    let mut lines = Vec::new();
    for mut piece in pieces.iter().copied() {
        loop {
            lines.push(match decoder.decode(&mut piece) {
                Ok(None) => break,
                Ok(Some(Item::Event(Event { id, event, data }))) => {
                    format!("event {id:?} {event:?} {data:?}")
                }
                Ok(Some(Item::Position(id))) => format!("position {id:?}"),
                Ok(Some(Item::Retry(delay))) => format!("retry {delay:?}"),
                Ok(Some(Item::Comment(text))) => format!("comment {text:?}"),
                Err(error) => {
                    lines.push(error.to_string());
                    return lines;
                }
            });
        }
    }
    lines
}

fn read(stream: impl AsRef<[u8]>) -> Vec<String> {
    transcript(&mut Decoder::default(), &[stream.as_ref()])
}

fn normalised(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// All sequences of `tokens` up to this length, joined.
fn mixes(tokens: &[&str], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut shorter = 0..1;
    for _ in 0..longest {
        let end = all.len();
        for at in shorter {
            for token in tokens {
                let longer = format!("{}{token}", all[at]);
                all.push(longer);
            }
        }
        shorter = end..all.len();
    }
    all
}

#[test]
fn blocks_are_written_to_the_byte() {
    let data = r#"{"id":"000000000001A.abcdefg"}"#;
    let event = Block::event(field("000000000001A.abcdefg"), field("cast.progress"), data);
    assert_eq!(
        written(event),
        "id: 000000000001A.abcdefg\nevent: cast.progress\ndata: {\"id\":\"000000000001A.abcdefg\"}\n\n"
    );
    let end = Block { retry: Some(Duration::from_secs(3)), ..Block::event(field("1"), field("$end"), "{}") };
    assert_eq!(written(end), "id: 1\nevent: $end\nretry: 3000\ndata: {}\n\n");
    assert_eq!(written(Block::position(field("1"))), "id: 1\n\n");
    assert_eq!(written(Block::position(field(""))), "id: \n\n");
    assert_eq!(written(Block::retry(Duration::from_micros(1_500_700))), "retry: 1500\n\n");
    assert_eq!(written(Block { data: Some(""), ..Block::default() }), "data: \n\n");
    assert_eq!(
        written(Block { data: Some("a\rb\r\nc\n\n"), ..Block::default() }),
        "data: a\ndata: b\ndata: c\ndata: \ndata: \n\n"
    );
    assert_eq!(written(Block::default()), "");
    assert_eq!(HEARTBEAT, b":\n\n");

    let mut out = Vec::new();
    put_comment(&mut out, field("hello"));
    put_comment(&mut out, field(""));
    assert_eq!(out, b": hello\n\n:\n\n");
}

#[test]
fn fields_that_could_break_their_line_are_refused() {
    for mix in mixes(&SPECIAL, 3) {
        let forbidden = mix.find(['\r', '\n', '\0']);
        match FieldValue::new(&mix) {
            Ok(value) => assert_eq!((value.as_str(), forbidden), (mix.as_str(), None)),
            Err(error) => assert_eq!((Some(error.at), mix.as_bytes()[error.at]), (forbidden, error.byte)),
        }
        assert_eq!(FieldValue::valid_prefix(&mix).as_str(), &mix[..forbidden.unwrap_or(mix.len())]);
    }
    assert_eq!(
        FieldValue::new("a\rb").unwrap_err().to_string(),
        "an event stream field must not contain U+000D (byte 1)"
    );
}

#[test]
fn data_of_every_mix_is_one_event_with_that_data() {
    for data in mixes(&SPECIAL, 5) {
        let stream = written(Block::event(field("7"), field("update"), &data));
        assert_eq!(read(&stream), [format!("event \"7\" \"update\" {:?}", normalised(&data))], "{data:?}");
    }
}

#[test]
fn fields_of_every_mix_are_read_as_written() {
    for text in mixes(&SPECIAL, 4) {
        let Ok(value) = FieldValue::new(&text) else { continue };
        let event = if text.is_empty() { "message" } else { &text };
        let stream = written(Block::event(value, value, "x"));
        assert_eq!(read(&stream), [format!("event {text:?} {event:?} \"x\"")]);
        assert_eq!(read(written(Block::position(value))), [format!("position {text:?}")]);
        let mut stream = Vec::new();
        put_comment(&mut stream, value);
        assert_eq!(read(&stream), [format!("comment {text:?}")]);
    }
}

#[test]
fn streams_of_every_mix_are_read_like_the_standard_says() {
    for stream in mixes(&["\r", "\n", "\u{FEFF}", "data", "id", ":", " ", "\0"], 6) {
        fuzz::sse(stream.as_bytes());
    }
    for stream in mixes(&["\r\n", "\n", "data:", "event: e", "id: 1", "retry:5", ":c", "\u{2028}"], 5) {
        fuzz::sse(stream.as_bytes());
    }
}

#[test]
fn streams_of_the_standard_and_of_the_web_platform_tests_are_read_as_there() {
    let cases: &[(&str, &[&str])] = &[
        // WHATWG HTML 9.2.6, the examples.
        ("data: YHOO\ndata: +2\ndata: 10\n\n", &[r#"event "" "message" "YHOO\n+2\n10""#]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            &[
                r#"comment "test stream""#,
                r#"event "1" "message" "first event""#,
                r#"event "" "message" "second event""#,
                r#"event "" "message" " third event""#,
            ],
        ),
        ("data\n\ndata\ndata\n\ndata:", &[r#"event "" "message" """#, r#"event "" "message" "\n""#]),
        ("data:test\n\ndata: test\n\n", &[r#"event "" "message" "test""#, r#"event "" "message" "test""#]),
        // Web platform tests, eventsource/format-*.
        (
            "\u{FEFF}data:1\n\n\u{FEFF}data:2\n\ndata:3\n\n",
            &[r#"event "" "message" "1""#, r#"event "" "message" "3""#],
        ),
        ("\u{FEFF}\u{FEFF}data:1\n\ndata:2\n\n", &[r#"event "" "message" "2""#]),
        ("data:test\r\rdata:x\r\n\r\n", &[r#"event "" "message" "test""#, r#"event "" "message" "x""#]),
        (
            "data\0:x\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
            &[r#"event "" "message" " 2\n1\n3\n\n4""#],
        ),
        (
            "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
            &[r#"comment "thisisacommentyay""#, r#"event "" "message" "test\n\ntest""#],
        ),
        ("event:\ndata:data\n\n", &[r#"event "" "message" "data""#]),
        (
            "id:1\u{0}2\ndata:x\n\nid: 3\ndata:y\n\n",
            &[r#"event "" "message" "x""#, r#"event "3" "message" "y""#],
        ),
        (
            "retry:3000\nretry:1x\nretry: 0\nretry:\nretry\nretry: +1\ndata:x\n\n",
            &["retry 3s", "retry 0ns", r#"event "" "message" "x""#],
        ),
        ("retry:99999999999999999999999\n", &["retry 18446744073709551.615s"]),
        // An id counts with its blank line only, with or without an event.
        ("id: 1\n\n\nid: 2\n", &[r#"position "1""#]),
        ("id: 1\nevent: e\n\ndata: x\n\n", &[r#"position "1""#, r#"event "1" "message" "x""#]),
        ("id: 1\nid: 2\ndata: x\n\nid\n\n", &[r#"event "2" "message" "x""#, r#"position """#]),
        ("event: e\n\ndata: x\n\n", &[r#"event "" "message" "x""#]),
        ("event: a\nevent: b\ndata: x\n\n", &[r#"event "" "b" "x""#]),
        ("data: cut short\n", &[]),
        ("", &[]),
    ];
    for (stream, expected) in cases {
        assert_eq!(read(stream), *expected, "{stream:?}");
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(transcript(&mut Decoder::default(), &bytes), *expected, "{stream:?} byte by byte");
    }
}

#[test]
fn broken_utf8_becomes_replacement_characters_and_stays_on_its_line() {
    assert_eq!(read(b"data: \xFFa\xC3\ndata: \xF0\x9F\x98\n\n"), [r#"event "" "message" "�a�\n�""#]);
    assert_eq!(read(b"event: \xED\xA0\x80\ndata: \xE2\x80\xA8\n\n"), ["event \"\" \"���\" \"\\u{2028}\""]);
}

#[test]
fn a_carriage_return_ends_its_line_without_waiting_for_a_line_feed() {
    let mut decoder = Decoder::default();
    assert_eq!(transcript(&mut decoder, &[b"data: x\r", b"\r"]), [r#"event "" "message" "x""#]);
    assert_eq!(transcript(&mut decoder, &[b"\ndata: y\r", b"\n", b"\n"]), [r#"event "" "message" "y""#]);
}

#[test]
fn last_event_id_survives_a_reconnection_until_it_is_reset() {
    let mut decoder = Decoder::resuming(100, "41".to_owned());
    assert_eq!(transcript(&mut decoder, &[b"data: x\n\nid: 42\ndata: y\n"]), [r#"event "41" "message" "x""#]);
    assert_eq!(decoder.last_event_id(), "41", "the block of 42 is not complete");
    assert_eq!(transcript(&mut decoder, &[b"\nid:\n\n"]), [r#"event "42" "message" "y""#, r#"position """#]);
    assert_eq!(decoder.last_event_id(), "");
}

#[test]
fn lines_and_data_over_the_limit_are_an_error_for_good() {
    let too_large = TooLarge { limit: 10 }.to_string();
    let of = |stream: &str| transcript(&mut Decoder::new(10), &[stream.as_bytes()]);
    assert_eq!(of("data:12345\n\n"), [r#"event "" "message" "12345""#]);
    assert_eq!(of("data:123456\n\n"), [too_large.as_str()], "a line of 11 bytes");
    assert_eq!(of("data:123456"), [too_large.as_str()], "even before it ends");
    assert_eq!(of("data:1234\ndata:12345\n\n"), [r#"event "" "message" "1234\n12345""#], "data of 10 bytes");
    assert_eq!(of("data:12345\ndata:12345\n\n"), [too_large.as_str()], "data of 11 bytes");
    assert_eq!(of(&"data\n".repeat(12)), [too_large.as_str()], "empty lines count");
    assert_eq!(
        of("data: \u{FF}\nid: 1\n\n:123456789\n:1234567890\n")[1..],
        ["comment \"123456789\"", too_large.as_str()]
    );

    let mut decoder = Decoder::new(10);
    assert_eq!(
        transcript(&mut decoder, &[b"id: 1\n\n", b":12345678", b"90"]),
        ["position \"1\"", too_large.as_str()]
    );
    assert_eq!(transcript(&mut decoder, &[b"data: x\n\n"]), [too_large.as_str()]);
    assert_eq!((decoder.last_event_id(), decoder.buffered()), ("1", 0), "what was complete still counts");
}

#[test]
fn an_endless_line_is_not_held() {
    let mut decoder = Decoder::new(1000);
    let mut held = 0;
    for _ in 0..10_000 {
        let _ = decoder.decode(&mut &[b'x'; 100][..]);
        held = held.max(decoder.buffered());
    }
    assert_eq!(held, 1000);
}

fn any_text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(SPECIAL.to_vec()).prop_map(str::to_owned);
    prop::collection::vec(prop_oneof![2 => special, 1 => ".{0,40}"], 0..8).prop_map(|parts| parts.concat())
}

fn any_field() -> impl Strategy<Value = String> {
    any_text().prop_map(|text| text.replace(['\r', '\n', '\0'], ""))
}

type AnyBlock = (Option<String>, Option<String>, Option<u32>, Option<String>);

fn any_block() -> impl Strategy<Value = AnyBlock> {
    let field = || prop::option::of(any_field());
    (field(), field(), prop::option::of(any::<u32>()), prop::option::of(any_text()))
}

/// The stream cut at these places.
fn cut<'a>(stream: &'a [u8], places: &[Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(|end| &stream[std::mem::replace(&mut start, end)..end]).collect()
}

proptest! {
    #[test]
    fn blocks_written_are_blocks_read(
        blocks in prop::collection::vec(any_block(), 0..12),
        places in prop::collection::vec(any::<Index>(), 0..30),
    ) {
        let (mut stream, mut expected, mut last_id) = (Vec::new(), Vec::new(), String::new());
        for (id, event, retry, data) in &blocks {
            let retry = retry.map(u64::from).map(Duration::from_millis);
            let [id, event] = [id, event].map(|text| text.as_deref().map(field));
            Block { id, event, retry, data: data.as_deref() }.write(&mut stream);
            expected.extend(retry.map(|delay| format!("retry {delay:?}")));
            last_id = id.map_or(last_id, |id| id.as_str().to_owned());
            let event = event.map(FieldValue::as_str).filter(|event| !event.is_empty()).unwrap_or("message");
            match data {
                Some(data) => expected.push(format!("event {last_id:?} {event:?} {:?}", normalised(data))),
                None if id.is_some() => expected.push(format!("position {last_id:?}")),
                None => {}
            }
        }
        let mut decoder = Decoder::default();
        prop_assert_eq!(transcript(&mut decoder, &cut(&stream, &places)), expected);
        prop_assert_eq!(decoder.last_event_id(), last_id);
        prop_assert_eq!(decoder.buffered(), 0);
    }
}
