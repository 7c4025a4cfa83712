//! Every cell of the table, and what holds over several inputs.

use super::*;
use crate::subscriber::event::Event;

const NOW: Duration = Duration::from_secs(1_000);

fn rules() -> Rules {
    Rules {
        backoff: Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) },
        opening: Duration::from_secs(20),
        silence: Duration::from_secs(75),
        attempts: None,
        can_renew: true,
    }
}

fn id(n: u64) -> Cursor {
    format!("{n:013}.0000000").parse().unwrap()
}

fn event(n: u64) -> Input {
    let json = format!(r#"{{"id":"{}","channel":"a","type":"t","time":"t","data":null}}"#, id(n));
    Input::News(Update::Event(serde_json::from_str::<Event>(&json).unwrap()), Some(id(n)))
}

fn ready(n: u64) -> Input {
    Input::Ready { id: id(n), ready: Ready { session: "s".into() } }
}

fn add(channel: &str, since: Since) -> Input {
    Input::Change(Change::Add(channel.into(), since))
}

fn subscribed(channel: &str, from: u64) -> Input {
    Input::Subscribed { channels: vec![channel.into()], from: id(from) }
}

fn joined(channel: &str, at: u64) -> Input {
    Input::Joined { channels: vec![channel.into()], id: id(at) }
}

fn roster() -> Roster {
    Roster::new(&["a".to_owned()], 100)
}

fn end(reason: &str, retry: &str, after: Option<u64>) -> Input {
    Input::End(End { reason: reason.into(), retry: retry.into(), after, id: None })
}

fn trouble(status: u16) -> Trouble {
    let (code, detail) = ("c".to_owned(), "d".to_owned());
    Trouble::Refused(Refusal { status, code, detail, at: None, current: None, retry_after: None })
}

fn lost() -> Input {
    Input::Failed(Trouble::Broken("cut".into()))
}

/// What is asked of the open stream next, in the order of names.
fn asks(machine: &mut Machine, input: Input) -> Option<Wanted> {
    machine.on_input(NOW, 0.5, input).into_iter().find_map(|effect| match effect {
        Effect::Change(_, wanted) => Some(wanted),
        _ => None,
    })
}

fn adds(channel: &str, since: Since) -> Option<Wanted> {
    Some(Wanted { add: vec![(channel.to_owned(), since)], remove: Vec::new() })
}

fn event_on(channel: &str, n: u64) -> Input {
    let json = format!(r#"{{"id":"{}","channel":"{channel}","type":"t","time":"t","data":null}}"#, id(n));
    Input::News(Update::Event(serde_json::from_str(&json).unwrap()), None)
}

/// A machine in this state, which begins at position 5.
fn in_state(rules: Rules, state: State) -> Machine {
    let must_renew = state == State::Renewing;
    let (mut machine, _) = Machine::start(rules, Since::Cursor(id(5)), roster(), must_renew, NOW);
    let inputs = match state {
        State::Renewing | State::Connecting => vec![],
        State::Connected => vec![ready(5)],
        State::Waiting => vec![lost()],
        State::Ended => vec![Input::Gone],
        State::Reading => unreachable!("a machine reads no record"),
    };
    for input in inputs {
        machine.on_input(NOW, 0.5, input);
    }
    assert_eq!(machine.status().state, state);
    machine
}

#[test]
fn limits_may_be_too_long_to_be_reckoned_with() {
    let rules = Rules { opening: Duration::MAX, silence: Duration::MAX, ..rules() };
    for state in [State::Renewing, State::Connecting, State::Connected] {
        assert_eq!(in_state(rules, state).deadline(), Some(Duration::MAX), "{state:?}");
    }
}

fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Open => "open",
        Effect::Close => "close",
        Effect::Renew => "renew",
        Effect::Present(session) if session == "s" => "present",
        Effect::Present(_) => "present to somebody else",
        Effect::Change(session, _) if session == "s" => "change",
        Effect::Change(..) => "change somebody else",
        Effect::Deliver(..) => "deliver",
        Effect::Moved(_) => "moved",
        Effect::Finish(None) => "done",
        Effect::Finish(Some(_)) => "stopped",
    }
}

