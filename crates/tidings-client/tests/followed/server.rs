//! A server that answers as a test says, on threads of its own: the test's runtime has the client's tasks alone.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a request is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A whole answer: status, further headers, each with its line's end, and body.
    Whole(u16, String, String),
    /// A stream of these blocks, which then says nothing more.
    Stream(String),
    /// The connection is closed.
    Cut,
    /// There is none.
    Hang,
}

/// The server; it is asked in the order of its answers, and hangs after the last.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
    open: AtomicUsize,
}

impl Server {
    pub(crate) fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers = Mutex::new(answers.into_iter().collect());
        let shared = Arc::new(Shared { answers, asked: Mutex::default(), open: AtomicUsize::default() });
        let serving = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, serving) = (stream.unwrap(), serving.clone());
                serving.open.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    let _ = serving.serve(stream);
                    serving.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, shared }
    }

    /// What was asked: the target, and the credential after a space.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Connections that the client holds.
    pub(crate) fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let target = head.split(' ').nth(1).unwrap();
        let shown = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer ")).unwrap();
        self.asked.lock().unwrap().push(format!("{target} {shown}"));
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Hang);
        match answer {
            Answer::Cut => return Ok(()),
            Answer::Whole(status, headers, body) => {
                let length = body.len();
                return write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
                );
            }
            Answer::Stream(blocks) => write!(
                stream,
                "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n{blocks}"
            )?,
            Answer::Hang => {}
        }
        // Until the client closes it.
        while stream.read(&mut byte)? > 0 {}
        Ok(())
    }
}
