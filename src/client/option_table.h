// Every option of a connection, once: its name, type, range, default and meaning.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/wipe.h"

namespace haigha::client {

// What was on a lost connection, as the program is told of it.
struct RecoveryEntity {
    enum class Kind : std::uint32_t { exchange = 1, queue, binding, consumer } kind;
    std::string_view name;         // of the exchange or queue; a binding's destination
    std::string_view exchange;     // a binding's source
    std::string_view routing_key;  // a binding's
    std::string_view consumer_tag;
};

// What a program that chooses among hosts is told of each.
struct KnownHost {
    std::string name;
    std::uint32_t failures = 0;
    bool refused = false;
};

// The values. The table's rows name its members; defaults are here. Secrets are wiped.
struct Options {
    Options() = default;
    Options(const Options&) = default;
    Options(Options&&) = default;
    Options& operator=(const Options&) = default;
    Options& operator=(Options&&) = default;
    ~Options() {
        wipe(password);
        wipe(key_pem);
        wipe(key_password);
    }

    std::string host = "localhost";
    std::int64_t port = 0;  // 5672, or 5671 with TLS
    std::string unix_path;
    std::string vhost = "/";
    std::string user = "guest";
    std::string password = "guest";
    std::string auth_mechanism = "PLAIN";
    std::string connection_name;
    std::int64_t heartbeat = 60;
    std::int64_t connection_timeout = 30000;
    std::int64_t rpc_timeout_ms = 20000;
    std::int64_t close_timeout_ms = 5000;
    std::int64_t channel_max = 2047;
    std::int64_t frame_max = 131072;
    std::int64_t max_message_size = 64 * 1024 * 1024;
    std::int64_t outbox_high_water_bytes = 4 * 1024 * 1024;
    std::int64_t prefetch = 300;
    std::int64_t delivery_warning_ms = 25 * 60 * 1000;
    std::int64_t address_family = 0;
    std::int64_t tcp_nodelay = 1;
    std::int64_t tcp_keepalive = 1;
    std::int64_t tcp_user_timeout_ms = 0;
    std::int64_t send_buffer_bytes = 0;
    std::int64_t receive_buffer_bytes = 0;
    std::int64_t clear_text_password = 1;
    std::int64_t tls = 0;
    std::string verify = "verify_peer";
    std::int64_t verify_host = 1;
    std::int64_t depth = 10;
    std::string server_name_indication;
    std::string cacertfile;
    std::string cacert_pem;
    std::string certfile;
    std::string cert_pem;
    std::string keyfile;
    std::string key_pem;
    std::string key_password;
    std::int64_t fail_if_no_peer_cert = 1;
    std::string tls_min_version = "1.2";
    std::string tls_max_version = "1.3";
    std::string tls_ciphers;
    std::string tls_ciphersuites;
    std::string tls_groups;
    std::string host_order = "ordered";
    std::int64_t recovery = 0;
    std::int64_t recovery_topology = 1;
    std::int64_t recovery_attempts = 0;
    std::int64_t recovery_delay_ms = 1000;
    std::int64_t recovery_max_delay_ms = 30000;
    std::int64_t recovery_deadline_ms = 0;
    std::int64_t recovery_stable_ms = 10000;
    std::string recovery_permanent = "stop";

    // Not in the table: asks the program for key_password. False: it has none.
    std::function<bool(std::string* password)> ask_key_password;
    // Likewise: has it choose the host of an attempt at recovery.
    std::function<std::size_t(std::span<const KnownHost> hosts)> choose_host;
    // Likewise: whether it wants something back that was on a lost connection.
    std::function<bool(const RecoveryEntity& entity)> recovery_filter;
    // Likewise: shows it OpenSSL's SSL_CTX. False: it is not to be used.
    std::function<bool(void* ssl_ctx)> prepare_tls;
};

struct OptionRow {
    std::string_view name;
    std::string_view meaning;
    std::string Options::*text = nullptr;     // one of these two
    std::int64_t Options::*number = nullptr;  //
    std::int64_t minimum = 0;                 // of the number, or of the text's length in bytes
    std::int64_t maximum = 0;
    bool secret = false;
    std::string_view default_text = {};  // of a text; a secret's is not told
    bool zero_too = false;               // 0 is allowed although it is below the minimum
    std::string_view choices = {};       // of a text: the words it may be, separated by spaces
};

std::span<const OptionRow> option_rows() noexcept;
// Null when there is no such option.
const OptionRow* find_option(std::string_view name) noexcept;

// Null, or a sentence that names the option and what it takes; never the value of a secret.
ErrorRef set_option(Options& options, std::string_view name, std::string_view value);
ErrorRef set_option(Options& options, std::string_view name, std::int64_t value);
// As set_option, with a number written as decimal text: how a URI gives it.
ErrorRef set_option_from_text(Options& options, std::string_view name, std::string_view value);

}  // namespace haigha::client
