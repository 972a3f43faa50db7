#include "client/recovery.h"

#include <algorithm>
#include <utility>

#include "wire/method_table.h"

namespace haigha::client {

using protocol::CallKind;

Recovery::Recovery(protocol::ConnectionMachine& machine, TopologyRecords* records, OwnCalls& calls)
    : machine_(machine), calls_(calls) {
    if (records != nullptr) replay_.emplace(*records, machine, token(), calls);
}

template <class Say>
Status Recovery::ask(const Plan& of, Say say) {
    const Status status = calls_.ask(
        [this, channel = of.channel](const ErrorRef& error, std::string_view) {
            --pending_;
            for (Plan& plan : plans_) {
                if (plan.channel == channel && error) plan.refused = true;
            }
        },
        say);
    if (status == Status::ok) ++pending_;
    return status;
}

bool Recovery::ready() const {
    const bool waits = std::any_of(plans_.begin(), plans_.end(), [](const Plan& plan) {
        return plan.refused && plan.number != 0;
    });
    return opened_ && pending_ == 0 && dropped_.empty() && !waits && (!replay_ || replay_->done());
}

template <class Method>
void Recovery::call(Plan& plan, CallKind kind, const Method& method) {
    (void)ask(plan, [&](protocol::Call call) {
        call.kind = kind;
        call.opens = true;
        call.barrier = kind == CallKind::confirm_select;
        call.reply = wire::find_method(Method::id)->replies[0];
        return machine_.call({plan.number, token()}, std::move(call), method);
    });
}

void Recovery::open_channel(Plan& plan) {
    const Status status = ask(plan, [&](protocol::Call open) {
        return machine_.open_channel(token(), std::move(open), &plan.number, plan.remains.bases,
                                     plan.remains.number);
    });
    if (status != Status::ok) {
        plan.number = 0;
        plan.error =
            make_error(status, "the broker allows no more than " +
                                   std::to_string(machine_.channel_max()) + " channels now");
        return;
    }
    const protocol::ChannelId id{plan.number, token()};
    const ChannelSettings& settings = plan.settings;
    if (settings.correlate_returns) machine_.correlate_returns(id);
    machine_.limit_in_flight(id, settings.in_flight);
    if (settings.confirm) call(plan, CallKind::confirm_select, wire::confirm::Select{});
    if (settings.tx) call(plan, CallKind::tx_select, wire::tx::Select{});
    if (settings.qos_each) call(plan, CallKind::plain, *settings.qos_each);
    if (settings.qos_all) call(plan, CallKind::plain, *settings.qos_all);
    if (settings.qos_each || settings.qos_all) (void)machine_.mark_qos(id);
}

void Recovery::open_channels() {
    opened_ = true;
    for (Plan& plan : plans_)
        open_channel(plan);
}

Status Recovery::start(bool fresh) {
    // The topology needs channels of its own: first, where there would be none left for it.
    const bool room = machine_.channel_count() + plans_.size() + 1 + TopologyReplay::lanes <=
                      machine_.channel_max();
    if (room) open_channels();
    if (replay_) {
        if (const Status status = replay_->start(fresh); status != Status::ok) return status;
    }
    if (!opened_ && (!replay_ || replay_->done())) open_channels();
    return Status::ok;
}

void Recovery::on_channel_end(std::uint16_t number, const ErrorRef& error) {
    const auto plan = std::find_if(plans_.begin(), plans_.end(),
                                   [number](const Plan& one) { return one.number == number; });
    if (plan != plans_.end()) {
        plan->number = 0;
        plan->error = error ? error : make_error(Status::closed, "the channel was closed");
        return;
    }
    if (std::erase(dropped_, number) > 0 || !replay_) return;
    replay_->on_channel_end(number, error);
    if (!opened_ && replay_->done()) open_channels();
}

const Recovery::Plan* Recovery::find(const void* channel) const {
    const auto plan = std::find_if(plans_.begin(), plans_.end(),
                                   [channel](const Plan& one) { return one.channel == channel; });
    return plan != plans_.end() ? &*plan : nullptr;
}

bool Recovery::drop(protocol::Token channel, Plan* dropped) {
    const auto plan = std::find_if(plans_.begin(), plans_.end(),
                                   [channel](const Plan& one) { return one.channel == channel; });
    if (plan == plans_.end()) return false;
    if (plan->number != 0) {
        (void)machine_.close_channel({plan->number, token()}, protocol::Call());
        dropped_.push_back(plan->number);
    }
    *dropped = std::move(*plan);
    plans_.erase(plan);
    return true;
}

}  // namespace haigha::client
