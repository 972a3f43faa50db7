//! What the Rust drivers have in common: the arguments, the stamp of a message, and the meter.

use nix::sys::resource::{getrusage, UsageWho};
use std::time::{Duration, Instant};

const FILLER: u8 = b'x';

pub fn give_up(why: &str) -> ! {
    eprintln!("{}: {why}", std::env::args().next().unwrap_or_default());
    std::process::exit(1)
}

/// One work. Is measured from message `warm` + 1 on.
pub struct Task {
    pub uri: String,
    pub work: String,
    pub size: usize,
    pub count: u64,
    pub window: u64,
    pub prefetch: u16,
    pub queue: String,
    warm: u64,
    cpu: Duration,
    wall: Instant,
}

/// User and system, of all threads.
fn cpu_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000))
        .sum()
}

impl Task {
    pub fn parse() -> Task {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let [uri, work, size, count, warm, window, prefetch, queue] = &arguments[..] else {
            give_up("usage: URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE");
        };
        let number = |text: &str| text.parse().unwrap_or_else(|_| give_up("not a number"));
        Task {
            uri: uri.clone(),
            work: work.clone(),
            size: number(size) as usize,
            count: number(count),
            window: number(window),
            prefetch: number(prefetch) as u16,
            queue: queue.clone(),
            warm: number(warm),
            cpu: Duration::ZERO,
            wall: Instant::now(),
        }
    }

    pub fn publishes(&self) -> bool {
        self.work.starts_with("publish")
    }

    pub fn confirms(&self) -> bool {
        self.work == "publish+confirm"
    }

    pub fn acks(&self) -> bool {
        self.work == "consume+ack"
    }

    pub fn before(&mut self, number: u64) {
        if number == self.warm + 1 {
            self.cpu = cpu_time();
            self.wall = Instant::now();
        }
    }

    pub fn report(&self) {
        let messages = (self.count - self.warm) as f64;
        let cpu = (cpu_time() - self.cpu).as_secs_f64();
        let wall = self.wall.elapsed().as_secs_f64();
        println!("{:.6} {:.0}", cpu / messages * 1e6, messages / wall);
    }

    pub fn blank(&self) -> Vec<u8> {
        vec![FILLER; self.size]
    }

    pub fn stamp(&self, body: &mut [u8], number: u64) {
        body[..8].copy_from_slice(&number.to_le_bytes());
        body[self.size - 8..].copy_from_slice(&(!number).to_le_bytes());
    }

    pub fn check(&self, body: &[u8], tag: u64, number: u64) {
        let right = tag == number
            && body.len() == self.size
            && body[..8] == number.to_le_bytes()
            && body[self.size - 8..] == (!number).to_le_bytes()
            && (self.size == 16 || body[self.size / 2] == FILLER);
        if !right {
            give_up("a delivery is not what was sent");
        }
    }
}
