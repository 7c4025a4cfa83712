//! The rules of RFC 6455, 5 to 8, each with what breaks it and what just does not.

use tidings_protocol::ws::{
    Close, CloseCode, ControlPayload, ControlTooLong, Decoder, FrameHead, Limits, Message, Opcode, Role,
    Violation,
};

use crate::{KEY, frame, read};

const BOTH: [Role; 2] = [Role::Server, Role::Client];

fn ping(payload: &[u8]) -> Message<'_> {
    Message::Ping(ControlPayload::new(payload).unwrap())
}

/// What these frames bring, the same whole and byte by byte.
fn of(role: Role, limits: Limits, frames: &[Vec<u8>]) -> (Vec<Message<'static>>, Result<(), Violation>) {
    let stream = frames.concat();
    let whole = read(role, limits, &[&stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(read(role, limits, &bytes), whole, "byte by byte");
    whole
}

#[test]
fn messages_are_encoded_like_the_examples_of_the_rfc() {
    // RFC 6455, 5.7.
    assert_eq!(Message::text("Hello").encode()[..], *b"\x81\x05Hello");
    assert_eq!(
        Message::text("Hello").encode_masked(KEY)[..],
        *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    );
    assert_eq!(ping(b"Hello").encode()[..], *b"\x89\x05Hello");
    assert_eq!(Message::binary(vec![0; 256]).encode()[..5], *b"\x82\x7E\x01\x00\x00");
    assert_eq!(Message::binary(vec![0; 65_536]).encode()[..10], *b"\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00");
    let fragments = [
        frame(Role::Client, false, Opcode::Text, b"Hel"),
        frame(Role::Client, true, Opcode::Continuation, b"lo"),
    ];
    assert_eq!(fragments.concat(), b"\x01\x03Hel\x80\x02lo");

    assert_eq!(Message::close(CloseCode::NOW, "bye").encode()[..], *b"\x88\x05\x0f\xa0bye");
    assert_eq!(Message::Close(None).encode()[..], *b"\x88\x00");
    assert_eq!(Message::Pong(ControlPayload::default()).encode()[..], *b"\x8a\x00");
}

#[test]
fn lengths_are_read_as_written_around_every_change_of_their_form() {
    let limits = Limits { message_bytes: 70_000, fragments: 1 };
    let head_len = |len, mask| {
        let head = FrameHead { fin: true, opcode: Opcode::Binary, len, mask };
        let mut out = Vec::new();
        head.write(&mut out);
        assert_eq!(out.len(), head.encoded_len());
        out.len()
    };
    assert_eq!([0, 125, 126, 65_535, 65_536].map(|len| head_len(len, None)), [2, 2, 4, 4, 10]);
    assert_eq!([0, 125, 126, 65_535, 65_536].map(|len| head_len(len, Some(KEY))), [6, 6, 8, 8, 14]);
    for len in [0, 1, 7, 8, 9, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537] {
        let payload: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let message = Message::binary(payload.clone());
        for role in BOTH {
            let frames = [frame(role, true, Opcode::Binary, &payload)];
            let own = if role == Role::Server { message.encode_masked(KEY) } else { message.encode() };
            assert_eq!(frames[0], own);
            assert_eq!(of(role, limits, &frames), (vec![message.clone()], Ok(())), "{len} bytes");
        }
    }
}

#[test]
fn heads_that_break_a_rule_are_refused_with_1002() {
    use Violation::{
        ControlTooLong, FragmentedControl, LengthNotMinimal, LengthTooLarge, Masked, NothingToContinue,
        ReservedBits, UnknownOpcode, Unmasked,
    };
    let cases: &[(Role, &[u8], Violation)] = &[
        (Role::Client, b"\xC1", ReservedBits),
        (Role::Client, b"\xA1", ReservedBits),
        (Role::Client, b"\x91", ReservedBits),
        (Role::Client, b"\xC9", ReservedBits),
        (Role::Client, b"\x83", UnknownOpcode(3)),
        (Role::Client, b"\x87", UnknownOpcode(7)),
        (Role::Client, b"\x8B", UnknownOpcode(11)),
        (Role::Client, b"\x8F", UnknownOpcode(15)),
        (Role::Client, b"\x80", NothingToContinue),
        (Role::Client, b"\x00", NothingToContinue),
        (Role::Client, b"\x08", FragmentedControl),
        (Role::Client, b"\x09", FragmentedControl),
        (Role::Client, b"\x0A", FragmentedControl),
        (Role::Client, b"\x89\x7E", ControlTooLong),
        (Role::Client, b"\x88\x7F", ControlTooLong),
        (Role::Client, b"\x81\x80", Masked),
        (Role::Server, b"\x81\x00", Unmasked),
        (Role::Server, b"\x88\x00", Unmasked),
        (Role::Server, b"\x8A\xFE", ControlTooLong),
        (Role::Client, b"\x82\x7E\x00\x7D", LengthNotMinimal),
        (Role::Client, b"\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF", LengthNotMinimal),
        (Role::Client, b"\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00", LengthTooLarge),
        (Role::Server, b"\x82\xFE\x00\x00\x01\x02\x03\x04", LengthNotMinimal),
    ];
    for &(role, head, violation) in cases {
        assert_eq!(of(role, Limits::default(), &[head.to_vec()]), (vec![], Err(violation)), "{head:x?}");
        assert_eq!(violation.close_code(), CloseCode::PROTOCOL_ERROR);
        let before = &head[..head.len() - 1];
        assert_eq!(
            of(role, Limits::default(), &[before.to_vec()]),
            (vec![], Ok(())),
            "not before its last byte"
        );
    }
}

#[test]
fn fragments_are_put_together_and_control_frames_come_between() {
    for role in BOTH {
        let [first, empty, last] = [b"\xE2\x9C".as_slice(), b"", b"\x93 done"];
        let frames = [
            frame(role, false, Opcode::Text, first),
            frame(role, true, Opcode::Ping, b"1"),
            frame(role, false, Opcode::Continuation, empty),
            frame(role, true, Opcode::Pong, b""),
            frame(role, true, Opcode::Continuation, last),
            frame(role, false, Opcode::Binary, b""),
            frame(role, true, Opcode::Continuation, b"x"),
        ];
        let expected = vec![
            ping(b"1").into_owned(),
            Message::Pong(ControlPayload::default()),
            Message::text("✓ done"),
            Message::binary(b"x".to_vec()),
        ];
        assert_eq!(of(role, Limits::default(), &frames), (expected, Ok(())));
    }
}

#[test]
fn a_message_within_a_message_is_refused() {
    for opcode in [Opcode::Text, Opcode::Binary] {
        let frames =
            [frame(Role::Server, false, Opcode::Text, b"a"), frame(Role::Server, true, opcode, b"b")];
        assert_eq!(of(Role::Server, Limits::default(), &frames), (vec![], Err(Violation::UnfinishedMessage)));
    }
    let frames = [
        frame(Role::Server, true, Opcode::Text, b"a"),
        frame(Role::Server, true, Opcode::Continuation, b"b"),
    ];
    assert_eq!(
        of(Role::Server, Limits::default(), &frames),
        (vec![Message::text("a")], Err(Violation::NothingToContinue))
    );
}

#[test]
fn messages_over_the_limit_are_refused_by_their_heads_with_1009() {
    let limits = Limits { message_bytes: 10, fragments: 3 };
    for role in BOTH {
        let fits = [frame(role, true, Opcode::Text, b"0123456789")];
        assert_eq!(of(role, limits, &fits), (vec![Message::text("0123456789")], Ok(())));
        let fits =
            [frame(role, false, Opcode::Text, b"01234"), frame(role, true, Opcode::Continuation, b"56789")];
        assert_eq!(of(role, limits, &fits), (vec![Message::text("0123456789")], Ok(())));
        let over =
            [frame(role, false, Opcode::Text, b"01234"), frame(role, true, Opcode::Continuation, b"567890")];
        assert_eq!(of(role, limits, &over), (vec![], Err(Violation::TooBig)));

        let mask = (role == Role::Server).then_some(KEY);
        for len in [11, 1 << 30, i64::MAX as u64] {
            let mut head = Vec::new();
            FrameHead { fin: true, opcode: Opcode::Binary, len, mask }.write(&mut head);
            assert_eq!(of(role, limits, &[head]), (vec![], Err(Violation::TooBig)), "{len} bytes declared");
        }
    }
    assert_eq!(Violation::TooBig.close_code(), CloseCode::TOO_BIG);
}

#[test]
fn too_many_fragments_are_refused_with_1008() {
    let limits = Limits { message_bytes: 10, fragments: 3 };
    let begin = frame(Role::Server, false, Opcode::Binary, b"");
    let [go_on, end] = [false, true].map(|fin| frame(Role::Server, fin, Opcode::Continuation, b""));
    let three = [begin.clone(), go_on.clone(), end];
    let twice = [three.concat(), three.concat()];
    assert_eq!(of(Role::Server, limits, &twice), (vec![Message::binary(vec![]); 2], Ok(())));
    let four = [begin, go_on.clone(), go_on.clone(), go_on];
    assert_eq!(of(Role::Server, limits, &four), (vec![], Err(Violation::TooManyFragments)));
    assert_eq!(Violation::TooManyFragments.close_code(), CloseCode::POLICY_VIOLATION);
}

#[test]
fn text_that_is_not_utf8_is_refused_with_1007() {
    let broken: &[&[u8]] =
        &[b"\xFF", b"\xC3", b"\xC0\x80", b"\xED\xA0\x80", b"\xF4\x90\x80\x80", b"ok \xE2\x9C"];
    for role in BOTH {
        for text in broken {
            let frames = [frame(role, true, Opcode::Text, text)];
            assert_eq!(
                of(role, Limits::default(), &frames),
                (vec![], Err(Violation::InvalidUtf8)),
                "{text:x?}"
            );
            let frames =
                [frame(role, false, Opcode::Text, text), frame(role, true, Opcode::Continuation, b"")];
            assert_eq!(
                of(role, Limits::default(), &frames),
                (vec![], Err(Violation::InvalidUtf8)),
                "{text:x?}"
            );
            let frames = [frame(role, true, Opcode::Binary, text)];
            assert_eq!(of(role, Limits::default(), &frames), (vec![Message::binary(text.to_vec())], Ok(())));
        }
    }
    assert_eq!(Violation::InvalidUtf8.close_code(), CloseCode::INVALID_PAYLOAD);
}

#[test]
fn close_frames_carry_a_code_that_may_be_sent_and_a_reason_in_utf8() {
    let close = |payload: &[u8]| {
        of(Role::Server, Limits::default(), &[frame(Role::Server, true, Opcode::Close, payload)])
    };
    assert_eq!(close(b""), (vec![Message::Close(None)], Ok(())));
    assert_eq!(close(b"\x03"), (vec![], Err(Violation::CloseTooShort)));
    assert_eq!(close(b"\x03\xE8"), (vec![Message::close(CloseCode::NORMAL, "")], Ok(())));
    assert_eq!(close("\u{3}\u{f}caf\u{e9}".as_bytes()).1, Err(Violation::InvalidCloseCode(0x030F)));
    assert_eq!(close(b"\x0F\xA0caf\xC3\xA9"), (vec![Message::close(CloseCode::NOW, "café")], Ok(())));
    assert_eq!(close(b"\x03\xE8\xFF"), (vec![], Err(Violation::InvalidCloseReason)));
    assert_eq!(Violation::InvalidCloseReason.close_code(), CloseCode::INVALID_PAYLOAD);

    for code in 0..=u16::MAX {
        let may_be_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(code).map(CloseCode::get), may_be_sent.then_some(code));
        if !may_be_sent {
            let frame = frame(Role::Client, true, Opcode::Close, &code.to_be_bytes());
            let violation = Violation::InvalidCloseCode(code);
            assert_eq!(read(Role::Client, Limits::default(), &[&frame]), (vec![], Err(violation)));
            assert_eq!(violation.close_code(), CloseCode::PROTOCOL_ERROR);
        }
    }
}

#[test]
fn nothing_is_read_after_a_close_frame() {
    let frames = [frame(Role::Server, true, Opcode::Close, b""), b"\xFF\xFF not frames at all".to_vec()];
    assert_eq!(of(Role::Server, Limits::default(), &frames), (vec![Message::Close(None)], Ok(())));
}

#[test]
fn long_reasons_are_cut_at_a_character_and_long_pings_refused() {
    for (reason, kept) in
        [("x".repeat(123), 123), ("x".repeat(124), 123), ("é".repeat(62), 122), ("✓".repeat(42), 123)]
    {
        for close in
            [Close::new(CloseCode::LATER, reason.as_str()), Close::new(CloseCode::LATER, reason.clone())]
        {
            assert_eq!(close.reason(), &reason[..kept]);
        }
        let encoded = Message::close(CloseCode::LATER, reason).encode();
        assert_eq!(encoded.len(), 4 + kept);
    }
    assert!(ControlPayload::new(&[0; 125][..]).is_ok());
    assert_eq!(ControlPayload::new(&[0; 126][..]), Err(ControlTooLong));
}

#[test]
fn the_decoder_holds_nothing_at_rest_and_only_what_came_of_a_message() {
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let begin = frame(Role::Server, false, Opcode::Text, &[b'x'; 1000]);
    let ping = frame(Role::Server, true, Opcode::Ping, &[b'y'; 100]);
    let end = frame(Role::Server, true, Opcode::Continuation, b"");
    assert_eq!(decoder.decode(&mut &begin[..4]), Ok(None));
    assert_eq!((decoder.buffered(), decoder.is_between_messages()), (4, false));
    assert_eq!(decoder.decode(&mut &begin[4..508]), Ok(None));
    assert_eq!(decoder.buffered(), 500, "of 1,000 declared, 500 have come");
    assert_eq!(decoder.decode(&mut &begin[508..]), Ok(None));
    assert_eq!(decoder.decode(&mut &ping[..56]), Ok(None));
    assert_eq!(decoder.buffered(), 1050);
    assert!(matches!(decoder.decode(&mut &ping[56..]), Ok(Some(Message::Ping(_)))));
    assert_eq!((decoder.buffered(), decoder.is_between_messages()), (1000, false));
    assert!(matches!(decoder.decode(&mut &end[..]), Ok(Some(Message::Text(_)))));
    assert_eq!((decoder.buffered(), decoder.is_between_messages()), (0, true));
    assert!(size_of::<Decoder>() <= 160, "{} bytes for every connection", size_of::<Decoder>());
}

#[test]
fn unmasked_messages_are_given_out_from_the_input_without_copying() {
    let encoded = Message::text("hello").encode();
    let mut input = &encoded[..];
    let decoded = Decoder::new(Role::Client, Limits::default()).decode(&mut input);
    let Ok(Some(Message::Text(text))) = decoded else { panic!("{decoded:?}") };
    assert_eq!(text.as_ptr(), encoded[2..].as_ptr());
}
