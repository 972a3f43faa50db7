//! The declarations of this crate are those of the header: a C compiler is given both.

use haigha_sys::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::size_of;
use std::process::{Command, Stdio};

const CONSTANTS: &str = include_str!("../src/constants.rs");
const RECORDS: &str = include_str!("../src/records.rs");
const FUNCTIONS: [&str; 4] = [
    include_str!("../src/base_functions.rs"),
    include_str!("../src/connection_functions.rs"),
    include_str!("../src/channel_functions.rs"),
    include_str!("../src/message_functions.rs"),
];

fn cflags() -> Vec<&'static str> {
    env!("HAIGHA_CFLAGS").split_whitespace().collect()
}

fn cc() -> Command {
    Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()))
}

/// What the compiler says against a program that includes the header.
fn complaints(program: &str) -> String {
    let mut compiler = cc()
        .args(["-x", "c", "-std=gnu11", "-fsyntax-only", "-Wall", "-Werror", "-"])
        .args(cflags())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a C compiler");
    let whole = format!("#include <haigha/haigha.h>\n#include <haigha/pool.h>\n{program}");
    compiler.stdin.take().unwrap().write_all(whole.as_bytes()).unwrap();
    let output = compiler.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), said.is_empty(), "{said}");
    said
}

/// The headers, preprocessed, without attributes.
fn header() -> String {
    let mut compiler = cc()
        .args(["-x", "c", "-E", "-P", "-"])
        .args(cflags())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a C compiler");
    let program = b"#include <haigha/haigha.h>\n#include <haigha/pool.h>\n";
    compiler.stdin.take().unwrap().write_all(program).unwrap();
    let text = String::from_utf8(compiler.wait_with_output().unwrap().stdout).unwrap();
    text.replace("__attribute__((visibility(\"default\")))", "")
}

/// C's words for a type of Rust's.
fn c_type(rust: &str) -> String {
    let rust = rust.trim();
    if let Some(of) = rust.strip_prefix("*mut ") {
        return format!("{}*", c_type(of));
    }
    if let Some(of) = rust.strip_prefix("*const ") {
        return match of.starts_with('*') {
            true => format!("{} const*", c_type(of)),
            false => format!("const {}*", c_type(of)),
        };
    }
    if let Some(of) = rust.strip_prefix("Option<").and_then(|of| of.strip_suffix('>')) {
        return c_type(of);
    }
    match rust {
        "c_int" => "int",
        "c_char" => "char",
        "c_void" => "void",
        "f64" => "double",
        "usize" => "size_t",
        "u8" => "uint8_t",
        "u16" => "uint16_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "i32" => "int32_t",
        "i64" => "int64_t",
        "unsafe extern \"C\" fn()" => "no_arguments_fn",
        "uv_loop_s" => "struct uv_loop_s",
        other => other,
    }
    .to_owned()
}

/// `text` from behind `before` to `after`, of each place.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split(after).next().unwrap()).collect()
}

/// ("name", "C's parameters", "C's result") of `name(a: A, b: B) -> R`.
fn signature(declaration: &str) -> (String, String, String) {
    let one_line = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
    let (name, rest) = one_line.split_once('(').unwrap();
    let (parameters, result) = match rest.rsplit_once(") -> ") {
        Some((parameters, result)) => (parameters, c_type(result)),
        None => (rest.rsplit_once(')').unwrap().0, "void".to_owned()),
    };
    let parameters: Vec<String> = parameters
        .split(',')
        .filter_map(|parameter| parameter.split_once(": "))
        .map(|(_, kind)| c_type(kind))
        .collect();
    let parameters = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
    (name.trim().to_owned(), parameters, result)
}

#[test]
fn constants_have_their_values() {
    let mut program = String::new();
    let mut names = BTreeSet::new();
    for line in between(CONSTANTS, "pub const ", ";") {
        let (name, rest) = line.split_once(": ").unwrap();
        let value = rest.split_once(" = ").unwrap().1;
        // A character of Rust's.
        let value = value.strip_prefix('b').and_then(|value| value.strip_suffix(" as u32")).unwrap_or(value);
        writeln!(program, "_Static_assert({name} == ({value}), \"{name}\");").unwrap();
        names.insert(name.to_owned());
    }
    assert_eq!(complaints(&program), "");
    let header = header();
    let theirs: BTreeSet<String> = header
        .split(['{', ',', '}'])
        .filter_map(|item| item.split_once(" = "))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name.starts_with("HAIGHA_") && !name.contains(' '))
        .collect();
    assert!(theirs.len() > 100);
    assert_eq!(theirs, names);
}

#[test]
fn a_wrong_constant_is_found() {
    assert_ne!(complaints("_Static_assert(HAIGHA_ERR_TIMEOUT == -1, \"\");"), "");
}

