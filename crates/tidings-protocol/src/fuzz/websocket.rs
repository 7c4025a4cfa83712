//! Targets of [`crate::ws`].

use super::{Choices, cuttings};
use crate::ws::{
    CloseCode, ControlPayload, Decoder, FrameHead, Limits, MaskKey, Message, Opcode, Refusal, Role,
    Violation, accept_key, accept_upgrade, request_key,
};

type Outcome = (Vec<Message<'static>>, Result<(), Violation>);

/// Any bytes as what a client sends.
pub fn ws_server(data: &[u8]) {
    frames(Role::Server, data);
}

/// Any bytes as what a server sends.
pub fn ws_client(data: &[u8]) {
    frames(Role::Client, data);
}

fn frames(role: Role, data: &[u8]) {
    let mut choices = Choices::of(data);
    let limits = Limits {
        message_bytes: usize::from(choices.byte()) * usize::from(choices.byte() % 8),
        fragments: u32::from(choices.byte() % 16),
    };
    let [whole, bytes, pieces] = cuttings(choices.rest);
    let outcome = read(role, limits, &whole);
    let mut expected = Vec::new();
    let result = reference(role, limits, choices.rest, &mut expected);
    assert_eq!(outcome, (expected, result), "the decoder and the RFC disagree");
    for cutting in [bytes, pieces] {
        assert_eq!(read(role, limits, &cutting), outcome, "cutting matters");
    }
    let mut again = Vec::new();
    for message in &outcome.0 {
        assert!(payload_len(message) <= limits.message_bytes.max(125), "over the limit");
        message.write(&mut again, mask_for(role, MaskKey([1, 2, 3, 4])));
    }
    let once = Limits { fragments: 1, ..limits };
    assert_eq!(read(role, once, &[&again]), (outcome.0, Ok(())), "encoded again, it is something else");
}

/// The input as messages, fragments and keys: what is encoded is decoded, in both directions.
pub fn ws_messages(data: &[u8]) {
    for role in [Role::Server, Role::Client] {
        let mut choices = Choices::of(data);
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        while !choices.is_empty() {
            write_message(role, &mut choices, &mut stream, &mut expected);
        }
        for cutting in cuttings(&stream) {
            assert_eq!(read(role, Limits::default(), &cutting), (expected.clone(), Ok(())));
        }
    }
}

fn write_message(
    role: Role,
    choices: &mut Choices<'_>,
    stream: &mut Vec<u8>,
    expected: &mut Vec<Message<'static>>,
) {
    let what = choices.byte();
    let mask = mask_for(role, MaskKey([choices.byte(), choices.byte(), what, 0]));
    let payload = choices.bytes(140).to_owned();
    let text = String::from_utf8_lossy(&payload).into_owned();
    let message = match what % 8 {
        0 => Message::text(text),
        1 => Message::binary(payload),
        2 => control(payload).map_or(Message::Ping(ControlPayload::default()), Message::Ping),
        3 => control(payload).map_or(Message::Pong(ControlPayload::default()), Message::Pong),
        4 if what > 250 && choices.is_empty() => close(u16::from(what) * 16, text),
        _ => return write_fragments(mask, choices, &payload, stream, expected),
    };
    message.write(stream, mask);
    expected.push(message);
}

fn close(code: u16, reason: String) -> Message<'static> {
    CloseCode::new(code).map_or(Message::Close(None), |code| Message::close(code, reason))
}

fn control(payload: Vec<u8>) -> Option<ControlPayload<'static>> {
    let is_short = payload.len() <= 125;
    let control = ControlPayload::new(payload).ok();
    assert_eq!(control.is_some(), is_short);
    control
}

