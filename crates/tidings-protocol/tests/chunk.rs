//! Chunked framing: goldens, tables of what is refused, sharing.

use proptest::prelude::*;
use tidings_protocol::chunk::{Chunk, Decoder, InvalidChunk, LAST, Limits, Part};

/// The payload read, and whether the body ended; the rest of the input stays in `input`.
fn read(input: &mut &[u8], limits: Limits) -> Result<(Vec<u8>, bool), InvalidChunk> {
    let mut decoder = Decoder::new(limits);
    let mut payload = Vec::new();
    while let Some(part) = decoder.decode(input)? {
        if let Part::Data(data) = part {
            payload.extend_from_slice(data);
        }
    }
    Ok((payload, decoder.is_ended()))
}

#[test]
fn a_chunk_is_framed_to_the_byte() {
    for (len, head) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (255, "ff\r\n"), (65_536, "10000\r\n")] {
        let payload = vec![b'x'; len];
        let chunk = Chunk::new(&payload);
        assert_eq!(chunk.framed()[..], [head.as_bytes(), &payload, b"\r\n"].concat());
        assert_eq!(chunk.payload(), payload);
    }
    assert_eq!(LAST, b"0\r\n\r\n");
}

#[test]
fn a_chunk_without_payload_would_end_the_body_and_is_nothing() {
    for chunk in [Chunk::new(b""), Chunk::build(100, |_| {}), Chunk::default()] {
        assert!(chunk.is_empty() && chunk.framed().is_empty() && chunk.payload().is_empty());
    }
}

#[test]
fn framing_and_payload_are_the_same_bytes_in_memory() {
    let chunk = Chunk::new(b"data: x\n\n");
    let (framed, payload) = (chunk.framed().as_ptr_range(), chunk.payload());
    assert_eq!(payload.as_ptr(), framed.start.wrapping_add(3));
    assert_eq!(chunk.clone().framed().as_ptr(), framed.start);
}

#[test]
fn bodies_are_read_up_to_their_end() {
    let body =
        b"5\r\nhello\r\nA ;a=b;c=\"d;e\"\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\nHTTP/1.1 200 OK\r\n";
    let mut input = &body[..];
    assert_eq!(read(&mut input, Limits::default()), Ok((b"hello0123456789".to_vec(), true)));
    assert_eq!(input, b"HTTP/1.1 200 OK\r\n", "what follows is not touched");
    assert_eq!(read(&mut &b"5\r\nhel"[..], Limits::default()), Ok((b"hel".to_vec(), false)), "cut short");
}

#[test]
fn broken_bodies_are_refused() {
    use InvalidChunk::{Control, HeadTooLong, LineEnd, Size, SizeTooLarge, TrailerTooLong};
    let long_head = format!("1;{}\r\nx\r\n", "e".repeat(300));
    let long_trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(1400));
    let cases: &[(&str, InvalidChunk)] = &[
        ("\r\n", Size),
        ("x\r\n", Size),
        ("+5\r\nhello\r\n", Size),
        ("-1\r\n", Size),
        ("0x5\r\nhello\r\n", Size),
        (" 5\r\nhello\r\n", Size),
        ("5 \r\nhello\r\n", Size),
        ("5 5\r\n", Size),
        ("5\nhello\n", Size),
        ("5\rhello", LineEnd),
        ("5;a\nhello", LineEnd),
        ("5;a\0\r\nhello\r\n", Control),
        ("5;a\u{7F}\r\nhello\r\n", Control),
        ("5\r\nhelloo\r\n", LineEnd),
        ("5\r\nhello\n", LineEnd),
        ("5\r\nhello\r0", LineEnd),
        ("0\r\n\n", LineEnd),
        ("0\r\n\rx", LineEnd),
        ("0\r\na: b\n", LineEnd),
        ("0\r\na: \0\r\n", Control),
        ("10000000000000000\r\n", SizeTooLarge),
        ("8000000000000000\r\n", SizeTooLarge),
        ("ffffffffffffffff\r\n", SizeTooLarge),
        (&long_head, HeadTooLong),
        (&long_trailers, TrailerTooLong),
    ];
    for (body, error) in cases {
        assert_eq!(read(&mut body.as_bytes(), Limits::default()), Err(*error), "{body:?}");
    }
    let zeros = format!("{}1\r\nx\r\n0\r\n\r\n", "0".repeat(255));
    assert_eq!(read(&mut zeros.as_bytes(), Limits::default()), Ok((b"x".to_vec(), true)), "256 digits fit");
    let zeros = format!("0{zeros}");
    assert_eq!(read(&mut zeros.as_bytes(), Limits::default()), Err(HeadTooLong), "257 do not");
    let largest = "7fffffffffffffff\r\nx";
    assert_eq!(read(&mut largest.as_bytes(), Limits::default()), Ok((b"x".to_vec(), false)));
}

#[test]
fn payload_is_given_out_from_the_input_without_copying() {
    let body = Chunk::new(b"hello");
    let mut input = &body.framed()[..];
    let part = Decoder::default().decode(&mut input);
    let Ok(Some(Part::Data(data))) = part else { panic!("{part:?}") };
    assert_eq!(data.as_ptr(), body.payload().as_ptr());
}

proptest! {
    #[test]
    fn chunks_framed_are_chunks_read(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8),
        step in 1_usize..50,
    ) {
        let mut body = Vec::new();
        payloads.iter().for_each(|payload| body.extend_from_slice(Chunk::new(payload).framed()));
        body.extend_from_slice(LAST);
        let (mut decoder, mut read) = (Decoder::default(), Vec::new());
        for mut piece in body.chunks(step) {
            while let Some(part) = decoder.decode(&mut piece).unwrap() {
                if let Part::Data(data) = part {
                    read.extend_from_slice(data);
                }
            }
        }
        prop_assert_eq!(read, payloads.concat());
        prop_assert!(decoder.is_ended());
    }
}
