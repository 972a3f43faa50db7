// What is built without a connection: each allocation fails in turn, NO_MEMORY is the answer, and
// nothing has changed.
#include <gtest/gtest.h>
#include <haigha/haigha.h>
#include <haigha/queue_arguments.h>
#include <haigha/topology.h>

#include <cstdint>
#include <string>

#include "support/api_handles.h"
#include "support/failing_allocator.h"

namespace haigha::test {
namespace {

// call(), again with memory when it found none. What it then does is what it would have done.
template <class Call>
void twice_at_most(const char* what, Call call) {
    haigha_status status = call();
    if (status == HAIGHA_ERR_NO_MEMORY) status = call();
    const AllocationFaults::Spared spared;
    EXPECT_EQ(HAIGHA_OK, status) << what;
}

std::string fields_of(const haigha_table* table) {
    haigha_cursor cursor;
    haigha_field field;
    std::string names;
    EXPECT_EQ(HAIGHA_OK, haigha_table_cursor(table, &cursor));
    while (haigha_cursor_next(&cursor, &field) == 1)
        names += std::string(view(field.name)) + " ";
    return names;
}

void describe() {
    TableHandle table;
    TopologyHandle topology;
    twice_at_most("table", [&] { return haigha_table_new(out(table), nullptr); });
    haigha_queue_arguments arguments = HAIGHA_QUEUE_ARGUMENTS_INIT;
    arguments.kind = HAIGHA_QUEUE_QUORUM;
    arguments.dead_letter_exchange = haigha_text("an exchange with a name of some length");
    arguments.max_length = 1000;
    twice_at_most("arguments", [&] {
        return haigha_queue_arguments_add(&arguments, nullptr, nullptr, table.get(), nullptr);
    });
    twice_at_most("topology", [&] { return haigha_topology_new(out(topology), nullptr); });
    haigha_queue_declare_args queue = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
    queue.queue = haigha_text("a queue with a name of some length");
    queue.durable = 1;
    queue.arguments = table.get();
    twice_at_most("queue",
                  [&] { return haigha_topology_add_queue(topology.get(), &queue, nullptr); });
    twice_at_most("text", [&] {
        return haigha_topology_add_text(
            topology.get(),
            haigha_text("exchange \"an exchange with a name of some length\" fanout durable\n"
                        "queue \"another queue with a name of some length\" x-max-length=10\n"
                        "bind \"another queue with a name of some length\" from "
                        "\"an exchange with a name of some length\" by \"some key or other\""),
            nullptr);
    });
    // A refusal is made of memory too.
    const haigha_status status =
        haigha_topology_add_text(topology.get(), haigha_text("queue a b"), nullptr);
    const AllocationFaults::Spared spared;
    EXPECT_TRUE(status == HAIGHA_ERR_ARGUMENT || status == HAIGHA_ERR_NO_MEMORY);
    EXPECT_EQ("x-queue-type x-dead-letter-exchange x-max-length ", fields_of(table.get()));
}

TEST(NoMemoryForDescriptions, AtEachAllocation) {
    std::uint64_t nth = 1;
    for (bool more = true; more; ++nth) {
        SCOPED_TRACE("allocation " + std::to_string(nth));
        AllocationFaults::arm(nth);
        describe();
        AllocationFaults::disarm();
        more = AllocationFaults::struck();
        if (HasFailure()) {
            AllocationFaults::show_where();
            return;
        }
    }
    EXPECT_GT(nth, 20U);
}

}  // namespace
}  // namespace haigha::test