/// A binary message in fragments, some of them empty, with a ping after each but the last.
fn write_fragments(
    mask: Option<MaskKey>,
    choices: &mut Choices<'_>,
    payload: &[u8],
    stream: &mut Vec<u8>,
    expected: &mut Vec<Message<'static>>,
) {
    let mut rest = payload;
    let mut opcode = Opcode::Binary;
    for left in (0..1 + choices.byte() % 5).rev() {
        let len = if left == 0 { rest.len() } else { usize::from(choices.byte()).min(rest.len()) };
        let (fragment, after) = rest.split_at(len);
        let head = FrameHead { fin: left == 0, opcode, len: len as u64, mask };
        let start = stream.len();
        head.write(stream);
        assert_eq!(stream.len() - start, head.encoded_len());
        let start = stream.len();
        stream.extend_from_slice(fragment);
        let _ = mask.unwrap_or_default().apply(&mut stream[start..]);
        if left > 0 {
            let ping = Message::Ping(control(vec![left; usize::from(left)]).unwrap_or_default());
            ping.write(stream, mask);
            expected.push(ping);
        }
        (rest, opcode) = (after, Opcode::Continuation);
    }
    expected.push(Message::binary(payload.to_owned()));
}

/// The input as lines of headers, and as a key.
pub fn ws_handshake(data: &[u8]) {
    if let Ok(accept) = accept_key(data) {
        assert_eq!((data.len(), accept.as_str().len()), (24, 28));
    }
    if let Some((nonce, _)) = data.split_first_chunk() {
        assert!(accept_key(request_key(*nonce).as_bytes()).is_ok(), "own keys are good");
    }
    let text = String::from_utf8_lossy(data);
    let headers: Vec<(&str, &[u8])> = text
        .split('\n')
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.as_bytes()))
        .collect();
    let outcome = accept_upgrade(headers.iter().copied());
    let named = |wanted: &str| headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).count();
    match outcome {
        Ok(_) => {
            let counts = ["sec-websocket-key", "sec-websocket-version"].map(named);
            assert_eq!(counts, [1, 1]);
            assert!(named("upgrade") > 0 && named("connection") > 0);
            assert_eq!(accept_upgrade(headers.iter().rev().copied()), outcome, "order matters");
        }
        Err(refusal) => {
            assert_eq!(refusal.status() == 426, refusal.version_header().is_some());
            assert!(!matches!(refusal, Refusal::Repeated(name) if named(name) < 2));
        }
    }
}

fn mask_for(role: Role, key: MaskKey) -> Option<MaskKey> {
    (role == Role::Server).then_some(key)
}

fn payload_len(message: &Message<'_>) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        Message::Ping(payload) | Message::Pong(payload) => payload.as_bytes().len(),
        Message::Close(close) => close.as_ref().map_or(0, |close| 2 + close.reason().len()),
    }
}

fn read(role: Role, limits: Limits, pieces: &[&[u8]]) -> Outcome {
    let mut decoder = Decoder::new(role, limits);
    let mut messages = Vec::new();
    let result = read_into(&mut decoder, limits, pieces, &mut messages);
    if let Err(violation) = result {
        assert_eq!(decoder.decode(&mut &[0x89, 0][..]), Err(violation), "an error is for good");
    }
    if result.is_err() || decoder.is_between_messages() {
        assert_eq!(decoder.buffered(), 0, "held at rest");
    }
    (messages, result)
}

fn read_into(
    decoder: &mut Decoder,
    limits: Limits,
    pieces: &[&[u8]],
    messages: &mut Vec<Message<'static>>,
) -> Result<(), Violation> {
    for mut piece in pieces.iter().copied() {
        while let Some(message) = decoder.decode(&mut piece)? {
            messages.push(message.into_owned());
        }
        assert!(piece.is_empty(), "None means that all was read");
        assert!(decoder.buffered() <= limits.message_bytes + 125 + 14);
    }
    Ok(())
}

