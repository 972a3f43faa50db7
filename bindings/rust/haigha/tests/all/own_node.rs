//! What is done to a RabbitMQ of this test's own: TLS, a crash. One after the other, since nodes take
//! long to start.

use haigha::*;
use std::path::{Path, PathBuf};
use std::process::Command;

fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> String {
    let output = Command::new(program.as_ref()).args(arguments).output().expect("a program that is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?} {arguments:?}: {said}", program.as_ref());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

struct Node {
    name: String,
    uri: String,
    folder: PathBuf,
}

fn tool(arguments: &[&str]) -> String {
    run(std::env::var("HAIGHA_BROKER_TOOL").expect("HAIGHA_BROKER_TOOL names tools/broker"), arguments)
}

/// An authority, and a certificate of it for localhost.
fn make_certificates(folder: &Path) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"];
    let (authority, authority_key) = (path("ca.pem"), path("ca.key"));
    let made = ["/CN=of the test", "-keyout", &authority_key, "-out", &authority];
    run("openssl", &[&new[..], &made].concat());
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let signed = ["-CA", &authority, "-CAkey", &authority_key, "-keyout", &key, "-out", &certificate];
    let names = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    run("openssl", &[&new[..], &["/CN=localhost"], &signed, &names].concat());
    // The broker may be another user.
    run("chmod", &["755", folder.to_str().unwrap()]);
    run("chmod", &["644", &key]);
}

impl Node {
    /// With TLS on a port of its own.
    fn start() -> (Node, u16) {
        let name = format!("rust-own-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        make_certificates(&folder);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = |name: &str| folder.join(name).display().to_string();
        let lines = [
            format!("listeners.ssl.1 = 127.0.0.1:{port}"),
            format!("ssl_options.cacertfile = {}", file("ca.pem")),
            format!("ssl_options.certfile = {}", file("server.pem")),
            format!("ssl_options.keyfile = {}", file("server.key")),
        ];
        let owner = std::process::id().to_string();
        let mut arguments = vec!["start", &name, "--owner", &owner];
        arguments.extend(lines.iter().flat_map(|line| ["--conf", line]));
        let uri = tool(&arguments);
        (Node { name, uri, folder }, port)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        tool(&["stop", &self.name]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn tls_and_a_crash() {
    let (node, port) = Node::start();
    block_on(async {
        speaks_tls(&node, port).await;
        refuses_a_wrong_password(&node).await;
        comes_back(&node).await;
    });
}

async fn speaks_tls(node: &Node, port: u16) {
    let uri = format!("amqps://guest:guest@localhost:{port}?address_family=4");
    let authority = node.folder.join("ca.pem").display().to_string();
    let options = Options::of_uri(&uri).unwrap().with("cacertfile", &authority).unwrap();
    let connection = Connection::open(&options).await.unwrap();
    let peer = connection.peer_info().unwrap();
    assert_eq!(peer.get("security").and_then(Value::as_str), Some("tls"));
    assert_eq!(peer.get("tls_verified").and_then(Value::as_str), Some("chain and name"));
    connection.close().await.unwrap();
    // Nobody vouches for it.
    let error = connect(&uri).await.unwrap_err();
    assert_eq!((error.kind(), error.stage()), (ErrorKind::Tls, "tls"));
}

async fn refuses_a_wrong_password(node: &Node) {
    let options = Options::of_uri(&node.uri).unwrap().with("password", "sesame").unwrap();
    let error = Connection::open(&options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(error.to_string().contains("ACCESS_REFUSED") && !format!("{error:?}").contains("sesame"));
}

async fn comes_back(node: &Node) {
    let plain = connect(&node.uri).await.unwrap();
    let options = Options::of_uri(&node.uri).unwrap().with("recovery", 1).unwrap();
    let connection = Connection::open(&options).await.unwrap();
    let mut events = connection.events();
    let channel = connection.channel().await.unwrap();
    let durable = QueueOptions { durable: true, ..QueueOptions::default() };
    channel.queue_declare("kept", &durable).await.unwrap();
    let mut consumer = channel.consume("kept", &ConsumeOptions::default()).await.unwrap();
    // What waits hears of the crash at once.
    let lost = plain.channel().await.unwrap();
    let mut waits = lost.consume("kept", &ConsumeOptions::default()).await.unwrap();
    tool(&["kill", &node.name]);
    let error = waits.next().await.unwrap().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::ConnectionClosedByBroker), "{error:?}");
    assert_eq!(lost.queue_declare("q", &durable).await.unwrap_err().kind(), ErrorKind::Closed);
    tool(&["start", &node.name]);
    while !matches!(events.next().await.expect("the connection goes on"), Event::Recovered) {}
    channel.publish("", "kept", b"found").await.unwrap();
    let delivery = consumer.next().await.unwrap().unwrap();
    assert_eq!(delivery.body(), b"found");
    delivery.ack().unwrap();
}
