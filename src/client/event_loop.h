// What haigha_loop is: a transport loop with its log hook and the connections that live on it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/chunk_pool.h"
#include "base/counted.h"
#include "base/ref.h"
#include "client/completion.h"
#include "client/handle_count.h"
#include "client/inbox_filler.h"
#include "client/log_fields.h"
#include "client/log_limit.h"
#include "protocol/machine_event.h"
#include "transport/loop.h"
#include "transport/tls_sessions.h"
#include "transport/tls_trust.h"

namespace haigha::client {

enum class LogLevel : std::int32_t { error = 0, warn = 1, info = 2, debug = 3, trace = 4 };

struct LogRecord {
    LogLevel level;
    std::uint32_t connection_id;
    std::uint64_t time_ns;  // since the Unix epoch
    std::string_view subject;
    std::string_view message;
    std::string_view event;
    std::span<const wire::Field> fields;
};

// What kind of record it is, by a name that stays, and whether it is one of those of which only so
// many are written (LogLimit); the last one of a connection says how many were not.
struct LogEvent {
    enum class Limit : std::uint8_t { limited, unlimited, last };
    std::string_view name;  // static
    Limit limit = Limit::limited;
};

// The user's log function in the C API's own type, which only `invoke` knows.
struct LogHook {
    using AnyFunction = void (*)();
    using Invoke = void (*)(AnyFunction fn, const LogRecord& record, void* user_data);
    using Release = void (*)(void* user_data);
    Invoke invoke = nullptr;
    AnyFunction fn = nullptr;
    void* user_data = nullptr;
    Release release = nullptr;
};

class EventLoop : public Counted<EventLoop> {
  public:
    // Takes over the loop's first user. The environment's HAIGHA_LOG, a level by name, has the log
    // go to stderr until set_log() says otherwise.
    explicit EventLoop(Ref<transport::Loop> loop);

    transport::Loop& transport() { return *loop_; }
    transport::TlsSessions& tls_sessions() { return tls_sessions_; }
    transport::TlsTrust& tls_trust() { return tls_trust_; }
    const Ref<ChunkPool>& chunks() const { return chunks_; }
    HandleCount& handles() { return handles_; }
    // The user has dropped the last handle: what lives on it keeps it going.
    void abandon() { loop_->drop_user(); }

    // Ends every connection and leaves the uv loop. False when it has ended already.
    bool close(Completion completion);

    // The loop's time is its user's from here on. False when a connection was made already, whose
    // timers would still be of the real one.
    bool stop_clock();
    // False when the loop has ended already.
    bool advance(Duration by, Completion completion);

    // `hook` replaces the one before, on the loop's thread.
    bool set_log(LogLevel level, LogHook hook);
    bool logs(LogLevel level) const {
        return static_cast<std::int32_t>(level) <= log_level_.load(std::memory_order_relaxed);
    }
    // Of the loop's thread.
    void log(LogLevel level, std::uint32_t connection_id, std::string_view subject, LogEvent event,
             std::string_view message, LogFields fields = {});

    // Of the loop's thread. What a machine reports, until it is told: one for all connections,
    // since one that was busy would keep some fifty kilobytes for the next time. Nothing is
    // reported while user code runs.
    protocol::EventList& machine_events() { return machine_events_; }
    // Of the loop's thread, for all connections as well.
    InboxFiller& filler() { return filler_; }
    // Of the loop's thread.
    void add(Connection* connection) { connections_.push_back(connection); }
    void remove(Connection* connection) { std::erase(connections_, connection); }
    std::uint32_t next_connection_id() {
        return connection_ids_.fetch_add(1, std::memory_order_relaxed) + 1;
    }

  private:
    friend class Counted<EventLoop>;
    ~EventLoop();

    Ref<transport::Loop> loop_;
    transport::TlsSessions tls_sessions_;
    transport::TlsTrust tls_trust_;
    Ref<ChunkPool> chunks_ = Ref<ChunkPool>::adopt(new ChunkPool);
    HandleCount handles_;
    std::atomic<std::int32_t> log_level_;
    std::atomic<std::uint32_t> connection_ids_{0};
    LogHook log_hook_;
    LogLimit log_limit_;
    std::vector<Connection*> connections_;
    protocol::EventList machine_events_;
    InboxFiller filler_;
};

}  // namespace haigha::client
