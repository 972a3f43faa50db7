// haigha::Channel: exchanges, queues, publishing and consuming. Part of haigha/haigha.hpp.
//
// What a function does, which errors it gives and where it comes from in the specification is said
// in haigha.h, at the C function of the same name. Arguments are borrowed until the expression
// ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "arguments.hpp"
#include "operation.hpp"
#include "outcomes.hpp"

namespace haigha {
inline namespace v0_1 {

namespace detail {

// `call`, unless a table that it is given could not be built.
template <class Call>
haigha_status with(const Table& table, haigha_error** error, Call call) {
    if (table.error()) [[unlikely]]
        return Error(table.error()).give_to(error);
    return call();
}

inline std::uint32_t message_count(const haigha_reply* reply, const haigha_event*) noexcept {
    return haigha_reply_message_count(reply);
}

// Operations of a C function and its waiting form: that take a struct of arguments, which holds
// `table`;
template <class T, class Args, class Start, class Wait, class Make>
auto call(haigha_channel* channel, const Args& args, const Table& table, Start start, Wait wait,
          Make make) {
    return operation<T>(
        [channel, args, &table, start](const haigha_then* then, haigha_error** error) {
            return with(table, error, [&] { return start(channel, &args, then, error); });
        },
        [channel, args, &table, wait](std::int64_t timeout_ms, haigha_reply** reply,
                                      haigha_error** error) {
            return with(table, error,
                        [&] { return wait(channel, &args, timeout_ms, reply, error); });
        },
        make);
}
template <class Args, class Start, class Wait>
auto call(haigha_channel* channel, const Args& args, const Table& table, Start start, Wait wait) {
    return call<void>(channel, args, table, start, wait, NoAnswer{});
}
// that take nothing;
template <class Start, class Wait>
auto call(haigha_channel* channel, Start start, Wait wait) {
    return operation(
        [channel, start](const haigha_then* then, haigha_error** error) {
            return start(channel, then, error);
        },
        [channel, wait](std::int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
            return wait(channel, timeout_ms, reply, error);
        });
}
// that take a name.
template <class T, class Start, class Wait, class Make>
auto call_named(haigha_channel* channel, std::string_view name, Start start, Wait wait, Make make) {
    return operation<T>(
        [channel, name, start](const haigha_then* then, haigha_error** error) {
            return start(channel, str(name), then, error);
        },
        [channel, name, wait](std::int64_t timeout_ms, haigha_reply** reply, haigha_error** error) {
            return wait(channel, str(name), timeout_ms, reply, error);
        },
        make);
}

// For arguments that hold none.
inline const Table no_table;
inline haigha_exchange_bind_args binding(const ExchangeBind& given) noexcept {
    haigha_exchange_bind_args args = HAIGHA_EXCHANGE_BIND_ARGS_INIT;
    args.destination = str(given.destination);
    args.source = str(given.source);
    args.routing_key = str(given.routing_key);
    args.arguments = given.arguments.get();
    return args;
}
inline haigha_queue_bind_args binding(const QueueBind& given) noexcept {
    haigha_queue_bind_args args = HAIGHA_QUEUE_BIND_ARGS_INIT;
    args.queue = str(given.queue);
    args.exchange = str(given.exchange);
    args.routing_key = str(given.routing_key);
    args.arguments = given.arguments.get();
    return args;
}

}  // namespace detail

class Publisher;
class Consumer;

// A channel; a copy is another reference to it. Made by Connection::open_channel.
class Channel : public detail::Handle<haigha_channel, &haigha_channel_ref, &haigha_channel_unref> {
  public:
    Channel() noexcept = default;
    // A reference of its own to a handle of the C API, whose outcomes nobody can await one by one.
    static Channel share(haigha_channel* h) noexcept {
        return Channel(haigha_channel_ref(h), nullptr);
    }

    State state() const noexcept { return static_cast<State>(haigha_channel_state(get())); }
    std::uint16_t id() const noexcept { return haigha_channel_id(get()); }
    // Why it ended.
    Error last_error() const noexcept {
        haigha_error* const error = haigha_channel_last_error(get());
        return Error(haigha_error_status(error), error);
    }
    OperationOf<void> auto close() const {
        return detail::operation(
            [c = get()](const haigha_then* then, haigha_error** error) {
                return haigha_channel_close(c, then, error);
            },
            [c = get()](std::int64_t timeout_ms, haigha_reply**, haigha_error** error) {
                return haigha_channel_close_wait(c, timeout_ms, error);
            });
    }

    // ---- exchanges

    OperationOf<void> auto declare_exchange(const ExchangeDeclare& given) const {
        haigha_exchange_declare_args args = HAIGHA_EXCHANGE_DECLARE_ARGS_INIT;
        args.exchange = str(given.exchange);
        args.type = str(given.type);
        args.passive = detail::flag(given.passive);
        args.durable = detail::flag(given.durable);
        args.auto_delete = detail::flag(given.auto_delete);
        args.internal = detail::flag(given.internal);
        args.arguments = given.arguments.get();
        return detail::call(get(), args, given.arguments, &haigha_exchange_declare,
                            &haigha_exchange_declare_wait);
    }
    OperationOf<void> auto delete_exchange(const ExchangeDelete& given) const {
        haigha_exchange_delete_args args = HAIGHA_EXCHANGE_DELETE_ARGS_INIT;
        args.exchange = str(given.exchange);
        args.if_unused = detail::flag(given.if_unused);
        return detail::call(get(), args, detail::no_table, &haigha_exchange_delete,
                            &haigha_exchange_delete_wait);
    }
    OperationOf<void> auto bind_exchange(const ExchangeBind& given) const {
        return detail::call(get(), detail::binding(given), given.arguments, &haigha_exchange_bind,
                            &haigha_exchange_bind_wait);
    }
    OperationOf<void> auto unbind_exchange(const ExchangeBind& given) const {
        return detail::call(get(), detail::binding(given), given.arguments, &haigha_exchange_unbind,
                            &haigha_exchange_unbind_wait);
    }

    // ---- queues

    OperationOf<QueueDeclared> auto declare_queue(const QueueDeclare& given) const {
        haigha_queue_declare_args args = HAIGHA_QUEUE_DECLARE_ARGS_INIT;
        args.queue = str(given.queue);
        args.passive = detail::flag(given.passive);
        args.durable = detail::flag(given.durable);
        args.exclusive = detail::flag(given.exclusive);
        args.auto_delete = detail::flag(given.auto_delete);
        args.arguments = given.arguments.get();
        return detail::call<QueueDeclared>(
            get(), args, given.arguments, &haigha_queue_declare, &haigha_queue_declare_wait,
            [](const haigha_reply* reply, const haigha_event*) {
                return QueueDeclared{std::string(view(haigha_reply_queue(reply))),
                                     haigha_reply_message_count(reply),
                                     haigha_reply_consumer_count(reply)};
            });
    }
    OperationOf<void> auto bind_queue(const QueueBind& given) const {
        return detail::call(get(), detail::binding(given), given.arguments, &haigha_queue_bind,
                            &haigha_queue_bind_wait);
    }
    OperationOf<void> auto unbind_queue(const QueueBind& given) const {
        return detail::call(get(), detail::binding(given), given.arguments, &haigha_queue_unbind,
                            &haigha_queue_unbind_wait);
    }
    // How many messages were purged, or deleted.
    OperationOf<std::uint32_t> auto purge_queue(std::string_view queue) const {
        return detail::call_named<std::uint32_t>(get(), queue, &haigha_queue_purge,
                                                 &haigha_queue_purge_wait, &detail::message_count);
    }
    OperationOf<std::uint32_t> auto delete_queue(const QueueDelete& given) const {
        haigha_queue_delete_args args = HAIGHA_QUEUE_DELETE_ARGS_INIT;
        args.queue = str(given.queue);
        args.if_unused = detail::flag(given.if_unused);
        args.if_empty = detail::flag(given.if_empty);
        return detail::call<std::uint32_t>(get(), args, detail::no_table, &haigha_queue_delete,
                                           &haigha_queue_delete_wait, &detail::message_count);
    }

    // ---- publishing

    // Takes one message, or refuses it (WOULD_BLOCK: Writable follows). Its number on a confirm
    // channel, whose Published tells what became of it; otherwise 0.
    Result<std::uint64_t> publish(const Publish& given, Body body) const {
        return publish_by([&](std::uint64_t* sequence, haigha_error** error) {
            const haigha_publish_args args = detail::c_args(given);
            return haigha_publish(get(), &args, body.c(), sequence, error);
        });
    }
    Result<std::uint64_t> publish(const Publish& given, Body body,
                                  const Properties& properties) const {
        return publish_by([&](std::uint64_t* sequence, haigha_error** error) {
            return detail::with_args(
                given, &properties, nullptr, error, [&](const haigha_publish_args& args) {
                    return haigha_publish(get(), &args, body.c(), sequence, error);
                });
        });
    }
    // The body stays the caller's until `release` has been called, by any thread, which must not
    // use this library: see haigha_publish_lent. Refused, it is not called.
    template <std::invocable F>
    Result<std::uint64_t> publish_lent(const Publish& given, Body body, F release) const {
        return lend(given, body, nullptr, std::move(release));
    }
    template <std::invocable F>
    Result<std::uint64_t> publish_lent(const Publish& given, Body body,
                                       const Properties& properties, F release) const {
        return lend(given, body, &properties, std::move(release));
    }
    // Publishes on a channel that was opened with confirm, and answers with what became of the
    // message, whatever that is. wait() waits for room too; the other forms are refused without
    // (WOULD_BLOCK). The body is copied. then(Into) is UNSUPPORTED: outcomes go to the inbox that
    // the channel was opened with.
    OperationOf<PublishResult> auto publish_confirmed(const Publish& given, Body body) const {
        return detail::publish_operation(get(), outcomes_.get(), given, body, nullptr,
                                         &haigha_publish, &haigha_publish_wait);
    }
    OperationOf<PublishResult> auto publish_confirmed(const Publish& given, Body body,
                                                      const Properties& properties) const {
        return detail::publish_operation(get(), outcomes_.get(), given, body, &properties,
                                         &haigha_publish, &haigha_publish_wait);
    }
    // Everything but the body is read, checked and encoded once.
    Result<Publisher> publisher(const Publish& given) const;
    Result<Publisher> publisher(const Publish& given, const Properties& properties) const;

    OperationOf<void> auto select_confirm() const {
        return detail::call(get(), &haigha_confirm_select, &haigha_confirm_select_wait);
    }
    OperationOf<void> auto select_tx() const {
        return detail::call(get(), &haigha_tx_select, &haigha_tx_select_wait);
    }
    OperationOf<void> auto commit() const {
        return detail::call(get(), &haigha_tx_commit, &haigha_tx_commit_wait);
    }
    OperationOf<void> auto rollback() const {
        return detail::call(get(), &haigha_tx_rollback, &haigha_tx_rollback_wait);
    }

    // ---- consuming

    OperationOf<void> auto qos(const Qos& given) const {
        haigha_qos_args args = HAIGHA_QOS_ARGS_INIT;
        args.prefetch_bytes = given.prefetch_bytes;
        args.prefetch_count = given.prefetch_count;
        args.global = detail::flag(given.global);
        return detail::call(get(), args, detail::no_table, &haigha_qos, &haigha_qos_wait);
    }
    // `hears` gets each Delivery, and ConsumerEnded last; or Into an inbox.
    template <Hears F>
    OperationOf<Consumer> auto consume(const Consume& given, F hears) const;
    // A message, if there is one.
    OperationOf<std::optional<Message>> auto get(const Get& given) const {
        haigha_get_args args = HAIGHA_GET_ARGS_INIT;
        args.queue = str(given.queue);
        args.no_ack = detail::flag(given.no_ack);
        return detail::call<std::optional<Message>>(
            get(), args, detail::no_table, &haigha_get, &haigha_get_wait,
            [](const haigha_reply* reply, const haigha_event*) -> std::optional<Message> {
                haigha_message* const message = haigha_reply_message(reply);
                if (message == nullptr) return std::nullopt;
                return Message::share(message);
            });
    }
    using Handle::get;

    // Settle a delivery, from any thread; taken at once. Errors: as haigha_ack.
    Result<void> ack(std::uint64_t delivery_tag, bool multiple = false) const noexcept {
        return settle(&haigha_ack, delivery_tag, multiple ? HAIGHA_MULTIPLE : 0);
    }
    Result<void> ack(const Message& message) const noexcept { return ack(message.delivery_tag()); }
    Result<void> nack(std::uint64_t delivery_tag, bool requeue = true,
                      bool multiple = false) const noexcept {
        return settle(&haigha_nack, delivery_tag,
                      (requeue ? HAIGHA_REQUEUE : 0) | (multiple ? HAIGHA_MULTIPLE : 0));
    }
    Result<void> nack(const Message& message, bool requeue = true) const noexcept {
        return nack(message.delivery_tag(), requeue);
    }
    Result<void> reject(std::uint64_t delivery_tag, bool requeue = true) const noexcept {
        return settle(&haigha_reject, delivery_tag, requeue ? HAIGHA_REQUEUE : 0);
    }
    // Deliveries that are not settled come again. RabbitMQ refuses requeue false with 540.
    OperationOf<void> auto recover(bool requeue = true) const {
        return detail::operation(
            [c = get(), requeue](const haigha_then* then, haigha_error** error) {
                return haigha_recover(c, requeue ? 1 : 0, then, error);
            },
            [c = get(), requeue](std::int64_t timeout_ms, haigha_reply** reply,
                                 haigha_error** error) {
                return haigha_recover_wait(c, requeue ? 1 : 0, timeout_ms, reply, error);
            });
    }

  private:
    friend class Connection;
    Channel(haigha_channel* owned, std::shared_ptr<detail::AwaitedOutcomes> outcomes) noexcept
        : Handle(owned), outcomes_(std::move(outcomes)) {}

    template <class Settle>
    Result<void> settle(Settle function, std::uint64_t tag, std::uint32_t flags) const noexcept {
        return detail::checked(
            [&](haigha_error** error) { return function(get(), tag, flags, error); });
    }
    template <class Call>
    static Result<std::uint64_t> publish_by(Call call) {
        std::uint64_t sequence = 0;
        haigha_error* error = nullptr;
        const haigha_status status = call(&sequence, &error);
        return {sequence, Error(status, error)};
    }
    template <class F>
    Result<std::uint64_t> lend(const Publish& given, Body body, const Properties* properties,
                               F release) const {
        auto* const kept = new (std::nothrow) F(std::move(release));
        if (kept == nullptr) return Error(HAIGHA_ERR_NO_MEMORY, detail::no_memory);
        const auto call_it = [](void* data) {
            const std::unique_ptr<F> called(static_cast<F*>(data));
            (*called)();
        };
        Result<std::uint64_t> published =
            publish_by([&](std::uint64_t* sequence, haigha_error** error) {
                return detail::with_args(
                    given, properties, nullptr, error, [&](const haigha_publish_args& args) {
                        return haigha_publish_lent(get(), &args, body.c(), call_it, kept, sequence,
                                                   error);
                    });
            });
        if (!published) delete kept;
        return published;
    }
    Result<Publisher> prepare(const Publish& given, const Properties* properties) const;

    std::shared_ptr<detail::AwaitedOutcomes> outcomes_;  // null: nobody can await one
};

// A prepared publish: messages that differ in their bodies alone. From any thread.
class Publisher
    : public detail::Handle<haigha_publisher, &haigha_publisher_ref, &haigha_publisher_unref> {
  public:
    Publisher() noexcept = default;
    // A reference of its own to a handle of the C API.
    static Publisher share(haigha_publisher* h) noexcept {
        return Publisher(haigha_publisher_ref(h));
    }
    Result<std::uint64_t> publish(Body body) const {
        std::uint64_t sequence = 0;
        haigha_error* error = nullptr;
        const haigha_status status =
            haigha_publisher_publish(get(), body.c(), nullptr, &sequence, &error);
        return {sequence, Error(status, error)};
    }

  private:
    friend class Channel;
    explicit Publisher(haigha_publisher* owned) noexcept : Handle(owned) {}
};

inline Result<Publisher> Channel::prepare(const Publish& given,
                                          const Properties* properties) const {
    haigha_publisher* made = nullptr;
    const Result<void> prepared = detail::checked([&](haigha_error** error) {
        return detail::with_args(given, properties, nullptr, error,
                                 [&](const haigha_publish_args& args) {
                                     return haigha_publisher_new(get(), &args, &made, error);
                                 });
    });
    if (!prepared) return prepared.error();
    return Publisher(made);
}
inline Result<Publisher> Channel::publisher(const Publish& given) const {
    return prepare(given, nullptr);
}
inline Result<Publisher> Channel::publisher(const Publish& given,
                                            const Properties& properties) const {
    return prepare(given, &properties);
}

// A consumer by its tag. It goes on when this goes: it ends by cancel(), by drain(), or with its
// channel.
class Consumer {
  public:
    Consumer() noexcept = default;
    Consumer(Channel channel, std::string tag) noexcept
        : channel_(std::move(channel)), tag_(std::move(tag)) {}

    const std::string& tag() const noexcept { return tag_; }
    const Channel& channel() const noexcept { return channel_; }
    OperationOf<void> auto cancel() const {
        return detail::call_named<void>(channel_.get(), tag_, &haigha_cancel, &haigha_cancel_wait,
                                        detail::NoAnswer{});
    }
    OperationOf<void> auto pause() const {
        return detail::call_named<void>(channel_.get(), tag_, &haigha_consumer_pause,
                                        &haigha_consumer_pause_wait, detail::NoAnswer{});
    }
    OperationOf<void> auto resume() const {
        return detail::call_named<void>(channel_.get(), tag_, &haigha_consumer_resume,
                                        &haigha_consumer_resume_wait, detail::NoAnswer{});
    }
    // Ends it so that nothing is lost, within `limit`; answers how many deliveries are still open.
    OperationOf<std::uint32_t> auto drain(std::chrono::milliseconds limit) const {
        return detail::operation<std::uint32_t>(
            [this, limit](const haigha_then* then, haigha_error** error) {
                return haigha_consumer_drain(channel_.get(), str(tag_), limit.count(), then, error);
            },
            [this, limit](std::int64_t, haigha_reply** reply, haigha_error** error) {
                return haigha_consumer_drain_wait(channel_.get(), str(tag_), limit.count(), reply,
                                                  error);
            },
            &detail::message_count);
    }

  private:
    Channel channel_;
    std::string tag_;
};

template <Hears F>
OperationOf<Consumer> auto Channel::consume(const Consume& given, F hears) const {
    haigha_consume_args args = HAIGHA_CONSUME_ARGS_INIT;
    args.queue = str(given.queue);
    args.consumer_tag = str(given.consumer_tag);
    args.no_local = detail::flag(given.no_local);
    args.no_ack = detail::flag(given.no_ack);
    args.exclusive = detail::flag(given.exclusive);
    args.pause_when_full = detail::flag(given.pause_when_full);
    args.arguments = given.arguments.get();
    auto listener = std::make_shared<detail::Listener<F>>(std::move(hears));
    args.deliveries = listener->then();
    return detail::operation<Consumer>(
        [c = get(), args, &given, listener](const haigha_then* then, haigha_error** error) {
            return detail::with(given.arguments, error, [&] {
                return listener->give([&] { return haigha_consume(c, &args, then, error); });
            });
        },
        [c = get(), args, &given, listener](std::int64_t timeout_ms, haigha_reply** reply,
                                            haigha_error** error) {
            return detail::with(given.arguments, error, [&] {
                return listener->give_and_wait(
                    error, [&] { return haigha_consume_wait(c, &args, timeout_ms, reply, error); });
            });
        },
        [channel = *this](const haigha_reply* reply, const haigha_event*) {
            return Consumer(channel, std::string(view(haigha_reply_consumer_tag(reply))));
        });
}

}  // namespace v0_1
}  // namespace haigha
