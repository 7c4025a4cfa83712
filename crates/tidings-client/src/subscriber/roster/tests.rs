use tidings_protocol::cursor::Lineage;

use super::*;

fn id(n: u64) -> Cursor {
    Cursor::new(Seq(n), Lineage::from_bits(0))
}

/// An event on these channels; the first is its own.
fn event(n: u64, channels: &[&str]) -> Event {
    let also: Vec<String> = channels[1..].iter().map(|channel| format!("{channel:?}")).collect();
    let json = format!(
        r#"{{"id":"{}","channel":"{}","type":"t","time":"t","data":null,"also":[{}]}}"#,
        id(n),
        channels[0],
        also.join(",")
    );
    serde_json::from_str(&json).unwrap()
}

fn gap(channel: &str, through: u64) -> Gap {
    Gap { reason: "expired".into(), channels: vec![channel.into()], through: Some(id(through)) }
}

/// Follows these since position 10, on an open stream.
fn following(channels: &[&str]) -> Roster {
    let channels: Vec<String> = channels.iter().map(|&channel| channel.to_owned()).collect();
    let mut roster = Roster::new(&channels, 1_000);
    roster.open(Seq(10));
    roster
}

/// Adds a channel, up to where what it missed follows.
fn adding(roster: &mut Roster, channel: &str, since: u64) {
    assert!(roster.add(channel, Since::Cursor(id(since))));
    assert!(roster.ask(10).is_some());
    roster.answered(&Answer::default());
    roster.subscribed(vec![channel.to_owned()], id(since));
}

#[test]
fn an_event_is_wanted_where_one_of_its_channels_is_followed() {
    let roster = following(&["a:b", "c:*"]);
    for (channels, expected) in [
        (&["a:b"][..], true),
        (&["a"], false),
        (&["a:b:c"], false),
        (&["c:1:2"], true),
        (&["c"], false),
        (&["x", "c:1"], true),
    ] {
        assert_eq!(roster.wants(&event(11, channels)), expected, "{channels:?}");
    }
    assert!(following(&["*"]).wants(&event(11, &["anything"])));
}

#[test]
fn what_another_channel_was_given_is_left_out() {
    let mut roster = following(&["a"]);
    adding(&mut roster, "b", 5);
    assert!(roster.is_catching_up());
    assert!(roster.catch_up(&event(8, &["b", "a"]), Seq(20)), "before the stream began");
    assert!(roster.catch_up(&event(12, &["b"]), Seq(20)));
    assert!(!roster.catch_up(&event(13, &["b", "a"]), Seq(20)), "the stream had it");
    assert!(!roster.catch_up(&event(14, &["c"]), Seq(20)), "nobody asked for it");
    assert_eq!(roster.joined(vec!["b".into()], Seq(20)), ["b"]);
    // Seen from a third, both were given up to the position.
    adding(&mut roster, "c", 4);
    assert!(!roster.catch_up(&event(8, &["c", "b"]), Seq(20)));
    assert!(roster.catch_up(&event(9, &["c"]), Seq(20)));
}

#[test]
fn a_channel_may_begin_ahead_of_the_position() {
    let mut roster = following(&["a"]);
    adding(&mut roster, "b", 30);
    assert_eq!(roster.joined(vec!["b".into()], Seq(20)), ["b"]);
    roster.close();
    roster.open(Seq(20));
    for (n, expected) in [(25, false), (30, false), (31, true)] {
        assert_eq!(roster.wants(&event(n, &["b"])), expected, "{n}");
    }
    assert!(roster.wants(&event(25, &["b", "a"])));
}

#[test]
fn what_lay_in_a_gap_was_not_given() {
    let mut roster = following(&["a"]);
    roster.gap(&gap("a", 15), Seq(12));
    adding(&mut roster, "b", 5);
    for (n, expected) in [(12, false), (13, true), (15, true), (16, false)] {
        assert_eq!(roster.catch_up(&event(n, &["b", "a"]), Seq(20)), expected, "{n}");
    }
    // Where more gaps are than can be remembered, nothing is left out for what they held.
    let mut roster = following(&["a"]);
    roster.gap(&gap("a", 15), Seq(12));
    for n in 0..64 {
        roster.gap(&gap("a", 30 + 2 * n), Seq(29 + 2 * n));
    }
    adding(&mut roster, "b", 5);
    assert!(roster.catch_up(&event(13, &["b", "a"]), Seq(500)));
    assert!(!roster.catch_up(&event(29, &["b", "a"]), Seq(500)));
}