/// RFC 6455, 5 and 7, in the simplest way, on a stream that is there whole: frame by frame, every payload copied.
fn reference(
    role: Role,
    limits: Limits,
    mut rest: &[u8],
    messages: &mut Vec<Message<'static>>,
) -> Result<(), Violation> {
    let mut begun: Option<(u8, Vec<u8>, u32)> = None;
    while let Some(&first) = rest.first() {
        let (fin, opcode) = (first >= 0x80, first % 16);
        check_first(first, begun.is_some())?;
        let Some(&second) = rest.get(1) else { break };
        match (role, second >= 0x80) {
            (Role::Server, false) => return Err(Violation::Unmasked),
            (Role::Client, true) => return Err(Violation::Masked),
            _ if opcode >= 8 && second % 128 > 125 => return Err(Violation::ControlTooLong),
            _ => {}
        }
        let width = [0, 2, 8][usize::from(second % 128).saturating_sub(125)];
        let keys = if role == Role::Server { 4 } else { 0 };
        let Some((head, after)) = rest.split_at_checked(2 + width + keys) else { break };
        let len = head[2..2 + width].iter().fold(0, |len: u64, &byte| len << 8 | u64::from(byte));
        let len = if width == 0 { u64::from(second % 128) } else { len };
        match width {
            2 if len < 126 => return Err(Violation::LengthNotMinimal),
            8 if len < 65_536 => return Err(Violation::LengthNotMinimal),
            8 if len > i64::MAX as u64 => return Err(Violation::LengthTooLarge),
            _ => {}
        }
        if opcode < 8 {
            let (_, payload, fragments) = begun.get_or_insert((opcode, Vec::new(), 0));
            if payload.len() as u64 + len > limits.message_bytes as u64 {
                return Err(Violation::TooBig);
            }
            *fragments += 1;
            if *fragments > limits.fragments {
                return Err(Violation::TooManyFragments);
            }
        }
        let Some((payload, after)) = after.split_at_checked(len as usize) else { break };
        let key = if keys == 0 { &[0; 4] } else { &head[2 + width..] };
        let payload: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        rest = after;
        if opcode >= 8 {
            messages.push(whole_message(opcode, payload)?);
        } else if let Some((_, so_far, _)) = &mut begun {
            so_far.extend(payload);
        }
        if opcode == 8 {
            break;
        }
        if let Some((opcode, payload, _)) = begun.take_if(|_| fin && opcode < 8) {
            messages.push(whole_message(opcode, payload)?);
        }
    }
    Ok(())
}

fn check_first(first: u8, is_begun: bool) -> Result<(), Violation> {
    match (first & 0x70, first & 0x0F) {
        (1.., _) => Err(Violation::ReservedBits),
        (_, opcode @ (3..=7 | 11..)) => Err(Violation::UnknownOpcode(opcode)),
        (_, 0) if !is_begun => Err(Violation::NothingToContinue),
        (_, 1 | 2) if is_begun => Err(Violation::UnfinishedMessage),
        (_, 8..) if first < 0x80 => Err(Violation::FragmentedControl),
        _ => Ok(()),
    }
}

fn whole_message(opcode: u8, payload: Vec<u8>) -> Result<Message<'static>, Violation> {
    match (opcode, payload.as_slice()) {
        (1, _) => String::from_utf8(payload).map(Message::text).map_err(|_| Violation::InvalidUtf8),
        (2, _) => Ok(Message::binary(payload)),
        (8, []) => Ok(Message::Close(None)),
        (8, [_]) => Err(Violation::CloseTooShort),
        (8, [high, low, reason @ ..]) => {
            let number = u16::from(*high) * 256 + u16::from(*low);
            let code = CloseCode::new(number).ok_or(Violation::InvalidCloseCode(number))?;
            let reason = str::from_utf8(reason).map_err(|_| Violation::InvalidCloseReason)?;
            Ok(Message::close(code, reason.to_owned()))
        }
        (9, _) => Ok(Message::Ping(control(payload).unwrap_or_default())),
        _ => Ok(Message::Pong(control(payload).unwrap_or_default())),
    }
}
