//! Where a test is done: a stub broker of its own, or the real one.

use haigha::{Channel, Connection, Options, QueueOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, Receiver};
use std::sync::Mutex;
use std::time::Duration;

/// Nothing that a test waits for takes as long.
const LONGEST: Duration = Duration::from_secs(60);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run bindings/rust/run_tests"))
}

/// A haigha-stub-broker.
pub struct Stub {
    child: Child,
    input: Mutex<ChildStdin>,
    lines: Mutex<Receiver<String>>,
    pub uri: String,
}

impl Stub {
    pub fn start(script: &[String]) -> Stub {
        let mut child = Command::new(variable("HAIGHA_STUB_BROKER"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("haigha-stub-broker starts");
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let uri = lines.recv_timeout(LONGEST).expect("the stub broker says its URI");
        let input = Mutex::new(child.stdin.take().unwrap());
        let stub = Stub { child, input, lines: Mutex::new(lines), uri };
        for line in script {
            stub.say(line);
        }
        stub
    }

    /// Says a command; what is behind `ok`.
    pub fn say(&self, command: &str) -> String {
        let mut input = self.input.lock().unwrap();
        writeln!(input, "{command}").unwrap();
        loop {
            let line = self.lines.lock().unwrap().recv_timeout(LONGEST).expect("an answer");
            if let Some(value) = line.strip_prefix("ok") {
                return value.trim().to_owned();
            }
            assert!(line.starts_with("fired"), "{command}: {line}");
        }
    }

    /// Until it has received a method so often.
    pub fn wait(&self, method: &str, times: u32) {
        self.say(&format!("wait {method} {times} 60000"));
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A broker, and a queue's name that is the test's alone.
pub struct Site {
    pub uri: String,
    pub stub: Option<Stub>,
    pub queue: String,
}

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Site {
    pub fn stub(script: &[String]) -> Site {
        let stub = Stub::start(script);
        Site { uri: stub.uri.clone(), stub: Some(stub), queue: "q".to_owned() }
    }

    pub fn broker() -> Site {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let queue = format!("rust-{}-{number}", std::process::id());
        Site { uri: variable("HAIGHA_TEST_URI"), stub: None, queue }
    }

    /// Says a command to the stub broker.
    pub fn say(&self, command: &str) {
        self.stub.as_ref().expect("a stub broker").say(command);
    }

    pub fn options(&self) -> Options {
        Options::of_uri(&self.uri).unwrap()
    }

    pub async fn connect(&self) -> Connection {
        haigha::connect(&self.uri).await.unwrap()
    }

    /// A connection, a channel with confirms, and the queue.
    pub async fn open(&self) -> (Connection, Channel) {
        let connection = self.connect().await;
        let channel = connection.channel().await.unwrap();
        self.declare(&channel).await;
        (connection, channel)
    }

    pub async fn declare(&self, channel: &Channel) {
        let exclusive = QueueOptions { exclusive: true, ..QueueOptions::default() };
        channel.queue_declare(&self.queue, &exclusive).await.unwrap();
    }

    /// How many messages are ready in the queue.
    pub async fn size(&self, channel: &Channel) -> u32 {
        let passive = QueueOptions { passive: true, ..QueueOptions::default() };
        channel.queue_declare(&self.queue, &passive).await.unwrap().message_count
    }
}
