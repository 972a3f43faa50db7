#include "topology/application.h"

#include <algorithm>
#include <utility>

#include "base/insist.h"
#include "transport/loop.h"

namespace haigha::topology {

using client::Completion;
using transport::Loop;

namespace {

constexpr std::uint16_t not_found = 404;

ReportRow row_of(const ExchangeDescription& exchange) {
    return {EntityKind::exchange, EntityState::unknown, exchange.name};
}
ReportRow row_of(const QueueDescription& queue) {
    return {EntityKind::queue, EntityState::unknown, queue.name};
}
ReportRow row_of(const BindingDescription& binding) {
    const EntityKind kind =
        binding.to_queue ? EntityKind::queue_binding : EntityKind::exchange_binding;
    return {kind, EntityState::unknown, binding.destination, binding.source, binding.routing_key};
}

std::string title(const ReportRow& row) {
    switch (row.kind) {
        case EntityKind::exchange:
            return "the exchange \"" + row.name + "\"";
        case EntityKind::queue:
            return "the queue \"" + row.name + "\"";
        case EntityKind::queue_binding:
        case EntityKind::exchange_binding:
            break;
    }
    return "the binding of \"" + row.name + "\" to \"" + row.source + "\" by \"" + row.routing_key +
           "\"";
}

ErrorRef told(const ReportRow& row, const char* what) {
    const Ref<Error> error = edit_error(*row.error);
    error->message = title(row) + what + error->message;
    return ErrorRef(error.get());
}

}  // namespace

Application::Application(const Description& description, client::Connection& connection,
                         std::int64_t timeout_ms)
    : description_(description),
      connection_(connection),
      deadline_(Loop::real_now() + connection.timeout(timeout_ms)) {
    for (const auto& exchange : description.exchanges())
        report_.push_back(row_of(exchange));
    for (const auto& queue : description.queues())
        report_.push_back(row_of(queue));
    for (const auto& binding : description.bindings())
        report_.push_back(row_of(binding));
}

Application::~Application() {
    close_channel();
}

void Application::close_channel() {
    if (!channel_) return;
    // In silence, whether or not the broker has closed it.
    (void)insist([this] { return channel_->close(Completion(), -1); });
    channel_ = nullptr;
}

std::int64_t Application::left_ms() const {
    return std::max<std::int64_t>(0, (deadline_ - Loop::real_now()).nanoseconds / 1'000'000);
}

ErrorRef Application::open_channel() {
    if (channel_) return nullptr;
    return connection_.wait(
        [&](Completion done) {
            return connection_.open_channel(client::Then(), client::ChannelModes(), std::move(done),
                                            -1, &channel_);
        },
        left_ms(), nullptr);
}

template <class Method>
ErrorRef Application::call(const Method& method) {
    if (ErrorRef refused = open_channel()) return refused;
    ErrorRef error =
        channel_->wait([&](Completion done) { return channel_->call(method, std::move(done), -1); },
                       left_ms(), nullptr);
    if (error) close_channel();
    return error;
}

bool Application::is_final(const ErrorRef& error) {
    return error && error->status != Status::channel_closed_by_broker;
}

// Whether the broker has said it of a method of that class, and not something else has ended.
bool Application::is_about(const ErrorRef& error, std::uint16_t class_id) {
    return error->status == Status::channel_closed_by_broker ||
           (error->status == Status::connection_closed_by_broker && error->class_id == class_id);
}

// What exists is declared as described: the broker compares.
template <class Entity>
ErrorRef Application::compare_one(const Entity& entity, ReportRow& row) {
    ErrorRef error = call(entity.declare(true));
    if (error && error->reply_code == not_found && !is_final(error)) {
        row.state = EntityState::missing;
        return nullptr;
    }
    if (!error) error = call(entity.declare(false));
    if (!error) {
        row.state = EntityState::exists;
        return nullptr;
    }
    if (!is_about(error, decltype(entity.declare(true))::id.class_id)) return error;
    row.state = EntityState::differs;
    row.error = error;
    return is_final(error) ? error : nullptr;
}

EntityState Application::state_of(EntityKind kind, const std::string& name) const {
    const auto found = std::find_if(report_.begin(), report_.end(), [&](const ReportRow& row) {
        return row.kind == kind && row.name == name;
    });
    return found == report_.end() ? EntityState::unknown : found->state;
}

void Application::compare_binding(const BindingDescription& binding, ReportRow& row) const {
    const EntityKind to = binding.to_queue ? EntityKind::queue : EntityKind::exchange;
    if (state_of(to, binding.destination) == EntityState::missing ||
        state_of(EntityKind::exchange, binding.source) == EntityState::missing) {
        row.state = EntityState::missing;
    }
}

// work(entity, row), in the order of application, until it cannot go on.
template <class Work>
ErrorRef Application::each(Work work) {
    std::size_t at = 0;
    for (const auto& exchange : description_.exchanges()) {
        if (ErrorRef error = work(exchange, report_[at++])) return error;
    }
    for (const auto& queue : description_.queues()) {
        if (ErrorRef error = work(queue, report_[at++])) return error;
    }
    for (const auto& binding : description_.bindings()) {
        if (ErrorRef error = work(binding, report_[at++])) return error;
    }
    return nullptr;
}

ErrorRef Application::compare() {
    return each([this](const auto& entity, ReportRow& row) -> ErrorRef {
        if constexpr (requires { entity.declare(true); }) {
            return compare_one(entity, row);
        } else {
            compare_binding(entity, row);
            return nullptr;
        }
    });
}

template <class Method>
ErrorRef Application::create(const Method& method, ReportRow& row) {
    ErrorRef error = call(method);
    if (!error) {
        row.state = EntityState::created;
        return nullptr;
    }
    const bool refused = is_about(error, Method::id.class_id);
    row.state = refused ? EntityState::failed : EntityState::unknown;
    if (refused) row.error = error;
    return is_final(error) ? error : nullptr;
}

ErrorRef Application::first_difference() const {
    for (const ReportRow& row : report_) {
        if (row.state == EntityState::differs) return told(row, " differs: ");
    }
    return nullptr;
}

ErrorRef Application::apply(bool anyway) {
    if (ErrorRef error = compare()) return error;
    if (!anyway) {
        if (ErrorRef error = first_difference()) return error;
    }
    ErrorRef failed = each([this](const auto& entity, ReportRow& row) -> ErrorRef {
        if constexpr (requires { entity.declare(true); }) {
            if (row.state != EntityState::missing) return nullptr;
            return create(entity.declare(false), row);
        } else {
            return entity.to_queue ? create(entity.queue_bind(), row)
                                   : create(entity.exchange_bind(), row);
        }
    });
    if (failed) return failed;
    for (const ReportRow& row : report_) {
        if (row.state == EntityState::failed) return told(row, " could not be created: ");
    }
    return nullptr;
}

}  // namespace haigha::topology
