// Confirms, returns and transactions.
#include <string>

#include "check_probes.h"
#include "failure.h"

namespace tool {

namespace {

constexpr int no_route = 312;

std::string confirms(ProbeScope& scope) {
    scope.use_confirms();
    const std::string queue = scope.queue();
    for (int i = 0; i < 3; ++i) {
        expect(scope.publish_confirmed(queue, "x") == HAIGHA_OUTCOME_CONFIRMED,
               "a publish was not confirmed");
    }
    expect(scope.message_count(queue) == 3, "confirmed messages are not in the queue");
    return "";
}

std::string confirms_in_bulk(ProbeScope& scope) {
    constexpr std::uint64_t messages = 1000;
    scope.use_confirms();
    const std::string queue = scope.queue();
    for (std::uint64_t i = 0; i < messages; ++i)
        scope.publish("", queue, "x");
    std::uint64_t confirmed = 0;
    for (std::uint64_t i = 0; i < messages; ++i) {
        if (scope.wait(HAIGHA_EVENT_OUTCOME).outcome == HAIGHA_OUTCOME_CONFIRMED) ++confirmed;
    }
    expect(confirmed == messages, std::to_string(confirmed) + " of 1000 were confirmed");
    expect(scope.stays_silent(HAIGHA_EVENT_OUTCOME, 50), "there was one outcome too many");
    return "1,000 outstanding, one outcome each";
}

std::string nack_from_the_broker(ProbeScope& scope) {
    scope.use_confirms();
    const TableHandle arguments = make_table("x-max-length", 1);
    add(arguments, "x-overflow", "reject-publish");
    const std::string queue = scope.queue(arguments.get());
    // The limit is held only roughly.
    for (int i = 0; i < 20; ++i) {
        if (scope.publish_confirmed(queue, "x") == HAIGHA_OUTCOME_NACKED) {
            return "a full queue with x-overflow=reject-publish";
        }
    }
    throw Failure(exit_failed, "a full queue refused nothing");
}

std::string mandatory(ProbeScope& scope) {
    const std::string nowhere = scope.fresh_name();
    scope.publish("", nowhere, "come back", nullptr, true);
    const Received returned = scope.wait(HAIGHA_EVENT_RETURN);
    expect(returned.reply_code == no_route,
           "returned with " + std::to_string(returned.reply_code) + ", not with 312");
    expect(returned.body() == "come back", "the returned body has changed");
    return "an unroutable message comes back";
}

std::string immediate(ProbeScope& scope) {
    const std::string queue = scope.queue();
    haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
    args.routing_key = to_str(queue);
    args.immediate = 1;
    ErrorSlot error;
    require(haigha_publish(scope.channel(), &args, to_str("x"), nullptr, error), error);
    // Without a consumer it comes back, with 313.
    scope.wait(HAIGHA_EVENT_RETURN);
    return "";
}

std::string unknown_exchange(ProbeScope& scope) {
    scope.publish(scope.fresh_name(), "x", "x");
    Received closed;
    do {
        closed = scope.wait(HAIGHA_EVENT_CHANNEL_STATE);
    } while (closed.state != HAIGHA_STATE_CLOSED);
    expect(closed.reply_code == 404,
           "the channel ended with " + std::to_string(closed.reply_code) + ", not with 404");
    scope.another_channel();
    return "closes the channel with 404, not the connection";
}

void select_transactions(ProbeScope& scope) {
    ErrorSlot error;
    require(haigha_tx_select_wait(scope.channel(), scope.timeout_ms(), nullptr, error), error);
}

std::string commit(ProbeScope& scope) {
    const std::string queue = scope.queue();
    select_transactions(scope);
    scope.publish("", queue, "x");
    expect(!scope.get_at_once(queue), "a message was there before the commit");
    ErrorSlot error;
    require(haigha_tx_commit_wait(scope.channel(), scope.timeout_ms(), nullptr, error), error);
    scope.get(queue);  // a queue may be asked for its count before it has what came before
    return "";
}

std::string rollback(ProbeScope& scope) {
    const std::string queue = scope.queue();
    select_transactions(scope);
    scope.publish("", queue, "x");
    ErrorSlot error;
    require(haigha_tx_rollback_wait(scope.channel(), scope.timeout_ms(), nullptr, error), error);
    expect(!scope.get_at_once(queue), "a message was there after the rollback");
    return "";
}

std::string copies(ProbeScope& scope) {
    const std::string first = scope.queue();
    const std::string second = scope.queue();
    haigha_table* array = nullptr;
    ErrorSlot error;
    require(haigha_table_new_array(&array, error), error);
    const TableHandle keys(array);
    add(keys, "", second);
    const TableHandle headers = make_table();
    require(haigha_table_add_table(headers.get(), to_str("CC"), keys.get(), error), error);
    haigha_properties properties = HAIGHA_PROPERTIES_INIT;
    properties.present = HAIGHA_PROPERTY_HEADERS;
    properties.headers = headers.get();
    scope.publish("", first, "x", &properties);
    scope.get(first);
    scope.get(second);
    return "the header CC routes copies";
}

}  // namespace

std::vector<Probe> publishing_probes() {
    return {
        {"publisher confirms", true, false, confirms},
        {"confirms, many at a time", true, false, confirms_in_bulk},
        {"negative confirms", false, false, nack_from_the_broker},
        {"mandatory", true, false, mandatory},
        {"immediate", false, true, immediate},
        {"publish to a missing exchange", true, false, unknown_exchange},
        {"transactions: commit", false, false, commit},
        {"transactions: rollback", false, false, rollback},
        {"sender-selected distribution", false, false, copies},
    };
}

}  // namespace tool