/// The state after an input, and the effects.
fn step(machine: &mut Machine, input: Input) -> String {
    let effects: Vec<&str> = machine.on_input(NOW, 0.5, input).iter().map(name).collect();
    let status = machine.status();
    assert_eq!(
        machine.deadline().is_none(),
        status.state == State::Ended,
        "a deadline in every state but Ended"
    );
    format!("{:?} {}", status.state, effects.join(" ")).trim_end().to_owned()
}

/// What each input does in each state, in the order of the table's columns; "" stands for nothing.
fn cells() -> Vec<(Input, [&'static str; 5])> {
    let waits = "Waiting close";
    let nothing = [""; 5];
    let opening = |opening: &'static str| ["", opening, "", "", ""];
    let both = |both: &'static str| ["", both, both, "", ""];
    vec![
        (ready(5), ["", "Connected moved", waits, "", ""]),
        (event(6), ["", waits, "Connected deliver", "", ""]),
        (event(5), ["", waits, "", "", ""]),
        (Input::Position(id(9)), ["", waits, "Connected moved", "", ""]),
        (Input::Position(id(4)), ["", waits, "", "", ""]),
        (Input::Life, nothing),
        (Input::Taken, nothing),
        (Input::Named(Duration::from_secs(2)), nothing),
        (Input::Expiring, ["", "", "Connected renew", "", ""]),
        (end("lifetime", "now", None), both("Connecting close open")),
        (end("server_shutdown", "later", Some(700)), both(waits)),
        (end("something_new", "whatever", None), both(waits)),
        (end("expired", "auth", None), both("Renewing close renew")),
        (end("terminal_state", "never", None), both("Ended close done")),
        (end("ended_by_admin", "never", None), both("Ended close stopped")),
        (Input::Gone, opening("Ended close done")),
        (Input::Failed(trouble(401)), both("Renewing close renew")),
        (Input::Failed(trouble(403)), both("Ended close stopped")),
        (Input::Failed(trouble(429)), both(waits)),
        (Input::Failed(trouble(503)), both(waits)),
        (lost(), both(waits)),
        (Input::Failed(Trouble::Unreachable("no".into())), both(waits)),
        (Input::Tick, [waits, waits, waits, "Connecting open", ""]),
        (Input::Renewed, ["Connecting open", "", "Connected present", "", ""]),
        (Input::NotRenewed("no".into()), [waits, "", "Connected renew", "", ""]),
        (Input::Presented, nothing),
        (Input::NotPresented(trouble(403)), ["", "", "Connecting close open", "", ""]),
        (Input::NotPresented(trouble(503)), ["", "", "Connected renew", "", ""]),
        (add("b", Since::Now), ["", "", "Connected change", "", ""]),
        (Input::Change(Change::Remove("a".into())), ["", "", "Connected change", "", ""]),
        (subscribed("b", 5), ["", waits, "", "", ""]),
        (joined("b", 5), ["", waits, "Connected moved", "", ""]),
        (Input::Changed(Answer::default()), nothing),
        (Input::NotChanged(trouble(503)), nothing),
    ]
}

#[test]
fn every_cell_does_what_the_table_says() {
    let states = [State::Renewing, State::Connecting, State::Connected, State::Waiting, State::Ended];
    for (input, expected) in cells() {
        for (state, expected) in states.into_iter().zip(expected) {
            let found = step(&mut in_state(rules(), state), input.clone());
            let nothing = format!("{state:?}");
            let expected = if expected.is_empty() { &nothing } else { expected };
            assert_eq!(found, expected, "{input:?} in {state:?}");
        }
    }
}

#[test]
fn the_table_has_a_row_for_each_input() {
    let text = include_str!("../machine.rs");
    let rows: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next()).collect();
    let variants: std::collections::BTreeSet<String> = cells()
        .iter()
        .map(|(input, _)| format!("{input:?}").split([' ', '(', '{']).next().unwrap().to_owned())
        .collect();
    assert_eq!(rows.iter().map(|row| (*row).to_owned()).collect::<std::collections::BTreeSet<_>>(), variants);
}

#[test]
fn it_goes_on_from_the_last_position_it_was_given() {
    let mut machine = in_state(rules(), State::Connected);
    for input in [event(6), event(7), Input::Position(id(9)), lost(), Input::Tick] {
        machine.on_input(NOW, 0.5, input);
    }
    assert_eq!(machine.since(), Since::Cursor(id(9)));
    machine.on_input(NOW, 0.5, ready(9));
    let delivered = |machine: &mut Machine, n| step(machine, event(n)).contains("deliver");
    assert!(!delivered(&mut machine, 8) && delivered(&mut machine, 10) && !delivered(&mut machine, 10));
}

