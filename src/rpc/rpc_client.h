// What haigha_rpc_client is: requests by RabbitMQ's direct reply-to, and the calls that wait for
// their answers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/busy_mutex.h"
#include "base/clock.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/ref.h"
#include "client/channel.h"
#include "client/completion.h"
#include "client/connection.h"
#include "client/handle_count.h"
#include "protocol/publish_head.h"
#include "transport/loop.h"

namespace haigha::rpc {

// One channel, which consumes answers and publishes requests. Any thread may call; answers and
// failures are told on the loop's thread. The mutex is taken before the channel's, never the other
// way round, and not held while user code runs.
class RpcClient final : public Counted<RpcClient> {
  public:
    static constexpr std::size_t default_max_calls = 65'536;

    // On a connection in any state but closed; it holds a handle of it.
    static ErrorRef create(Ref<client::Connection> connection, std::size_t max_calls,
                           Ref<RpcClient>* made);

    client::Connection& connection() const { return *connection_; }
    client::HandleCount& handles() { return handles_; }
    // The user has dropped the last handle: calls end in silence.
    void abandon();

    // Null: the completion will be answered. Otherwise nothing was taken.
    ErrorRef call(const protocol::PublishRequest& request, std::int64_t timeout_ms,
                  client::Completion completion);
    ErrorRef call_wait(const protocol::PublishRequest& request, std::int64_t timeout_ms,
                       Ref<client::Reply>* reply);

    // False for a name that is not known.
    bool info(std::string_view name, std::int64_t* value) const;

  private:
    friend class Counted<RpcClient>;
    // What has to be published yet.
    struct Request {
        protocol::PreparedHead head;
        std::vector<std::byte> body;
    };
    struct Call {
        client::Completion completion;
        Instant deadline;
        std::unique_ptr<Request> request;  // null once it was published
    };
    struct Answered {
        client::Completion completion;
        ErrorRef error;
        Ref<client::Reply> reply;
    };
    using Number = std::uint64_t;
    // That answers come to; it stays with its channel once it is known.
    enum class Consumer : std::uint8_t { none, asked, known };

    RpcClient(Ref<client::Connection> connection, std::size_t max_calls);
    ~RpcClient() = default;

    static void on_answer(client::Then::AnyFunction, const client::Event& event, void* self);
    static void on_event(client::Then::AnyFunction, const client::Event& event, void* self);
    static void on_consumed(client::Then::AnyFunction, const client::Event& event, void* self);
    void answered(const client::Event& event);
    void consumed(const ErrorRef& error);
    void cannot_consume(const ErrorRef& error);
    void channel_event(const client::Event& event);
    void connection_state(client::State now, const ErrorRef& error);
    void on_time();
    void arm(Instant deadline);
    void arm_soon(Instant deadline);

    // ---- with the mutex held

    void open_channel();
    void consume();
    // unsendable: those that no frame has room for.
    void send_waiting(std::vector<Answered>& unsendable);
    Status send(Call& call);
    std::optional<Call> take(Number number);
    // Those that were published, or all.
    std::vector<Answered> fail_calls(bool all, const ErrorRef& error);

    // Without it.
    void tell(std::vector<Answered> answers);
    void tell_soon(std::vector<Answered> answers);

    const Ref<client::Connection> connection_;
    const std::size_t max_calls_;
    client::HandleCount handles_;
    std::atomic<bool> muted_{false};

    mutable BusyMutex mutex_;
    Ref<client::Channel> channel_;
    bool open_ = false;
    Consumer consumer_ = Consumer::none;
    bool ended_ = false;
    ErrorRef end_error_;
    Number last_ = 0;
    std::unordered_map<Number, Call> calls_;
    std::map<Number, Call*> waiting_;  // of them, those that were not published yet
    std::set<std::pair<std::int64_t, Number>> deadlines_;
    std::uint64_t answers_ = 0;
    std::uint64_t late_ = 0;
    std::uint64_t timeouts_ = 0;
    Instant armed_ = Instant::never();

    std::unique_ptr<transport::Timer> timer_;  // of the loop's thread
};

// Publishes the answer to a request on the channel that it came by.
Status reply_to(client::Channel& channel, const client::Message& request,
                const wire::Properties* properties, std::span<const std::byte> body);

}  // namespace haigha::rpc
