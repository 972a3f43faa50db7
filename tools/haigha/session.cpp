#include "session.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "failure.h"
#include "interruption.h"

namespace tool {

namespace {

constexpr std::string_view default_uri = "amqp://guest:guest@localhost:5672";

std::string percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            const std::string digits(text.substr(i + 1, 2));
            decoded += static_cast<char>(std::strtol(digits.c_str(), nullptr, 16));
            i += 2;
        } else {
            decoded += text[i];
        }
    }
    return decoded;
}

// The first line, without its end. "-" is standard input.
std::string read_password(const std::string& path) {
    std::string line;
    if (path == "-") {
        int c = std::getchar();
        for (; c != EOF && c != '\n'; c = std::getchar())
            line += static_cast<char>(c);
    } else {
        std::ifstream file(path);
        if (!file || (!std::getline(file, line) && !file.eof())) {
            throw Failure(exit_usage, "cannot read the password file " + path);
        }
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
}

void log_to_stderr(const haigha_log_record* record, void*) {
    static constexpr const char* names[] = {"error", "warn", "info", "debug", "trace"};
    const int level = std::clamp(record->level, 0, 4);
    const std::string_view subject = to_view(record->subject);
    const std::string_view message = to_view(record->message);
    std::fprintf(stderr, "haigha: [%s] %u %.*s: %.*s\n", names[level], record->connection_id,
                 static_cast<int>(subject.size()), subject.data(), static_cast<int>(message.size()),
                 message.data());
}

OptionsHandle make_options(const BrokerOptions& broker, std::string_view purpose) {
    OptionsHandle options;
    ErrorSlot error;
    require(haigha_options_new(out(options), error), error);
    const auto set_int = [&](std::string_view name, std::int64_t value) {
        require(haigha_options_set_int(options.get(), to_str(name), value, error), error);
    };
    const auto set_string = [&](std::string_view name, std::string_view value) {
        require(haigha_options_set_string(options.get(), to_str(name), to_str(value), error),
                error);
    };
    set_string("connection_name",
               std::string(purpose) + " (process " + std::to_string(getpid()) + ")");
    set_int("connection_timeout", broker.timeout_ms());
    set_int("rpc_timeout_ms", broker.timeout_ms());
    // The URI's own parameters win over all of the above.
    const std::string uri = broker.effective_uri();
    require(haigha_options_set_uri(options.get(), to_str(uri), error), error);
    if (!broker.password_file.empty()) {
        set_string("password", read_password(broker.password_file));
    }
    return options;
}

}  // namespace

std::string BrokerOptions::effective_uri() const {
    if (!uri.empty()) return uri;
    const char* const environment = std::getenv("AMQP_URL");
    return environment != nullptr && *environment != '\0' ? environment : std::string(default_uri);
}

std::string BrokerOptions::user() const {
    const std::string text = effective_uri();
    std::string_view rest = text;
    const std::size_t scheme = rest.find("://");
    if (scheme != std::string_view::npos) rest.remove_prefix(scheme + 3);
    constexpr std::string_view key = "user=";
    if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
        // As an option of the query it wins, as in the library.
        for (std::size_t at = query; at < rest.size(); at = rest.find('&', at)) {
            ++at;
            if (rest.substr(at, key.size()) != key) continue;
            const std::string_view value = rest.substr(at + key.size());
            return percent_decoded(value.substr(0, value.find('&')));
        }
        rest = rest.substr(0, query);
    }
    const std::string_view authority = rest.substr(0, rest.find('/'));
    const std::size_t at = authority.rfind('@');
    if (at == std::string_view::npos) return "guest";
    return percent_decoded(authority.substr(0, std::min(at, authority.find(':'))));
}

std::string BrokerOptions::address() const {
    const std::string text = effective_uri();
    const std::size_t scheme = text.find("://");
    const std::string rest = scheme == std::string::npos ? text : text.substr(scheme + 3);
    const std::string authority = rest.substr(0, rest.find_first_of("/?"));
    const std::string host = authority.substr(authority.rfind('@') + 1);
    return host.empty() ? "localhost" : host;
}

Loop::Loop(const BrokerOptions& options) {
    ErrorSlot error;
    require(haigha_loop_start(out(handle_), error), error);
    if (options.verbosity == 0) return;
    const int32_t level = options.verbosity == 1 ? HAIGHA_LOG_DEBUG : HAIGHA_LOG_TRACE;
    require(haigha_loop_set_log(handle_.get(), level, log_to_stderr, nullptr, nullptr, error),
            error);
}

Loop::~Loop() {
    // Callbacks may still be running on the loop's thread; after the answer none is.
    InboxHandle inbox;
    if (haigha_inbox_new(1, out(inbox), nullptr) != HAIGHA_OK) return;
    haigha_then then = {};
    then.inbox = inbox.get();
    if (haigha_loop_close(handle_.get(), &then, nullptr) != HAIGHA_OK) return;
    haigha_event event;
    std::size_t count = 0;
    haigha_inbox_poll(inbox.get(), &event, sizeof event, 1, 2000, &count, nullptr);
}

ConnectionHandle new_connection(const Loop& loop, const BrokerOptions& options,
                                std::string_view purpose, const haigha_then* events) {
    const OptionsHandle settings = make_options(options, purpose);
    ConnectionHandle connection;
    ErrorSlot error;
    require(haigha_connection_new(loop.get(), settings.get(), events, out(connection), error),
            error);
    return connection;
}

Session::Session(const Loop& loop, const BrokerOptions& options, std::string_view purpose,
                 const haigha_then* events)
    : Session(new_connection(loop, options, purpose, events), options) {}

Session::Session(ConnectionHandle connection, const BrokerOptions& options)
    : connection_(std::move(connection)), timeout_ms_(options.timeout_ms()) {
    ErrorSlot error;
    const Impatience impatience;
    const haigha_status status = haigha_connection_open_wait(connection_.get(), -1, error);
    if (status == HAIGHA_OK) return;
    const ApiFailure failure(status, error.get());
    throw Failure(exit_unreachable, failure.what());
}

Session::~Session() {
    // An abortive end would be a warning in the broker's log.
    if (is_open()) haigha_connection_close_wait(connection_.get(), 1000, nullptr);
}

std::int64_t Session::info(std::string_view name) const {
    std::int64_t value = -1;
    haigha_connection_info(connection_.get(), to_str(name), &value, nullptr);
    return value;
}

bool Session::is_open() const noexcept {
    return haigha_connection_state(connection_.get()) == HAIGHA_STATE_OPEN;
}

ChannelHandle Session::open_channel(const haigha_channel_args* args) const {
    ChannelHandle channel;
    ErrorSlot error;
    require(haigha_channel_open_wait(connection_.get(), args, timeout_ms_, out(channel), error),
            error);
    return channel;
}

void Session::close() {
    ErrorSlot error;
    require(haigha_connection_close_wait(connection_.get(), timeout_ms_, error), error);
}

std::string broker_name(const Session& session) {
    TableHandle properties;
    haigha_connection_server_properties(session.connection(), out(properties), nullptr);
    haigha_cursor cursor;
    if (haigha_table_cursor(properties.get(), &cursor) != HAIGHA_OK) return "a broker";
    std::string product = "a broker";
    std::string version;
    haigha_field field;
    while (haigha_cursor_next(&cursor, &field) == 1) {
        if (field.type != HAIGHA_FIELD_STRING) continue;
        if (to_view(field.name) == "product") product = to_view(field.bytes);
        if (to_view(field.name) == "version") version = to_view(field.bytes);
    }
    return version.empty() ? product : product + " " + version;
}

}  // namespace tool
