// What a message must not cost: heap allocations, and more than a few system calls.
//
// Every allocation of the process is counted, on all threads, those of libhaigha.so and of libuv
// included: their calls resolve to the definitions here.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "bench_client.h"
#include "bench_peer.h"
#include "scale_link.h"

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
}

namespace {

std::atomic<std::uint64_t> allocation_count{0};

void note_allocation() {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t allocations() {
    return allocation_count.load(std::memory_order_relaxed);
}

}  // namespace

// operator new of the standard library ends here as well.
extern "C" {
void* malloc(std::size_t size) {
    note_allocation();
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
    note_allocation();
    return __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
    note_allocation();
    return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    note_allocation();
    return __libc_memalign(alignment, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
    note_allocation();
    return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
    note_allocation();
    *memory = __libc_memalign(alignment, size);
    return *memory == nullptr ? ENOMEM : 0;
}
}

namespace {

using bench::Client;
using bench::LoopbackPeer;

constexpr std::uint64_t messages = 100'000;
// What is kept for re-use has grown to its size by then; what ends the run has not begun.
constexpr std::uint64_t first_counted = messages / 4;
constexpr std::uint64_t last_counted = messages - messages / 4;
// Nothing per message. How far a producer may run ahead is chance, and each 64 KiB chunk that it is
// further ahead than ever, or than is kept, is an allocation: one for hundreds of messages.
constexpr std::uint64_t growth = (last_counted - first_counted) / 500;
constexpr std::size_t body_size = 16;
// A producer that does not outrun its connection by much: the outbox grows no further.
constexpr std::int64_t high_water = 256 * 1024;

// Something that is certain not to be optimised away.
void allocate() {
    void* volatile memory = std::malloc(1);
    std::free(memory);
}

TEST(CountingItself, SeesTheLibrarysAllocations) {
    const std::uint64_t before = allocations();
    haigha_options* options = nullptr;
    ASSERT_EQ(haigha_options_new(&options, nullptr), HAIGHA_OK);
    haigha_options_free(options);
    EXPECT_GT(allocations(), before);
}

class Counting : public testing::TestWithParam<bool> {
  protected:
    // What `work` allocates between messages first_counted and last_counted.
    template <class Work>
    static std::uint64_t allocations_of(Client& client, Work work) {
        client.measure(allocations, first_counted, last_counted);
        work();
        return client.measured();
    }
    // Of `messages` publishes at full load. How many an owned loop finds when it is woken is the
    // scheduler's: no more is sure than that it does not write twice for one.
    static std::int64_t most_writes() {
        return static_cast<std::int64_t>(GetParam() ? messages / 100 : messages);
    }
};

TEST_P(Counting, APublishAllocatesNothingAndCallsTheSystemSeldom) {  // rules 138, 142
    LoopbackPeer peer;
    Client client(peer.amqp_port(), {GetParam(), false, high_water});
    const std::int64_t writes = client.info("writes");
    EXPECT_LE(allocations_of(client, [&] { client.publish(messages, body_size); }), growth);
    EXPECT_LE(client.info("writes") - writes, most_writes());
}

TEST_P(Counting, APreparedPublishAllocatesNothing) {
    LoopbackPeer peer;
    bench::ClientOptions options{GetParam(), false, high_water};
    options.prepared = true;
    Client client(peer.amqp_port(), options);
    const std::int64_t writes = client.info("writes");
    EXPECT_LE(allocations_of(client, [&] { client.publish(messages, body_size); }), growth);
    EXPECT_LE(client.info("writes") - writes, most_writes());
}

TEST_P(Counting, AConfirmAllocatesNothing) {
    LoopbackPeer peer;
    Client client(peer.amqp_port(), {GetParam(), true, 0});
    EXPECT_LE(allocations_of(client, [&] { client.publish(messages, body_size); }), growth);
}

TEST_P(Counting, ADeliveryAllocatesNothingAndCallsTheSystemSeldom) {
    LoopbackPeer peer;
    Client client(peer.amqp_port(), {GetParam(), false, 0});
    const std::int64_t reads = client.info("reads");
    const std::int64_t writes = client.info("writes");
    EXPECT_LE(allocations_of(client, [&] { client.consume(messages, body_size, false); }), growth);
    EXPECT_LE(client.info("reads") - reads, static_cast<std::int64_t>(messages / 100));
    // basic.qos and basic.consume.
    EXPECT_LE(client.info("writes") - writes, 2);
}

TEST_P(Counting, ADeliveryWithItsAckAllocatesNothing) {
    LoopbackPeer peer;
    Client client(peer.amqp_port(), {GetParam(), false, 0});
    const std::int64_t writes = client.info("writes");
    EXPECT_LE(allocations_of(client, [&] { client.consume(messages, body_size, true); }), growth);
    EXPECT_LE(client.info("writes") - writes, static_cast<std::int64_t>(messages / 20));
}

// The tests above would fail.
TEST_P(Counting, SeesAnAllocationPerMessage) {
    LoopbackPeer peer;
    for (const bool confirm : {false, true}) {
        Client client(peer.amqp_port(), {GetParam(), confirm, high_water});
        client.on_message = allocate;
        EXPECT_GE(allocations_of(client, [&] { client.publish(messages, body_size); }),
                  last_counted - first_counted);
    }
    Client client(peer.amqp_port(), {GetParam(), false, 0});
    client.on_message = allocate;
    EXPECT_GE(allocations_of(client, [&] { client.consume(messages, body_size, true); }),
              last_counted - first_counted);
}

// What its machine reports, and what it writes into, is kept by the loop, for all of them.
TEST(MemoryOf, AConnectionThatWasBusyIsAsBefore) {
    LoopbackPeer peer;
    bench::ScaleLoop loop;
    bench::ScaleLink first(loop, peer.amqp_port());
    bench::ScaleLink second(loop, peer.amqp_port());
    std::size_t before = 0;
    for (bench::ScaleLink* link : {&first, &second}) {
        link->open();
        loop.settle();
        link->open_channel();
        loop.settle();
        before = ::mallinfo2().uordblks;
        std::string body(body_size, 'x');
        for (std::uint64_t i = 0; i < messages / 10; ++i)
            link->publish_surely(0, body);
        link->flush();
        loop.settle();
        link->consume(body_size, messages, false);
        loop.until([&] { return link->received() == messages; });
    }
    // The consumer itself is some hundred bytes.
    EXPECT_LE(::mallinfo2().uordblks, before + 4096);
}

INSTANTIATE_TEST_SUITE_P(Loops, Counting, testing::Bool(), [](const auto& info) {
    return info.param ? std::string("Attached") : std::string("Owned");
});

}  // namespace
