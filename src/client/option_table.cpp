#include "client/option_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "client/host_list.h"

namespace haigha::client {

namespace {

constexpr std::int64_t mebibyte = 1024 * 1024;

constexpr std::array rows = {
    OptionRow{"host",
              "The broker's host name or address; or several, separated by commas, to be tried in "
              "order, each with its port where it has another: a,b:5673,[::1]:5674.",
              &Options::host, nullptr, 1, 16384, false, "localhost"},
    OptionRow{"port",
              "The broker's TCP port; 0: 5672, or 5671 with TLS.",
              nullptr,
              &Options::port,
              1,
              65535,
              false,
              {},
              true},
    OptionRow{"unix_path", "A Unix socket to connect to, in place of host and port.",
              &Options::unix_path, nullptr, 0, 107},
    OptionRow{"vhost", "The virtual host.", &Options::vhost, nullptr, 0, 255, false, "/"},
    OptionRow{"user", "The user's name.", &Options::user, nullptr, 0, 65535, false, "guest"},
    OptionRow{"password", "The user's password.", &Options::password, nullptr, 0, 65535, true},
    OptionRow{"auth_mechanism",
              "The authentication mechanisms to use, in order of preference, separated by spaces: "
              "PLAIN, AMQPLAIN, EXTERNAL, ANONYMOUS, RABBIT-CR-DEMO, and others when "
              "haigha_connection_set_auth answers for them.",
              &Options::auth_mechanism, nullptr, 1, 255, false, "PLAIN"},
    OptionRow{"connection_name", "What the broker's tools show for this connection.",
              &Options::connection_name, nullptr, 0, 4096},
    OptionRow{"heartbeat", "The heartbeat timeout to ask for, in seconds; 0 turns heartbeats off.",
              nullptr, &Options::heartbeat, 0, 65535},
    OptionRow{"connection_timeout",
              "How long opening may take, from resolving the name to an open virtual host, in "
              "milliseconds.",
              nullptr, &Options::connection_timeout, 1, 3'600'000},
    OptionRow{"rpc_timeout_ms",
              "How long an operation may wait for the broker's answer, including for its turn, in "
              "milliseconds.",
              nullptr, &Options::rpc_timeout_ms, 1, 86'400'000},
    OptionRow{"close_timeout_ms", "How long a graceful close may take, in milliseconds.", nullptr,
              &Options::close_timeout_ms, 0, 3'600'000},
    OptionRow{"channel_max",
              "The largest number of channels to ask for; 0: what the broker allows.", nullptr,
              &Options::channel_max, 0, 65535},
    OptionRow{"frame_max",
              "The largest frame to ask for, in bytes (current brokers refuse less than 8192); 0: "
              "what the broker allows.",
              nullptr,
              &Options::frame_max,
              8192,
              16 * mebibyte,
              false,
              {},
              true},
    OptionRow{"max_message_size",
              "The largest message to accept, in bytes; a larger one closes its channel.", nullptr,
              &Options::max_message_size, 0, std::int64_t{1} << 40},
    OptionRow{"outbox_high_water_bytes",
              "Publishes are refused with WOULD_BLOCK while at least so many bytes wait to be "
              "written; half of it makes writable again.",
              nullptr, &Options::outbox_high_water_bytes, 4096, std::int64_t{1} << 40},
    OptionRow{"prefetch",
              "The prefetch count of channels on which qos was not called; 0: no limit.", nullptr,
              &Options::prefetch, 0, 65535},
    OptionRow{"delivery_warning_ms",
              "A delivery that is not settled for so long is told of, by DELIVERY_HELD, before the "
              "broker's consumer_timeout closes its channel; 0: never.",
              nullptr, &Options::delivery_warning_ms, 0, std::int64_t{1} << 40},
    OptionRow{"address_family", "Which addresses of the host to use: 4, 6, or 0 for both.", nullptr,
              &Options::address_family, 0, 6},
    OptionRow{"tcp_nodelay", "Whether to send small packets at once (TCP_NODELAY): 0 or 1.",
              nullptr, &Options::tcp_nodelay, 0, 1},
    OptionRow{"tcp_keepalive",
              "Whether the system probes an idle connection (SO_KEEPALIVE): 0 or 1.", nullptr,
              &Options::tcp_keepalive, 0, 1},
    OptionRow{
        "tcp_user_timeout_ms",
        "How long sent bytes may wait for the peer's system to take them (TCP_USER_TIMEOUT), in "
        "milliseconds; 0: as the system has it.",
        nullptr, &Options::tcp_user_timeout_ms, 0, 3'600'000},
    OptionRow{"send_buffer_bytes", "The socket's send buffer (SO_SNDBUF); 0: as the system has it.",
              nullptr, &Options::send_buffer_bytes, 0, 1 << 30},
    OptionRow{"receive_buffer_bytes",
              "The socket's receive buffer (SO_RCVBUF); 0: as the system has it.", nullptr,
              &Options::receive_buffer_bytes, 0, 1 << 30},
    OptionRow{"clear_text_password",
              "Whether a password may be sent without TLS to a host that is not this one: 0 or 1.",
              nullptr, &Options::clear_text_password, 0, 1},
    OptionRow{"tls", "Whether the connection is secured by TLS: 0 or 1; the scheme amqps sets it.",
              nullptr, &Options::tls, 0, 1},
    OptionRow{"verify",
              "Whether the broker's certificate has to be valid: verify_peer, or verify_none for "
              "nobody to know who is at the other end.",
              &Options::verify, nullptr, 1, 16, false, "verify_peer", false,
              "verify_peer verify_none"},
    OptionRow{
        "verify_host",
        "Whether the certificate has to be for the broker's name: 0 or 1; without verify_peer "
        "it is not looked at.",
        nullptr, &Options::verify_host, 0, 1},
    OptionRow{"depth", "How many certificates may lead from the broker's to a trusted one.",
              nullptr, &Options::depth, 0, 100},
    OptionRow{
        "server_name_indication",
        "The name that the broker's certificate has to be for, and that is sent to the broker; "
        "empty: the host; `disable` sends none.",
        &Options::server_name_indication, nullptr, 0, 253},
    OptionRow{"cacertfile", "A file of trusted CA certificates (PEM), in place of the system's.",
              &Options::cacertfile, nullptr, 0, 4096},
    OptionRow{"cacert_pem", "The same, from memory.", &Options::cacert_pem, nullptr, 0,
              16 * mebibyte},
    OptionRow{"certfile",
              "A file with the client's certificate (PEM) and those that lead to its CA.",
              &Options::certfile, nullptr, 0, 4096},
    OptionRow{"cert_pem", "The same, from memory.", &Options::cert_pem, nullptr, 0, mebibyte},
    OptionRow{"keyfile",
              "A file with the client's private key (PEM); empty: it is with the certificate.",
              &Options::keyfile, nullptr, 0, 4096},
    OptionRow{"key_pem", "The same, from memory.", &Options::key_pem, nullptr, 0, mebibyte, true},
    OptionRow{
        "key_password",
        "What the client's private key is encrypted with; `password` in a URI's query. See also "
        "haigha_options_set_key_password_fn.",
        &Options::key_password, nullptr, 0, 1024, true},
    OptionRow{"fail_if_no_peer_cert",
              "Known for URIs that brokers share with clients; a broker always has a certificate.",
              nullptr, &Options::fail_if_no_peer_cert, 0, 1},
    OptionRow{"tls_min_version", "The oldest version of TLS to use: 1.2 or 1.3.",
              &Options::tls_min_version, nullptr, 1, 16, false, "1.2", false, "1.2 1.3"},
    OptionRow{"tls_max_version", "The newest version of TLS to use: 1.2 or 1.3.",
              &Options::tls_max_version, nullptr, 1, 16, false, "1.3", false, "1.2 1.3"},
    OptionRow{"tls_ciphers", "The ciphers of TLS 1.2 as OpenSSL writes them; empty: its choice.",
              &Options::tls_ciphers, nullptr, 0, 4096},
    OptionRow{"tls_ciphersuites", "The ciphers of TLS 1.3, likewise.", &Options::tls_ciphersuites,
              nullptr, 0, 4096},
    OptionRow{"tls_groups", "The groups for the key exchange, likewise: X25519:P-256.",
              &Options::tls_groups, nullptr, 0, 4096},
    OptionRow{"host_order",
              "In which order several hosts are tried: ordered, or shuffled for each connection.",
              &Options::host_order, nullptr, 1, 16, false, "ordered", false, "ordered shuffled"},
    OptionRow{"recovery",
              "Whether a connection that is lost is opened again, with its channels and consumers: "
              "0 or 1.",
              nullptr, &Options::recovery, 0, 1},
    OptionRow{"recovery_topology",
              "Whether recovery declares the connection's exchanges, queues and bindings again: 0 "
              "or 1.",
              nullptr, &Options::recovery_topology, 0, 1},
    OptionRow{"recovery_attempts", "How many attempts an outage has; 0: no limit.", nullptr,
              &Options::recovery_attempts, 0, 1'000'000'000},
    OptionRow{"recovery_delay_ms",
              "The wait before an attempt is a random part of this, doubled with each failure of "
              "its host, in milliseconds.",
              nullptr, &Options::recovery_delay_ms, 0, 3'600'000},
    OptionRow{"recovery_max_delay_ms", "The longest wait before an attempt, in milliseconds.",
              nullptr, &Options::recovery_max_delay_ms, 0, 86'400'000},
    OptionRow{"recovery_deadline_ms",
              "How long an outage may last before it is given up, in milliseconds; 0: no limit.",
              nullptr, &Options::recovery_deadline_ms, 0, 31'536'000'000},
    OptionRow{"recovery_stable_ms",
              "A connection that lasts so long has ended its outage: delays, attempts and the "
              "deadline of the next one begin afresh; in milliseconds.",
              nullptr, &Options::recovery_stable_ms, 0, 86'400'000},
    OptionRow{"recovery_permanent",
              "What recovery does when the credentials, the virtual host or the certificate are "
              "refused: stop, skip (that host, while there are others), or retry.",
              &Options::recovery_permanent, nullptr, 1, 16, false, "stop", false,
              "stop skip retry"},
};

bool is_word_of(std::string_view words, std::string_view word) {
    while (!words.empty()) {
        const std::size_t end = std::min(words.find(' '), words.size());
        if (words.substr(0, end) == word) return true;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

ErrorRef refuse(std::string message) {
    return make_error(Status::argument, std::move(message));
}

ErrorRef unknown(std::string_view name) {
    return refuse("there is no option \"" + std::string(name.substr(0, 64)) + "\"");
}

}  // namespace

std::span<const OptionRow> option_rows() noexcept {
    return rows;
}

const OptionRow* find_option(std::string_view name) noexcept {
    const auto* const row =
        std::find_if(rows.begin(), rows.end(), [&](const OptionRow& r) { return r.name == name; });
    return row == rows.end() ? nullptr : row;
}

ErrorRef set_option(Options& options, std::string_view name, std::string_view value) {
    const OptionRow* row = find_option(name);
    if (row == nullptr) return unknown(name);
    if (row->text == nullptr) {
        return refuse("the option " + std::string(name) + " is a number, not a string");
    }
    const auto size = static_cast<std::int64_t>(value.size());
    if (size < row->minimum || size > row->maximum) {
        return refuse("the option " + std::string(name) + " takes " + std::to_string(row->minimum) +
                      " to " + std::to_string(row->maximum) + " bytes, not " +
                      std::to_string(size));
    }
    if (!row->choices.empty() && !is_word_of(row->choices, value)) {
        return refuse("the option " + std::string(name) +
                      " is one of: " + std::string(row->choices));
    }
    // What goes to the system or to OpenSSL ends with its first NUL there.
    const bool text_only = row->text != &Options::vhost && row->text != &Options::user &&
                           row->text != &Options::password &&
                           row->text != &Options::connection_name;
    if (text_only) {
        if (value.find('\0') != std::string_view::npos) {
            return refuse("the option " + std::string(name) + " holds a NUL byte");
        }
    }
    if (row->text == &Options::host) {
        std::vector<HostAndPort> hosts;
        if (ErrorRef error = parse_hosts(value, &hosts)) return error;
    }
    options.*row->text = value;
    return nullptr;
}

ErrorRef set_option(Options& options, std::string_view name, std::int64_t value) {
    const OptionRow* row = find_option(name);
    if (row == nullptr) return unknown(name);
    if (row->number == nullptr) {
        return refuse("the option " + std::string(name) + " is a string, not a number");
    }
    const bool in_range =
        (value >= row->minimum && value <= row->maximum) || (row->zero_too && value == 0);
    const bool family =
        row->number != &Options::address_family || value == 0 || value == 4 || value == 6;
    if (!in_range || !family) {
        return refuse("the option " + std::string(name) + " takes " +
                      (row->zero_too ? "0 or " : "") + std::to_string(row->minimum) + " to " +
                      std::to_string(row->maximum) + ", not " + std::to_string(value));
    }
    options.*row->number = value;
    return nullptr;
}

ErrorRef set_option_from_text(Options& options, std::string_view name, std::string_view value) {
    const OptionRow* row = find_option(name);
    if (row == nullptr) return unknown(name);
    if (row->text != nullptr) return set_option(options, name, value);
    if (row->minimum == 0 && row->maximum == 1 && (value == "true" || value == "false")) {
        return set_option(options, name, std::int64_t{value == "true"});
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) {
        // The text is not repeated: in a URI it may be a part of a misplaced password.
        return refuse("the option " + std::string(name) + " takes a whole number");
    }
    return set_option(options, name, number);
}

}  // namespace haigha::client
