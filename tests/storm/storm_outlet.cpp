#include "storm/storm_outlet.h"

#include <haigha/pool.h>

#include <atomic>
#include <utility>

#include "support/api_handles.h"

namespace haigha::storm {

using test::out;
using test::str;

namespace {

constexpr unsigned first_pool = 6;

struct LentBody {
    std::string bytes;
    std::atomic<std::int64_t>& given_back;
};

void give_back(void* data) {
    const std::unique_ptr<LentBody> body(static_cast<LentBody*>(data));
    ++body->given_back;
}

// In turn by copied bodies, by a prepared publisher and by bodies that are lent; each policy has
// its publishers, and what the library gives up is published again by this program.
class ChannelOutlet final : public StormOutlet {
  public:
    explicit ChannelOutlet(unsigned publisher) : index_(publisher) {}

    haigha_status open(haigha_connection* connection, const haigha_then& events,
                       const haigha_publish_args& usual, haigha_error** error) override {
        haigha_channel_args args = HAIGHA_CHANNEL_ARGS_INIT;
        args.events = events;
        args.confirm = 1;
        args.recovery_policy = HAIGHA_CHANNEL_REOPEN;
        if (index_ == 2) args.publish_policy = HAIGHA_PUBLISH_KEEP_UNSENT;
        if (index_ >= 4) args.publish_policy = HAIGHA_PUBLISH_RESEND;
        if (index_ % 3 == 0) args.max_in_flight = 200;
        const haigha_status status =
            haigha_channel_open_wait(connection, &args, -1, out(channel_), error);
        if (status != HAIGHA_OK || index_ % 3 != 1) return status;
        return haigha_publisher_new(channel_.get(), &usual, out(prepared_), error);
    }
    haigha_status publish(const haigha_publish_args& args, std::string body, bool is_usual,
                          haigha_error** error) override {
        if (prepared_ && is_usual) {
            return haigha_publisher_publish(prepared_.get(), str(body), args.user_data, nullptr,
                                            error);
        }
        if (index_ % 3 != 2) {
            return haigha_publish(channel_.get(), &args, str(body), nullptr, error);
        }
        auto lent = std::make_unique<LentBody>(LentBody{std::move(body), given_back_});
        ++lent_;
        const haigha_status status = haigha_publish_lent(channel_.get(), &args, str(lent->bytes),
                                                         &give_back, lent.get(), nullptr, error);
        if (status == HAIGHA_OK) {
            (void)lent.release();
        } else {
            --lent_;
        }
        return status;
    }
    // A queue that does not exist is asked for.
    void provoke(OperationBook& book) override {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str("there is no such queue");
        args.passive = 1;
        book.start("a bad declare", [&](const haigha_then* then) {
            return haigha_queue_declare(channel_.get(), &args, then, nullptr);
        });
    }
    void close() override {
        prepared_.reset();
        if (!channel_) return;
        haigha_channel_close_wait(channel_.get(), -1, nullptr);
        channel_.reset();
    }
    std::int64_t lent_bodies_out() const override { return lent_ - given_back_; }

  private:
    const unsigned index_;
    test::ChannelHandle channel_;
    test::PublisherHandle prepared_;
    std::atomic<std::int64_t> lent_{0};
    std::atomic<std::int64_t> given_back_{0};
};

// By confirms on three channels, or by transactions on one.
class PoolOutlet final : public StormOutlet {
  public:
    explicit PoolOutlet(unsigned publisher) : index_(publisher) {}

    haigha_status open(haigha_connection* connection, const haigha_then& events,
                       const haigha_publish_args&, haigha_error** error) override {
        haigha_pool_args args = HAIGHA_POOL_ARGS_INIT;
        args.events = events;
        args.max_channels = 3;
        args.max_in_flight = 50;
        if (outlet_keeps_order(index_)) {
            args.mode = HAIGHA_POOL_TX;
            args.max_channels = 1;
        }
        args.max_messages = 500;
        return haigha_pool_new(connection, &args, out(pool_), error);
    }
    haigha_status publish(const haigha_publish_args& args, std::string body, bool,
                          haigha_error** error) override {
        return haigha_pool_publish(pool_.get(), &args, str(body), nullptr, error);
    }
    // To an exchange that does not exist, among the others: it alone is refused.
    void provoke(OperationBook&) override {
        haigha_publish_args args = HAIGHA_PUBLISH_ARGS_INIT;
        args.exchange = str("there is no such exchange");
        (void)haigha_pool_publish(pool_.get(), &args, str("bad"), nullptr, nullptr);
    }
    void close() override {
        if (!pool_) return;
        haigha_pool_close_wait(pool_.get(), 0, nullptr);
        channel_losses_ = channel_losses();
        pool_.reset();
    }
    std::uint64_t channel_losses() const override {
        if (!pool_) return channel_losses_;
        std::int64_t lost = 0;
        (void)haigha_pool_info(pool_.get(), str("channels_lost"), &lost, nullptr);
        return static_cast<std::uint64_t>(lost);
    }

  private:
    const unsigned index_;
    test::PoolHandle pool_;
    std::uint64_t channel_losses_ = 0;
};

}  // namespace

std::unique_ptr<StormOutlet> outlet_of(unsigned publisher) {
    if (publisher >= first_pool) return std::make_unique<PoolOutlet>(publisher);
    return std::make_unique<ChannelOutlet>(publisher);
}

bool outlet_keeps_order(unsigned publisher) {
    return publisher != first_pool;
}

}  // namespace haigha::storm