#[test]
fn where_it_begins_is_asked_for_until_a_stream_was_ready() {
    let (mut machine, _) = Machine::start(rules(), Since::Start, roster(), false, NOW);
    machine.on_input(NOW, 0.5, lost());
    assert_eq!(machine.since(), Since::Start);
    machine.on_input(NOW, 0.5, Input::Tick);
    machine.on_input(NOW, 0.5, ready(3));
    assert_eq!(machine.since(), Since::Cursor(id(3)));
}

#[test]
fn another_history_takes_the_position_back() {
    let mut machine = in_state(rules(), State::Connecting);
    assert_eq!(step(&mut machine, ready(2)), "Connected moved");
    assert_eq!(machine.since(), Since::Cursor(id(5)), "until the gap is told, the position is what it was");
    let channels = vec!["a".to_owned()];
    let gap = Gap { reason: "unknown".into(), channels: channels.clone(), through: Some(id(2)) };
    assert_eq!(step(&mut machine, Input::News(Update::Gap(gap), Some(id(2)))), "Connected deliver");
    assert_eq!(step(&mut machine, event(3)), "Connected deliver");
    let gap = Gap { reason: "expired".into(), channels, through: Some(id(9)) };
    machine.on_input(NOW, 0.5, Input::News(Update::Gap(gap), None));
    assert_eq!(machine.since(), Since::Cursor(id(3)), "events of other channels may lie before its end");
}

fn waits(machine: &mut Machine, spread: f64, input: Input) -> Duration {
    machine.on_input(NOW, spread, input);
    assert_eq!(machine.status().state, State::Waiting);
    let delay = machine.deadline().unwrap() - NOW;
    machine.on_input(NOW, spread, Input::Tick);
    delay
}

