#include "broker_queue.h"

#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

#include "bench_client.h"
#include "bench_peer.h"

namespace bench {

namespace {

// A queue that nobody has used for so long is deleted.
constexpr std::int64_t expires_ms = 600'000;
// What was published without confirms is all there by then.
constexpr std::chrono::seconds longest_wait{30};
constexpr std::chrono::milliseconds between_looks{20};

haigha_str str(const std::string& text) {
    return {text.data(), text.size()};
}

void check(haigha_status status, haigha_error* error, const char* what) {
    if (status != HAIGHA_OK) {
        give_up(std::string(what) + ": " + (error != nullptr ? haigha_error_message(error) : "?"));
    }
}

}  // namespace

BrokerQueue::BrokerQueue(std::string uri)
    : uri_(std::move(uri)), name_("haigha-bench-" + std::to_string(::getpid())) {
    haigha_error* error = nullptr;
    check(haigha_loop_start(&loop_, &error), error, "loop");
    haigha_options* options = nullptr;
    check(haigha_options_new(&options, &error), error, "options");
    check(haigha_options_set_uri(options, str(uri_), &error), error, "uri");
    check(haigha_connection_new(loop_, options, nullptr, &connection_, &error), error,
          "connection");
    haigha_options_free(options);
    check(haigha_connection_open_wait(connection_, -1, &error), error, "open");
    check(haigha_channel_open_wait(connection_, nullptr, -1, &channel_, &error), error, "channel");
    haigha_table* arguments = nullptr;
    check(haigha_table_new(&arguments, &error), error, "arguments");
    const std::string type = "x-queue-type";
    const std::string classic = "classic";
    const std::string expires = "x-expires";
    check(haigha_table_add_string(arguments, str(type), str(classic), &error), error, "arguments");
    check(haigha_table_add_int(arguments, str(expires), expires_ms, &error), error, "arguments");
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(name_);
    args.arguments = arguments;
    check(haigha_queue_declare_wait(channel_, &args, -1, nullptr, &error), error, "declare");
    haigha_table_free(arguments);
}

BrokerQueue::~BrokerQueue() {
    haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
    args.queue = str(name_);
    haigha_queue_delete_wait(channel_, &args, -1, nullptr, nullptr);
    haigha_connection_close_wait(connection_, -1, nullptr);
    haigha_channel_unref(channel_);
    haigha_connection_unref(connection_);
    haigha_loop_unref(loop_);
}

void BrokerQueue::fill(std::size_t size, std::uint64_t count) {
    ClientOptions options;
    options.confirm = true;
    options.uri = uri_;
    options.queue = name_;
    Client(0, options).publish(count, size);
}

bool BrokerQueue::holds(std::size_t size, std::uint64_t count) {
    const auto end = std::chrono::steady_clock::now() + longest_wait;
    while (messages() != count) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(between_looks);
    }
    if (count == 0) return true;
    ClientOptions options;
    options.uri = uri_;
    options.queue = name_;
    Client(0, options).consume(count, size, false);
    return messages() == 0;
}

void BrokerQueue::purge() {
    haigha_error* error = nullptr;
    check(haigha_queue_purge_wait(channel_, str(name_), -1, nullptr, &error), error, "purge");
}

std::uint64_t BrokerQueue::messages() {
    haigha_error* error = nullptr;
    haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    args.queue = str(name_);
    args.passive = 1;
    haigha_reply* reply = nullptr;
    check(haigha_queue_declare_wait(channel_, &args, -1, &reply, &error), error, "declare");
    const std::uint64_t count = haigha_reply_message_count(reply);
    haigha_reply_unref(reply);
    return count;
}

}  // namespace bench