#[test]
fn functions_have_their_signatures() {
    let mut program = "typedef void (*no_arguments_fn)(void);\n".to_owned();
    let mut names = BTreeSet::new();
    for text in FUNCTIONS {
        for declaration in between(text, "pub fn ", ";") {
            let (name, parameters, result) = signature(declaration);
            writeln!(program, "{result} {name}({parameters});").unwrap();
            names.insert(name);
        }
    }
    for declaration in between(RECORDS, "pub type ", ";") {
        let declaration = declaration.split_whitespace().collect::<Vec<_>>().join(" ");
        let (name, function) = declaration.split_once(" = unsafe extern \"C\" fn").unwrap();
        let (_, parameters, result) = signature(function);
        writeln!(program, "typedef {result} (*{name})({parameters});").unwrap();
    }
    assert_eq!(complaints(&program), "");
    let header = header();
    let theirs: BTreeSet<String> = header
        .split(';')
        .filter(|declaration| !declaration.contains("typedef"))
        .filter_map(|declaration| {
            let before = declaration.split_once('(')?.0;
            Some(before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
        })
        .filter(|name| name.starts_with("haigha_"))
        .collect();
    assert!(theirs.len() > 150);
    assert_eq!(theirs, names);
}

#[test]
fn a_wrong_signature_is_found() {
    assert_ne!(
        complaints("haigha_status haigha_ack(haigha_channel*, uint64_t, uint64_t, haigha_error**);"),
        ""
    );
}

/// Where each member is, how long it is, and its type's name.
macro_rules! layouts {
    ($program:ident; $($name:ident { $($field:ident),* $(,)? })*) => {$(
        let mut covered = 0;
        // SAFETY: numbers, pointers and optional functions may all be zero.
        let zero: $name = unsafe { std::mem::zeroed() };
        let start = std::ptr::addr_of!(zero) as usize;
        $({
            let offset = std::ptr::addr_of!(zero.$field) as usize - start;
            let bytes = std::mem::size_of_val(&zero.$field);
            covered += bytes;
            let (name, field) = (stringify!($name), stringify!($field).trim_end_matches('_'));
            writeln!($program, "_Static_assert(offsetof({name}, {field}) == {offset}, \"{name}.{field}\");").unwrap();
            writeln!($program, "_Static_assert(sizeof ((({name}*)0)->{field}) == {bytes}, \"{name}.{field}\");").unwrap();
        })*
        let (name, bytes) = (stringify!($name), size_of::<$name>());
        writeln!($program, "_Static_assert(sizeof({name}) == {bytes}, \"{name}\");").unwrap();
        // Every member was named: there is no padding.
        assert_eq!(covered, bytes, "{name}");
    )*};
}

#[test]
fn structs_have_their_layouts() {
    let mut program = String::new();
    layouts! { program;
        haigha_str { data, size }
        haigha_field { name, bytes, integer, real, type_, scale }
        haigha_cursor { at, left_bytes, kind, depth }
        haigha_event { type_, flags, tag, number, user_data, error, reply, message, connection, channel, exchange, routing_key, consumer_tag, body, channel_id, outcome, state, previous_state, delay_ms, name }
        haigha_then { fn_, user_data, release, inbox, tag }
        haigha_log_record { size, level, connection_id, time_ns, subject, message, event, fields, field_count }
        haigha_host_state { host, failures, refused }
        haigha_recovery_entity { kind, reserved, name, exchange, routing_key, consumer_tag }
        haigha_option_info { size, name, meaning, default_string, default_int, minimum, maximum, type_, secret }
        haigha_stop_args { size, settle_timeout_ms, publish_timeout_ms, close_timeout_ms, reserved }
        haigha_channel_args { size, events, confirm, correlate_returns, recovery_policy, publish_policy, reserved, max_in_flight, max_in_flight_bytes, publish_max_age_ms }
        haigha_exchange_declare_args { size, exchange, type_, passive, durable, auto_delete, internal, reserved, arguments }
        haigha_exchange_delete_args { size, exchange, if_unused, reserved }
        haigha_exchange_bind_args { size, destination, source, routing_key, arguments }
        haigha_queue_declare_args { size, queue, passive, durable, exclusive, auto_delete, reserved, arguments }
        haigha_queue_bind_args { size, queue, exchange, routing_key, arguments }
        haigha_queue_delete_args { size, queue, if_unused, if_empty, reserved }
        haigha_properties { size, present, delivery_mode, priority, reserved, timestamp, content_type, content_encoding, correlation_id, reply_to, expiration, message_id, type_, user_id, app_id, cluster_id, headers }
        haigha_publish_args { size, exchange, routing_key, properties, user_data, mandatory, immediate, reserved }
        haigha_qos_args { size, prefetch_bytes, prefetch_count, global, reserved }
        haigha_consume_args { size, queue, consumer_tag, deliveries, no_local, no_ack, exclusive, pause_when_full, reserved, arguments }
        haigha_get_args { size, queue, no_ack, reserved }
        haigha_pool_args { size, events, mode, retry, correlate_returns, reserved, max_channels, max_attempts, max_in_flight, max_messages, max_bytes }
    }
    assert_eq!(complaints(&program), "");
    // And their members their types.
    let mut program = String::new();
    for text in between(RECORDS, "pub struct ", "\n}") {
        let (name, fields) = text.split_once(" {").unwrap();
        for (field, kind) in
            fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
        {
            let (field, kind) = (field.trim_end_matches('_'), kind.trim_end_matches(','));
            // Those of arrays are compared by their lengths.
            if !kind.starts_with('[') {
                let kind = c_type(kind);
                writeln!(
                    program,
                    "_Static_assert(_Generic((({name}*)0)->{field}, {kind}: 1, default: 0), \"{name}.{field}\");"
                )
                .unwrap();
            }
        }
    }
    assert!(program.lines().count() > 100);
    assert_eq!(complaints(&program), "");
}

#[test]
fn the_library_is_of_the_header_s_version() {
    // SAFETY: a number.
    assert_eq!(unsafe { haigha_version() } / 1000, 1);
}