#[test]
fn a_channel_may_be_asked_for_from_earlier_on() {
    let mut roster = following(&["a"]);
    assert!(roster.add("a", Since::Now) && roster.ask(10).is_none(), "it is followed already");
    assert!(roster.add("a", Since::Cursor(id(11))) && roster.ask(10).is_none());
    adding(&mut roster, "a", 3);
    assert!(roster.catch_up(&event(7, &["a"]), Seq(20)));
    // A still earlier one waits for the end of this.
    assert!(roster.add("a", Since::Start));
    assert_eq!(roster.joined(vec!["a".into()], Seq(20)), ["a"]);
    roster.answered(&Answer::default());
    let wanted = roster.ask(10).unwrap();
    assert_eq!(wanted.add, [("a".to_owned(), Since::Start)]);
    roster.subscribed(vec!["a".into()], id(0));
    assert!(roster.catch_up(&event(2, &["a"]), Seq(20)) && !roster.catch_up(&event(7, &["a"]), Seq(20)));
}

#[test]
fn a_channel_that_is_removed_while_it_joins_is_removed_then() {
    let mut roster = following(&["a"]);
    adding(&mut roster, "b", 5);
    roster.remove("b");
    roster.add("b", Since::Now);
    assert!(!roster.catch_up(&event(7, &["b"]), Seq(20)));
    roster.answered(&Answer::default());
    assert_eq!(roster.ask(10), None);
    assert_eq!(roster.joined(vec!["b".into()], Seq(20)), [""; 0]);
    assert_eq!(roster.ask(10), Some(Wanted { add: vec![], remove: vec!["b".into()] }));
    roster.answered(&Answer::default());
    assert_eq!(roster.ask(10), Some(Wanted { add: vec![("b".into(), Since::Now)], remove: vec![] }));
    // A new stream begins without what was on its way out.
    roster.remove("b");
    roster.close();
    roster.open(Seq(20));
    assert_eq!((roster.ask(10), roster.parts().collect::<Vec<_>>()), (None, vec!["a"]));
}

#[test]
fn where_a_channel_begins_is_kept_until_it_has_joined() {
    let ask = |roster: &mut Roster| roster.ask(10).unwrap().add.remove(0).1;
    for (since, given, expected) in [
        (Since::Now, None, Since::Cursor(id(20))),
        (Since::Start, None, Since::Start),
        (Since::Start, Some(17), Since::Cursor(id(17))),
        (Since::Cursor(id(4)), None, Since::Cursor(id(4))),
        (Since::Cursor(id(4)), Some(6), Since::Cursor(id(6))),
    ] {
        let mut roster = following(&["a"]);
        roster.add("b", since);
        assert_eq!(ask(&mut roster), since);
        let from = if since == Since::Now { 20 } else { 4 };
        roster.subscribed(vec!["b".into()], id(from));
        if let Some(n) = given {
            assert!(roster.catch_up(&event(n, &["b"]), Seq(20)));
        }
        roster.close();
        roster.open(Seq(20));
        assert_eq!(ask(&mut roster), expected, "{since:?}, {given:?}");
    }
}

#[test]
fn another_history_is_begun_anew() {
    let mut roster = following(&["a"]);
    roster.forget(Seq(3));
    adding(&mut roster, "b", 1);
    assert!(roster.catch_up(&event(2, &["b", "a"]), Seq(5)));
    assert!(!roster.catch_up(&event(4, &["b", "a"]), Seq(5)));
    let mut roster = following(&["a"]);
    assert!(roster.add("b", Since::Cursor(id(500))));
    assert!(roster.ask(10).is_some());
    roster.subscribed(vec!["b".into()], id(12));
    roster.begin_anew(&["b".into()], id(12));
    roster.close();
    assert_eq!(roster.ask(10).unwrap().add, [("b".to_owned(), Since::Cursor(id(12)))]);
}

#[test]
fn channels_that_are_lost_are_gone_unless_they_are_all() {
    let mut roster = following(&["a", "b"]);
    roster.lose(&["b".into(), "c".into()]);
    assert_eq!(roster.parts().collect::<Vec<_>>(), ["a"]);
    roster.lose(&["a".into()]);
    assert_eq!(roster.parts().collect::<Vec<_>>(), ["a"]);
}
