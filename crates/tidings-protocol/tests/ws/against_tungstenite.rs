//! Both roles against tungstenite over bytes in memory: what one writes the other reads.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use proptest::prelude::*;
use tidings_protocol::ws::{
    CloseCode, ControlPayload, Decoder, Limits, MaskKey, Message, Opcode, Role, accept_key, accept_upgrade,
};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::{ClientHandshake, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode as OtherCode;
use tungstenite::{Message as Other, Utf8Bytes, WebSocket};

use crate::{frame, read};

/// One end of a connection: what it is to read, what it has written. Nothing to read is `WouldBlock`.
#[derive(Clone, Default)]
struct Pipe {
    inbound: Rc<RefCell<Vec<u8>>>,
    outbound: Rc<RefCell<Vec<u8>>>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inbound = self.inbound.borrow_mut();
        if inbound.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = buffer.len().min(inbound.len());
        buffer[..len].copy_from_slice(&inbound[..len]);
        inbound.drain(..len);
        Ok(len)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbound.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn other_role(role: Role) -> tungstenite::protocol::Role {
    match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    }
}

/// What tungstenite in this role reads from a stream, up to its end, a close or an error.
fn other_reads(role: Role, stream: &[u8]) -> (Vec<Message<'static>>, bool) {
    let pipe = Pipe::default();
    pipe.inbound.borrow_mut().extend_from_slice(stream);
    let mut socket = WebSocket::from_raw_socket(pipe, other_role(role), None);
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(message) => messages.push(ours(message)),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (messages, true);
            }
            Err(tungstenite::Error::ConnectionClosed) => return (messages, true),
            Err(_) => return (messages, false),
        }
        if let Some(Message::Close(_)) = messages.last() {
            return (messages, true);
        }
    }
}

/// What tungstenite writes of these messages, to an end in this role.
fn other_writes(to: Role, messages: &[Message<'static>]) -> Vec<u8> {
    let from = if to == Role::Server { Role::Client } else { Role::Server };
    let pipe = Pipe::default();
    let config = WebSocketConfig::default().write_buffer_size(0);
    let mut socket = WebSocket::from_raw_socket(pipe.clone(), other_role(from), Some(config));
    for message in messages {
        socket.send(theirs(message)).unwrap();
    }
    pipe.outbound.take()
}

fn ours(message: Other) -> Message<'static> {
    match message {
        Other::Text(text) => Message::text(text.as_str().to_owned()),
        Other::Binary(bytes) => Message::binary(bytes.to_vec()),
        Other::Ping(bytes) => Message::Ping(ControlPayload::new(bytes.to_vec()).unwrap()),
        Other::Pong(bytes) => Message::Pong(ControlPayload::new(bytes.to_vec()).unwrap()),
        Other::Close(None) => Message::Close(None),
        Other::Close(Some(CloseFrame { code, reason })) => {
            Message::close(CloseCode::new(code.into()).unwrap(), reason.as_str().to_owned())
        }
        Other::Frame(_) => panic!("never read"),
    }
}

fn theirs(message: &Message<'static>) -> Other {
    match message {
        Message::Text(text) => Other::text(text.to_string()),
        Message::Binary(bytes) => Other::binary(bytes.to_vec()),
        Message::Ping(payload) => Other::Ping(payload.as_bytes().to_vec().into()),
        Message::Pong(payload) => Other::Pong(payload.as_bytes().to_vec().into()),
        Message::Close(None) => Other::Close(None),
        Message::Close(Some(close)) => {
            let code = OtherCode::from(close.code().get());
            Other::Close(Some(CloseFrame { code, reason: Utf8Bytes::from(close.reason()) }))
        }
    }
}

fn any_close() -> impl Strategy<Value = Message<'static>> {
    // 1014 is registered since, but tungstenite does not take it.
    let code = prop_oneof![1000_u16..=1003, 1007_u16..=1013, 3000_u16..=4999];
    let close =
        (code, ".{0,40}").prop_map(|(code, reason)| Message::close(CloseCode::new(code).unwrap(), reason));
    prop_oneof![Just(Message::Close(None)), close]
}

fn any_message() -> impl Strategy<Value = Message<'static>> {
    let control =
        || prop::collection::vec(any::<u8>(), 0..=125).prop_map(|bytes| ControlPayload::new(bytes).unwrap());
    let bytes = prop_oneof![4 => 0..300_usize, 1 => 65_000..66_000_usize]
        .prop_flat_map(|len| prop::collection::vec(any::<u8>(), len));
    prop_oneof![
        3 => ".{0,200}".prop_map(Message::text),
        2 => bytes.prop_map(Message::binary),
        1 => control().prop_map(Message::Ping),
        1 => control().prop_map(Message::Pong),
    ]
}

