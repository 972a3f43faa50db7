//! What the benchmark asks for: the arguments, the stamp of a message, and the meter.

use std::time::{Duration, Instant};

const FILLER: u8 = b'x';

pub fn give_up(why: &str) -> ! {
    eprintln!("{}: {why}", std::env::args().next().unwrap_or_default());
    std::process::exit(1)
}

/// One work. Is measured from message `warm` + 1 on.
pub struct Task {
    pub prepared: bool,
    pub uri: String,
    work: String,
    size: usize,
    pub count: u64,
    pub window: u64,
    pub prefetch: u16,
    pub queue: String,
    warm: u64,
    cpu: Duration,
    wall: Instant,
}

/// User and system, of all threads that live: these all do.
fn cpu_time() -> Duration {
    #[repr(C)]
    #[derive(Default)]
    struct Usage {
        user: [i64; 2],
        system: [i64; 2],
        rest: [i64; 14],
    }
    extern "C" {
        fn getrusage(who: i32, usage: *mut Usage) -> i32;
    }
    let mut usage = Usage::default();
    // SAFETY: it is as long as Linux's, on 64 bits.
    if unsafe { getrusage(0, &mut usage) } != 0 {
        give_up("getrusage fails");
    }
    let time = |time: [i64; 2]| Duration::new(time[0] as u64, time[1] as u32 * 1000);
    time(usage.user) + time(usage.system)
}

impl Task {
    pub fn parse() -> Task {
        let mut arguments: Vec<String> = std::env::args().skip(1).collect();
        let prepared = arguments.first().map_or(false, |first| first == "--prepared");
        if prepared {
            arguments.remove(0);
        }
        let (uri, work, numbers, queue) = match &arguments[..] {
            [uri, work, numbers @ .., queue] if numbers.len() == 5 => (uri, work, numbers, queue),
            _ => give_up("usage: [--prepared] URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE"),
        };
        let number = |at: usize| numbers[at].parse::<u64>().unwrap_or_else(|_| give_up("not a number"));
        Task {
            prepared,
            uri: uri.clone(),
            work: work.clone(),
            size: number(0) as usize,
            count: number(1),
            warm: number(2),
            window: number(3),
            prefetch: number(4) as u16,
            queue: queue.clone(),
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