#[test]
fn delays_double_are_spread_and_begin_anew_once_a_stream_lives() {
    let mut machine = in_state(rules(), State::Connecting);
    let delays: Vec<u64> = (0..7).map(|_| waits(&mut machine, 1.0, lost()).as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(waits(&mut machine, 0.0, lost()), Duration::ZERO);
    machine.on_input(NOW, 1.0, ready(5));
    assert_eq!(machine.status().failures, 8, "an open stream alone is no sign of life");
    machine.on_input(NOW, 1.0, Input::Life);
    assert_eq!(machine.status(), Status { state: State::Connected, failures: 0, why: None });
    machine.on_input(NOW, 1.0, Input::Named(Duration::from_secs(3)));
    assert_eq!(waits(&mut machine, 1.0, lost()).as_secs(), 3);
}

#[test]
fn what_the_server_names_is_waited_for() {
    let mut machine = in_state(rules(), State::Connected);
    assert_eq!(waits(&mut machine, 1.0, end("server_shutdown", "later", Some(700))).as_millis(), 700);
    let Trouble::Refused(refusal) = trouble(429) else { panic!() };
    let refused = Refusal { retry_after: Some(Duration::from_secs(50)), ..refusal };
    let waited = waits(&mut machine, 0.0, Input::Failed(Trouble::Refused(refused)));
    assert_eq!(waited.as_secs(), 50);
}

#[test]
fn coming_back_at_once_for_nothing_is_slowed_down() {
    for (retry, state) in [("now", State::Connecting), ("auth", State::Renewing)] {
        let mut machine = in_state(rules(), State::Connected);
        for _ in 0..3 {
            machine.on_input(NOW, 0.5, end("x", retry, None));
            assert_eq!(machine.status().state, state);
            machine.on_input(NOW, 0.5, Input::Renewed);
            machine.on_input(NOW, 0.5, ready(5));
        }
        assert_eq!(step(&mut machine, end("x", retry, None)), "Waiting close");
    }
}

#[test]
fn a_fresh_credential_that_is_refused_is_the_end() {
    let mut machine = in_state(rules(), State::Renewing);
    machine.on_input(NOW, 0.5, Input::Renewed);
    assert_eq!(step(&mut machine, Input::Failed(trouble(401))), "Ended close stopped");
    let mut machine = in_state(rules(), State::Renewing);
    machine.on_input(NOW, 0.5, Input::Renewed);
    machine.on_input(NOW, 0.5, ready(5));
    assert_eq!(step(&mut machine, Input::Failed(trouble(401))), "Renewing close renew");
    let fixed = Rules { can_renew: false, ..rules() };
    for input in [Input::Failed(trouble(401)), end("revoked", "auth", None)] {
        assert_eq!(step(&mut in_state(fixed, State::Connected), input), "Ended close stopped");
    }
    assert_eq!(step(&mut in_state(fixed, State::Connected), Input::Expiring), "Connected");
}

#[test]
fn renewals_beside_a_stream_keep_their_distance() {
    let mut machine = in_state(rules(), State::Connected);
    let mut renewals = Vec::new();
    let (mut now, mut input) = (NOW, Input::Expiring);
    while now < NOW + Duration::from_secs(12) {
        // Each credential is said to be expiring as soon as it is shown.
        for effect in machine.on_input(now, 0.5, input) {
            assert!(matches!(effect, Effect::Renew), "{effect:?}");
            renewals.push((now - NOW).as_secs());
            machine.on_input(now, 0.5, Input::Renewed);
            machine.on_input(now, 0.5, Input::Expiring);
        }
        now = machine.deadline().unwrap();
        input = Input::Tick;
    }
    assert_eq!((renewals, machine.status().state), (vec![0, 5, 10], State::Connected));
}

#[test]
fn it_gives_up_only_where_it_is_told_to() {
    let mut machine = in_state(Rules { attempts: Some(3), ..rules() }, State::Connecting);
    for _ in 0..2 {
        waits(&mut machine, 0.5, lost());
    }
    let effects = machine.on_input(NOW, 0.5, lost());
    assert!(matches!(effects.last(), Some(Effect::Finish(Some(Stopped::GivenUp { failures: 3, .. })))));
    let mut machine = in_state(rules(), State::Connecting);
    for _ in 0..1_000 {
        waits(&mut machine, 0.5, lost());
    }
}

#[test]
fn a_listener_that_is_slow_is_no_silence_of_the_server() {
    let mut machine = in_state(rules(), State::Connected);
    let later = NOW + Duration::from_secs(500);
    machine.on_input(later, 0.5, Input::Taken);
    assert_eq!(machine.deadline(), Some(later + rules().silence));
}

#[test]
fn what_an_added_channel_missed_is_given_and_the_position_stands_still() {
    let mut machine = in_state(rules(), State::Connected);
    assert_eq!(asks(&mut machine, add("b", Since::Cursor(id(1)))), adds("b", Since::Cursor(id(1))));
    assert_eq!(asks(&mut machine, add("c", Since::Now)), None, "one change at a time");
    machine.on_input(NOW, 0.5, event(6));
    machine.on_input(NOW, 0.5, subscribed("b", 1));
    assert_eq!(step(&mut machine, event_on("b", 3)), "Connected deliver");
    assert_eq!(machine.since(), Since::Cursor(id(6)));
    assert_eq!(step(&mut machine, joined("b", 6)), "Connected deliver", "that it has joined");
    let next = asks(&mut machine, Input::Changed(Answer::default()));
    assert_eq!(next, adds("c", Since::Now));
    assert_eq!(step(&mut machine, event_on("b", 7)), "Connected deliver");
    assert_eq!(machine.channels().collect::<Vec<_>>(), ["a", "b"], "c has not joined");
}

#[test]
fn a_stream_that_breaks_while_a_channel_is_added_adds_it_again_from_where_it_was() {
    let mut machine = in_state(rules(), State::Connected);
    machine.on_input(NOW, 0.5, add("b", Since::Cursor(id(1))));
    for input in [subscribed("b", 1), event_on("b", 3), lost(), Input::Tick] {
        machine.on_input(NOW, 0.5, input);
    }
    assert_eq!((machine.channels().collect::<Vec<_>>(), machine.since()), (vec!["a"], Since::Cursor(id(5))));
    assert_eq!(asks(&mut machine, ready(5)), adds("b", Since::Cursor(id(3))));
    machine.on_input(NOW, 0.5, subscribed("b", 3));
    assert_eq!(step(&mut machine, event_on("b", 3)), "Connected", "it was given already");
    assert_eq!(step(&mut machine, event_on("b", 4)), "Connected deliver");
    assert_eq!(step(&mut machine, joined("b", 5)), "Connected deliver");
    assert_eq!(machine.channels().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_change_without_an_answer_is_made_anew_unless_it_was_seen() {
    let mut machine = in_state(rules(), State::Connected);
    machine.on_input(NOW, 0.5, add("b", Since::Now));
    assert_eq!(step(&mut machine, Input::NotChanged(Trouble::Broken("cut".into()))), "Waiting close");
    machine.on_input(NOW, 0.5, Input::Tick);
    assert_eq!(asks(&mut machine, ready(5)), adds("b", Since::Now));
    machine.on_input(NOW, 0.5, subscribed("b", 5));
    machine.on_input(NOW, 0.5, joined("b", 5));
    assert_eq!(step(&mut machine, Input::NotChanged(Trouble::Broken("cut".into()))), "Connected");
    for (status, expected) in [
        (404, "Waiting close"),
        (429, "Waiting close"),
        (401, "Renewing close renew"),
        (400, "Ended close stopped"),
    ] {
        let mut machine = in_state(rules(), State::Connected);
        machine.on_input(NOW, 0.5, add("b", Since::Now));
        assert_eq!(step(&mut machine, Input::NotChanged(trouble(status))), expected);
    }
}

#[test]
fn a_channel_that_is_refused_is_told_and_asked_for_no_more() {
    let mut machine = in_state(rules(), State::Connected);
    machine.on_input(NOW, 0.5, add("b", Since::Now));
    let answer = r#"{"added":[],"refused":[{"channel":"b","code":"forbidden_channel"}]}"#;
    let effects = machine.on_input(NOW, 0.5, Input::Changed(serde_json::from_str(answer).unwrap()));
    let [Effect::Deliver(Update::Refused { channel, code }, _)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((channel.as_str(), code.as_str()), ("b", "forbidden_channel"));
    machine.on_input(NOW, 0.5, lost());
    machine.on_input(NOW, 0.5, Input::Tick);
    assert_eq!(asks(&mut machine, ready(5)), None);
    // As is one for which there is no room, its twin is taken.
    let full = add(&"x".repeat(100), Since::Now);
    assert_eq!(step(&mut machine, full), "Connected deliver");
    assert_eq!(step(&mut machine, add("y", Since::Now)), "Connected change");
}

#[test]
fn a_channel_that_is_removed_is_given_no_more() {
    let mut machine = in_state(rules(), State::Connected);
    assert_eq!(
        asks(&mut machine, Input::Change(Change::Remove("a".into()))),
        Some(Wanted { add: vec![], remove: vec!["a".into()] })
    );
    assert_eq!(step(&mut machine, event(6)), "Connected moved");
    assert_eq!(machine.channels().count(), 0);
    // What is asked for meanwhile waits until it is gone.
    assert_eq!(asks(&mut machine, add("a", Since::Cursor(id(2)))), None);
    let next = asks(&mut machine, Input::Changed(Answer::default()));
    assert_eq!(next, adds("a", Since::Cursor(id(2))));
    machine.on_input(NOW, 0.5, subscribed("a", 2));
    assert_eq!(step(&mut machine, event_on("a", 4)), "Connected deliver", "it is asked for anew");
}

#[test]
fn a_stream_that_is_refused_for_one_of_its_channels_is_opened_without_it() {
    let Trouble::Refused(refusal) = trouble(403) else { panic!() };
    let refused =
        |at: &str| Input::Failed(Trouble::Refused(Refusal { at: Some(at.to_owned()), ..refusal.clone() }));
    let start = || {
        let roster = Roster::new(&["a".to_owned(), "b".to_owned()], 100);
        Machine::start(rules(), Since::Now, roster, false, NOW).0
    };
    let mut machine = start();
    assert_eq!(step(&mut machine, refused("b")), "Connecting close deliver open");
    assert_eq!(machine.channels().collect::<Vec<_>>(), ["a"]);
    assert_eq!(step(&mut machine, refused("a")), "Ended close stopped");
    assert_eq!(step(&mut start(), refused("c")), "Ended close stopped");
}