fn any_messages() -> impl Strategy<Value = Vec<Message<'static>>> {
    (prop::collection::vec(any_message(), 0..8), prop::option::of(any_close())).prop_map(
        |(mut messages, close)| {
            messages.extend(close);
            messages
        },
    )
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// Frames that are mostly right in their own, in an order that mostly is not.
fn any_frames(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop::sample::select(vec![
        Opcode::Continuation,
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Ping,
        Opcode::Pong,
        Opcode::Close,
    ]);
    let payload = prop_oneof![
        Just(vec![]),
        prop::collection::vec(any::<u8>(), 0..4),
        "[aé✓]{0,3}".prop_map(String::into_bytes),
        (990_u16..1020).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    let one = (any::<bool>(), opcode, payload)
        .prop_map(move |(fin, opcode, payload)| frame(role, fin, opcode, &payload));
    let flip = prop::option::weighted(0.2, (any::<prop::sample::Index>(), 0..8_u8));
    (prop::collection::vec(one, 1..6), flip).prop_map(|(frames, flip)| {
        let mut stream = frames.concat();
        if let Some((at, bit)) = flip {
            let at = at.index(stream.len());
            stream[at] ^= 1 << bit;
        }
        stream
    })
}

proptest! {
    #[test]
    fn what_we_write_tungstenite_reads(messages in any_messages(), role in any_role(), key in any::<[u8; 4]>()) {
        let mut stream = Vec::new();
        for message in &messages {
            message.write(&mut stream, (role == Role::Server).then_some(MaskKey(key)));
        }
        prop_assert_eq!(other_reads(role, &stream), (messages, true));
    }

    #[test]
    fn what_tungstenite_writes_we_read(messages in any_messages(), role in any_role(), step in 1_usize..2000) {
        let stream = other_writes(role, &messages);
        let pieces: Vec<&[u8]> = stream.chunks(step).collect();
        prop_assert_eq!(read(role, Limits::default(), &pieces), (messages, Ok(())));
    }

    #[test]
    fn fragments_that_we_write_tungstenite_reads(text in ".{0,80}", ping in ".{0,20}", role in any_role(), step in 1_usize..40) {
        let mut stream = frame(role, false, Opcode::Text, b"");
        for fragment in text.as_bytes().chunks(step) {
            stream.extend(frame(role, false, Opcode::Continuation, fragment));
            stream.extend(frame(role, true, Opcode::Ping, ping.as_bytes()));
        }
        stream.extend(frame(role, true, Opcode::Continuation, b""));
        let (messages, result) = read(role, Limits::default(), &[&stream]);
        prop_assert_eq!(messages.last(), Some(&Message::text(text)));
        prop_assert_eq!(other_reads(role, &stream), (messages, result.is_ok()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// We are the stricter: of what we take, ending between messages, tungstenite takes the same.
    #[test]
    fn what_we_accept_tungstenite_accepts(
        (role, stream) in any_role().prop_flat_map(|role| (Just(role), any_frames(role))),
    ) {
        let (messages, result) = read(role, Limits::default(), &[&stream]);
        if result.is_ok() && ends_between_messages(role, &stream) {
            prop_assert_eq!(other_reads(role, &stream), (messages, true));
        }
    }
}

/// In the middle of a text tungstenite already refuses what is not UTF-8; we do at its end, unless a close is first.
fn ends_between_messages(role: Role, mut stream: &[u8]) -> bool {
    let mut decoder = Decoder::new(role, Limits::default());
    while let Ok(Some(message)) = decoder.decode(&mut stream) {
        if let Message::Close(_) = message {
            return false;
        }
    }
    decoder.is_between_messages()
}

#[test]
fn tungstenites_client_takes_our_handshake() {
    let pipe = Pipe::default();
    let request =
        tungstenite::client::IntoClientRequest::into_client_request("ws://example.org/v1/ws").unwrap();
    let waiting = match ClientHandshake::start(pipe.clone(), request, None).unwrap().handshake() {
        Err(HandshakeError::Interrupted(waiting)) => waiting,
        other => panic!("it should wait for the answer: {}", other.is_ok()),
    };
    let request = String::from_utf8(pipe.outbound.take()).unwrap();
    let headers =
        request.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.as_bytes()));
    let accept = accept_upgrade(headers).unwrap();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    pipe.inbound.borrow_mut().extend_from_slice(answer.as_bytes());
    let (mut socket, _) = waiting.handshake().map_err(|error| error.to_string()).unwrap();

    pipe.inbound.borrow_mut().extend_from_slice(&Message::text("welcome").encode());
    assert_eq!(socket.read().unwrap(), Other::text("welcome"));
    socket.send(Other::text("thanks")).unwrap();
    assert_eq!(
        read(Role::Server, Limits::default(), &[&pipe.outbound.take()]),
        (vec![Message::text("thanks")], Ok(()))
    );
}

#[test]
fn accept_keys_are_those_of_tungstenite() {
    for _ in 0..1000 {
        let key = generate_key();
        assert_eq!(accept_key(key.as_bytes()).unwrap().as_str(), derive_accept_key(key.as_bytes()));
    }
}
