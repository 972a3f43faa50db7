#include "client/event_loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "base/insist.h"
#include "client/connection.h"

namespace haigha::client {

namespace {

constexpr std::array<std::string_view, 5> level_names = {"error", "warn", "info", "debug", "trace"};

// Not for a program that runs with the rights of another than its caller.
std::int32_t level_of_environment() {
    const char* const wanted = ::secure_getenv("HAIGHA_LOG");
    if (wanted == nullptr) return -1;
    const auto* const found = std::find(level_names.begin(), level_names.end(), wanted);
    return found == level_names.end() ? -1 : static_cast<std::int32_t>(found - level_names.begin());
}

// One call for a line, so that lines of several threads are not mixed.
void write_to_stderr(LogHook::AnyFunction, const LogRecord& record, void*) {
    std::string line = "haigha: [";
    line += level_names[static_cast<std::size_t>(record.level)];
    line += "] " + std::to_string(record.connection_id) + " ";
    line.append(record.subject).append(": ").append(record.message) += '\n';
    (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

void nothing() {}

}  // namespace

EventLoop::EventLoop(Ref<transport::Loop> loop)
    : loop_(std::move(loop)), log_level_(level_of_environment()) {
    if (log_level_ >= 0) log_hook_ = {&write_to_stderr, &nothing, nullptr, nullptr};
}

EventLoop::~EventLoop() {
    if (log_hook_.release != nullptr) log_hook_.release(log_hook_.user_data);
}

bool EventLoop::close(Completion completion) {
    // A std::function wants to be copied, a completion does not.
    auto shared = std::make_shared<Completion>(std::move(completion));
    const bool posted = loop_->post([self = Ref<EventLoop>(this), shared] {
        const std::vector<Connection*> connections = self->connections_;
        for (Connection* connection : connections)
            connection->end_abortively();
        self->loop_->close([shared] {
            Event event;
            shared->complete(event, nullptr, nullptr, false);
        });
    });
    if (!posted) shared->disarm();
    return posted;
}

bool EventLoop::stop_clock() {
    if (loop_->clock_stands_still()) return true;
    if (connection_ids_.load(std::memory_order_relaxed) != 0) return false;
    (void)loop_->stop_clock();
    return true;
}

bool EventLoop::advance(Duration by, Completion completion) {
    auto shared = std::make_shared<Completion>(std::move(completion));
    const bool posted = loop_->post([self = Ref<EventLoop>(this), by, shared] {
        self->loop_->advance(by, [shared](bool arrived) {
            Event event;
            const ErrorRef error = arrived ? ErrorRef() : insist([] {
                return make_error(Status::closed, "the loop was closed before its clock was there");
            });
            shared->complete(event, error, nullptr, false);
        });
    });
    if (!posted) shared->disarm();
    return posted;
}

bool EventLoop::set_log(LogLevel level, LogHook hook) {
    return loop_->post([self = Ref<EventLoop>(this), level, hook] {
        const LogHook before = std::exchange(self->log_hook_, hook);
        self->log_level_.store(hook.fn != nullptr ? static_cast<std::int32_t>(level) : -1,
                               std::memory_order_relaxed);
        if (before.release != nullptr) before.release(before.user_data);
    });
}

void EventLoop::log(LogLevel level, std::uint32_t connection_id, std::string_view subject,
                    std::string_view message) {
    if (!logs(level) || log_hook_.fn == nullptr) return;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const LogRecord record{level, connection_id,
                           static_cast<std::uint64_t>(
                               std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
                           subject, message};
    log_hook_.invoke(log_hook_.fn, record, log_hook_.user_data);
}

}  // namespace haigha::client
