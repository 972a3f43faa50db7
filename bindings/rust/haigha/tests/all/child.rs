//! What a process of its own does, see `exit_with_live_connection`: this program, run once more.

use crate::site::Site;
use haigha::{block_on, ConsumeOptions};

pub const URI: &str = "HAIGHA_RUST_CHILD_URI";

#[test]
fn leaves_with_a_live_connection() {
    let uri = match std::env::var(URI) {
        Ok(uri) => uri,
        // In the parent there is nothing to do.
        Err(_) => return,
    };
    let site = Site { uri, stub: None, queue: format!("rust-child-{}", std::process::id()) };
    block_on(async {
        let (_connection, channel) = site.open().await;
        let _consumer = channel.consume(&site.queue, &ConsumeOptions::default()).await.unwrap();
        std::process::exit(7);
    });
}
