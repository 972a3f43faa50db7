#include "client/topology_replay.h"

#include <algorithm>
#include <utility>

#include "wire/method_declarations.h"
#include "wire/method_table.h"

namespace haigha::client {

namespace {

wire::exchange::Declare declare_method(const ExchangeRecord& record) {
    wire::exchange::Declare method{};
    method.exchange = {record.name};
    method.type = {record.type};
    method.durable = record.durable;
    method.auto_delete = record.auto_delete;
    method.internal = record.internal;
    method.arguments = {record.arguments};
    return method;
}

wire::queue::Declare declare_method(const QueueRecord& record) {
    wire::queue::Declare method{};
    method.queue = {record.name};
    method.durable = record.durable;
    method.exclusive = record.exclusive;
    method.auto_delete = record.auto_delete;
    method.arguments = {record.arguments};
    return method;
}

wire::queue::Bind bind_method(const BindingRecord& record) {
    wire::queue::Bind method{};
    method.queue = {record.destination};
    method.exchange = {record.source};
    method.routing_key = {record.routing_key};
    method.arguments = {record.arguments};
    return method;
}

wire::exchange::Bind bind_exchange_method(const BindingRecord& record) {
    wire::exchange::Bind method{};
    method.destination = {record.destination};
    method.source = {record.source};
    method.routing_key = {record.routing_key};
    method.arguments = {record.arguments};
    return method;
}

}  // namespace

TopologyReplay::TopologyReplay(TopologyRecords& records, protocol::ConnectionMachine& machine,
                               protocol::Token owner, OwnCalls& calls)
    : records_(records), machine_(machine), owner_(owner), calls_(calls) {}

TopologyReplay::~TopologyReplay() = default;

Status TopologyReplay::open(std::uint16_t* number) {
    const Status status =
        calls_.ask([](const ErrorRef&, std::string_view) {},
                   [&](protocol::Call call) {
                       return machine_.open_channel(owner_, std::move(call), number);
                   });
    if (status == Status::ok) ++open_channels_;
    return status;
}

void TopologyReplay::close(std::uint16_t number) {
    (void)calls_.ask([](const ErrorRef&, std::string_view) {},
                     [&](protocol::Call call) {
                         return machine_.close_channel({number, owner_}, std::move(call));
                     });
}

bool TopologyReplay::is_renamed_later(std::string_view queue) const {
    const QueueRecord* const record = records_.find_queue(queue);
    return record != nullptr && record->server_named;
}

std::vector<TopologyReplay::Step> TopologyReplay::steps() const {
    std::vector<Step> all;
    const auto add = [&](Kind kind, const std::string& name) {
        Step& step = all.emplace_back();
        step.kind = kind;
        step.name = name;
    };
    for (const auto& [name, record] : records_.exchanges())
        add(Kind::exchange, name);
    for (const auto& [name, record] : records_.queues()) {
        if (!record.server_named) add(Kind::queue, name);
    }
    for (const BindingRecord& binding : records_.bindings()) {
        Step& step = all.emplace_back();
        step.kind = Kind::binding;
        step.binding = binding;
    }
    std::erase_if(all, [this](const Step& step) { return is_spared(step); });
    return all;
}

void TopologyReplay::leave_out(const std::function<bool(const RecoveryEntity& entity)>& wanted) {
    using Of = RecoveryEntity::Kind;
    for (const auto& [name, record] : records_.exchanges()) {
        if (!wanted({Of::exchange, name, {}, {}, {}})) exchanges_out_.insert(name);
    }
    for (const auto& [name, record] : records_.queues()) {
        if (!wanted({Of::queue, name, {}, {}, {}})) queues_out_.insert(name);
    }
    for (const BindingRecord& binding : records_.bindings()) {
        const auto& destinations = binding.to_exchange ? exchanges_out_ : queues_out_;
        if (exchanges_out_.contains(binding.source) || destinations.contains(binding.destination) ||
            !wanted({Of::binding, binding.destination, binding.source, binding.routing_key, {}})) {
            bindings_out_.insert(binding);
        }
    }
}

bool TopologyReplay::is_spared(const Step& step) const {
    if (step.kind == Kind::binding
            ? bindings_out_.contains(step.binding)
            : (step.kind == Kind::exchange ? exchanges_out_ : queues_out_).contains(step.name)) {
        return true;
    }
    return std::any_of(spared_.begin(), spared_.end(), [&](const Failure& spared) {
        const Failure of = failure_of(step, nullptr);
        return of.kind == spared.kind && of.name == spared.name && of.source == spared.source &&
               of.routing_key == spared.routing_key;
    });
}

bool TopologyReplay::is_of_exclusive_queue(const Step& step) const {
    if (step.kind == Kind::exchange || step.binding.to_exchange) return false;
    const QueueRecord* const queue =
        records_.find_queue(step.kind == Kind::queue ? step.name : step.binding.destination);
    return queue != nullptr && queue->exclusive;
}

TopologyReplay::Failure TopologyReplay::failure_of(const Step& step, const ErrorRef& error) {
    return {step.kind, step.kind == Kind::binding ? step.binding.destination : step.name,
            step.binding.source, step.binding.routing_key, error};
}

std::optional<TopologyReplay::Failure> TopologyReplay::in_hand() const {
    if (one_by_one_ == nullptr || one_by_one_->at >= one_by_one_->steps.size()) return {};
    return failure_of(one_by_one_->steps[one_by_one_->at], nullptr);
}

Status TopologyReplay::start(bool fresh) {
    started_ = true;
    if (records_.size() == 0) return Status::ok;
    std::vector<std::vector<Step>> named_by_broker;
    std::size_t next = 0;
    const std::size_t left = machine_.channel_max() - machine_.channel_count();
    const std::size_t most_lanes = std::clamp<std::size_t>(left, 2, lanes + 1) - 1;
    for (const auto& [name, record] : records_.queues()) {
        if (!record.server_named || leaves_out_queue(name)) continue;
        if (named_by_broker.size() < most_lanes) named_by_broker.emplace_back();
        Step step;
        step.kind = Kind::queue;
        step.name = name;
        // One that is not bound to its connection may still be there.
        step.way = record.exclusive && fresh ? Step::Way::rename : Step::Way::probe;
        named_by_broker[next++ % named_by_broker.size()].push_back(std::move(step));
    }
    if (!careful_) {
        if (const Status status = begin_flight(); status != Status::ok) return status;
    }
    naming_lanes_ = named_by_broker.size();
    for (std::vector<Step>& steps : named_by_broker) {
        if (const Status status = begin_lane(std::move(steps)); status != Status::ok) return status;
    }
    if (naming_lanes_ > 0) return Status::ok;
    if (careful_) {
        begin_one_by_one(nullptr);
    } else {
        end_flight();
    }
    return Status::ok;
}

// ---- all at once

Status TopologyReplay::begin_flight() {
    if (const Status status = open(&flight_); status != Status::ok) return status;
    for (const Step& step : steps()) {
        if (step.kind == Kind::binding && !step.binding.to_exchange &&
            is_renamed_later(step.binding.destination)) {
            continue;
        }
        say(step);
    }
    return Status::ok;
}

void TopologyReplay::say(const Step& step) {
    (void)with_method(step, true, [&](const auto& method) {
        return machine_.say({flight_, owner_}, method);
    });
}

// The queues have their names: what is bound to them follows, and the closing tells how it went.
void TopologyReplay::end_flight() {
    if (flight_ == 0) return;  // it was refused meanwhile
    for (const Step& step : steps()) {
        if (step.kind == Kind::binding && !step.binding.to_exchange &&
            is_renamed_later(step.binding.destination)) {
            say(step);
        }
    }
    flight_closing_ = true;
    close(flight_);
}

// ---- one after the other

Status TopologyReplay::begin_lane(std::vector<Step> steps) {
    auto lane = std::make_unique<Lane>();
    lane->steps = std::move(steps);
    if (const Status status = open(&lane->channel); status != Status::ok) return status;
    lanes_.push_back(std::move(lane));
    ask(*lanes_.back());
    return Status::ok;
}

template <class Method>
Status TopologyReplay::call(std::uint16_t channel, const Method& method, OwnCalls::Answer answer) {
    return calls_.ask(std::move(answer), [&](protocol::Call call) {
        call.reply = wire::find_method(Method::id)->replies[0];
        return machine_.call({channel, owner_}, std::move(call), method);
    });
}

// Runs run(method) with what the step's record says; its record may be gone.
template <class Run>
Status TopologyReplay::with_method(const Step& step, bool no_wait, Run run) {
    switch (step.kind) {
        case Kind::exchange: {
            const auto found = records_.exchanges().find(step.name);
            if (found == records_.exchanges().end()) return Status::closed;
            auto method = declare_method(found->second);
            method.no_wait = no_wait;
            return run(method);
        }
        case Kind::queue: {
            const QueueRecord* const record = records_.find_queue(step.name);
            if (record == nullptr) return Status::closed;
            auto method = declare_method(*record);
            method.no_wait = no_wait;
            method.passive = step.way == Step::Way::probe;
            if (step.way == Step::Way::rename) method.queue = {};
            return run(method);
        }
        case Kind::binding: {
            if (step.binding.to_exchange) {
                auto method = bind_exchange_method(step.binding);
                method.no_wait = no_wait;
                return run(method);
            }
            auto method = bind_method(step.binding);
            method.no_wait = no_wait;
            return run(method);
        }
    }
    return Status::closed;
}

void TopologyReplay::ask(Lane& lane) {
    while (lane.at < lane.steps.size()) {
        const Status status = with_method(lane.steps[lane.at], false, [&](const auto& method) {
            return call(lane.channel, method,
                        [this, &lane](const ErrorRef& error, std::string_view queue) {
                            on_answer(lane, error, queue);
                        });
        });
        if (status == Status::ok) return;
        ++lane.at;  // there is nothing to be said of it any more
    }
    lane.closing = true;
    close(lane.channel);
}

void TopologyReplay::on_answer(Lane& lane, const ErrorRef& error, std::string_view queue) {
    if (error) return;  // the end of the channel, or of all, tells the rest
    const Step& step = lane.steps[lane.at];
    if (step.way == Step::Way::rename && queue != step.name) {
        renamed_.push_back({step.name, std::string(queue)});
        records_.queue_renamed(renamed_.back().from, queue);
    }
    ++lane.at;
    ask(lane);
}

// The broker has closed the lane's channel over its step.
void TopologyReplay::refused(Lane& lane, const ErrorRef& error) {
    if (lane.at < lane.steps.size()) {
        Step& step = lane.steps[lane.at];
        const bool not_found = error->reply_code == 404;
        if (step.way == Step::Way::probe && not_found) {
            step.way = Step::Way::rename;
        } else if (error->reply_code == 405 && step.locked < locked_retries &&
                   is_of_exclusive_queue(step)) {
            ++step.locked;
            // With all that needs it, in their order.
            const std::string queue =
                step.kind == Kind::queue ? step.name : step.binding.destination;
            std::stable_partition(
                lane.steps.begin() + static_cast<std::ptrdiff_t>(lane.at), lane.steps.end(),
                [&](const Step& one) {
                    return one.kind == Kind::exchange || one.binding.to_exchange ||
                           (one.kind == Kind::queue ? one.name : one.binding.destination) != queue;
                });
        } else if (step.kind == Kind::binding && not_found && step.tries < retries) {
            // What it is bound to, and from, once more before it.
            ++step.tries;
            std::vector<Step> before;
            const BindingRecord& binding = step.binding;
            if (records_.exchanges().contains(binding.source)) {
                before.emplace_back().name = binding.source;
            }
            Step& destination = before.emplace_back();
            destination.kind = binding.to_exchange ? Kind::exchange : Kind::queue;
            destination.name = binding.destination;
            if (!binding.to_exchange && is_renamed_later(binding.destination)) before.pop_back();
            lane.steps.insert(lane.steps.begin() + static_cast<std::ptrdiff_t>(lane.at),
                              std::make_move_iterator(before.begin()),
                              std::make_move_iterator(before.end()));
        } else {
            failures_.push_back(failure_of(step, error));
            ++lane.at;
        }
    }
    if (lane.at < lane.steps.size() && open(&lane.channel) == Status::ok) {
        ask(lane);
        return;
    }
    for (; lane.at < lane.steps.size(); ++lane.at) {
        failures_.push_back(failure_of(lane.steps[lane.at], error));
    }
    lane.closing = true;
}

void TopologyReplay::begin_one_by_one(const ErrorRef& error) {
    if (begin_lane(steps()) == Status::ok) {
        one_by_one_ = lanes_.back().get();
        return;
    }
    failures_.push_back(
        {Kind::exchange, {}, {}, {}, error ? error : make_error(Status::channel_limit, {})});
}

void TopologyReplay::lane_over() {
    if (naming_lanes_ == 0 || --naming_lanes_ > 0) return;
    end_flight();
}

void TopologyReplay::on_channel_end(std::uint16_t number, const ErrorRef& error) {
    --open_channels_;
    if (number == flight_) {
        flight_ = 0;
        if (!error) return;
        // Something was refused. Those that are still being named are bound by the steps as well.
        if (naming_lanes_ > 0) return;
        begin_one_by_one(error);
        return;
    }
    for (const auto& lane : lanes_) {
        if (lane->channel != number) continue;
        lane->channel = 0;
        if (error) refused(*lane, error);
        if (!lane->closing || lane->channel != 0) return;
        const bool naming = naming_lanes_ > 0;
        if (!naming) return;
        if (naming_lanes_ == 1 && flight_ == 0) {
            naming_lanes_ = 0;
            begin_one_by_one(error);
            return;
        }
        lane_over();
        return;
    }
}

}  // namespace haigha::client
