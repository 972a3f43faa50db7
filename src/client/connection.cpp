#include "client/connection.h"

#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

#include "client/channel.h"
#include "client/client_properties.h"
#include "client/host_list.h"

namespace haigha::client {

namespace {

using transport::Loop;

// A blocking form waits this much longer than its operation, to hear the loop's own account of it.
constexpr Duration grace = milliseconds(200);

// At least one: the option was parsed when it was set.
std::vector<transport::Endpoint> endpoints_of(const Options& options) {
    std::vector<HostAndPort> hosts;
    if (options.unix_path.empty()) (void)parse_hosts(options.host, &hosts);
    if (hosts.empty()) hosts.emplace_back();
    const std::int64_t common_port = options.port != 0  ? options.port
                                     : options.tls != 0 ? 5671
                                                        : 5672;
    std::vector<transport::Endpoint> endpoints;
    for (HostAndPort& one : hosts) {
        transport::Endpoint& endpoint = endpoints.emplace_back();
        endpoint.host = std::move(one.host);
        endpoint.port = one.port != 0 ? one.port : static_cast<std::uint16_t>(common_port);
        endpoint.unix_path = options.unix_path;
        endpoint.address_family = static_cast<int>(options.address_family);
    }
    if (options.host_order == "shuffled") {
        std::random_device chance;
        std::shuffle(endpoints.begin(), endpoints.end(), chance);
    }
    return endpoints;
}

transport::TlsSettings tls_settings(const Options& options) {
    transport::TlsSettings tls;
    tls.ca_file = options.cacertfile;
    tls.ca_pem = options.cacert_pem;
    tls.cert_file = options.certfile;
    tls.cert_pem = options.cert_pem;
    tls.key_file = options.keyfile;
    tls.key_pem = options.key_pem;
    tls.key_password = options.key_password;
    tls.ask_key_password = options.ask_key_password;
    tls.prepare = options.prepare_tls;
    tls.verify_peer = options.verify == "verify_peer";
    tls.verify_host = options.verify_host != 0;
    tls.depth = static_cast<int>(options.depth);
    tls.send_name = options.server_name_indication != "disable";
    tls.min_version_13 = options.tls_min_version == "1.3";
    tls.max_version_12 = options.tls_max_version == "1.2";
    tls.ciphers = options.tls_ciphers;
    tls.ciphersuites = options.tls_ciphersuites;
    tls.groups = options.tls_groups;
    return tls;
}

}  // namespace

Connection::Connection(Ref<EventLoop> loop, Options options, Then events)
    : loop_(std::move(loop)),
      options_(std::move(options)),
      endpoints_(endpoints_of(options_)),
      id_(loop_->next_connection_id()),
      machine_(new_machine(&returned_)),
      events_(std::move(events)),
      tracer_([this](std::string_view line) {
          loop_->log(LogLevel::trace, id_, "frame", {"frame", LogEvent::Limit::unlimited}, line);
      }),
      messages_(Ref<MessagePool>::adopt(new MessagePool)),
      input_(loop_->transport().slabs()),
      machine_events_(loop_->machine_events()),
      filler_(loop_->filler()) {
    if (recovers()) {
        std::random_device seed;
        strategy_.emplace(endpoints_.size(), strategy_settings(),
                          std::uint64_t{seed()} << 32 | seed(), host_chooser());
    }
    loop_->transport().add_user();
}

Connection::~Connection() {
    if (given_fd_ >= 0) ::close(given_fd_);
    if (trace_hook_ != nullptr && trace_hook_->release != nullptr) {
        trace_hook_->release(trace_hook_->user_data);
    }
    loop_->transport().drop_user();
}

protocol::ConnectionParameters Connection::machine_parameters() const {
    protocol::ConnectionParameters parameters;
    parameters.host = endpoint().display();
    parameters.vhost = options_.vhost;
    parameters.mechanisms = options_.auth_mechanism;
    parameters.credentials = {options_.user, options_.password};
    parameters.client_properties = client_properties(options_.connection_name);
    parameters.channel_max = static_cast<std::uint16_t>(options_.channel_max);
    parameters.frame_max = static_cast<std::uint32_t>(options_.frame_max);
    parameters.heartbeat_s = static_cast<std::uint16_t>(options_.heartbeat);
    parameters.max_message_size = static_cast<std::uint64_t>(options_.max_message_size);
    parameters.outbox_high_water = static_cast<std::size_t>(options_.outbox_high_water_bytes);
    parameters.outbox_low_water = parameters.outbox_high_water / 2;
    parameters.delivery_warning = milliseconds(options_.delivery_warning_ms);
    parameters.keeps_channels = recovers();
    return parameters;
}

ErrorRef Connection::last_error() const {
    const std::lock_guard lock(mutex_);
    return last_error_ ? last_error_ : outage_error_;
}

bool Connection::info(std::string_view name, std::int64_t* value) const {
    const std::lock_guard lock(mutex_);
    const auto number = [](auto n) { return static_cast<std::int64_t>(n); };
    if (name == "frame_max") {
        *value = number(machine_->frame_max());
    } else if (name == "channel_max") {
        *value = number(machine_->channel_max());
    } else if (name == "heartbeat") {
        *value = number(machine_->heartbeat_s());
    } else if (name == "blocked") {
        *value = machine_->blocked() ? 1 : 0;
    } else if (name == "outbox_bytes") {
        *value = number(machine_->bytes_waiting());
    } else if (name == "channels") {
        *value = number(machine_->channel_count());
    } else if (name == "bytes_sent") {
        *value = number(sent_before_ + machine_->outbox().sent());
    } else if (name == "bytes_received") {
        *value = number(bytes_received_.load(std::memory_order_relaxed));
    } else if (name == "reads") {
        *value = number(reads_.load(std::memory_order_relaxed));
    } else if (name == "writes") {
        *value = number(writes_.load(std::memory_order_relaxed));
    } else if (name == "recoveries") {
        *value = number(recoveries_done_.load(std::memory_order_relaxed));
    } else if (name == "stale_acks") {
        *value = number(stale_acks_.load(std::memory_order_relaxed));
    } else if (name == "topology_records") {
        *value = number(topology_size_.load(std::memory_order_relaxed));
    } else if (name == "local_port") {
        *value = number(local_port_.load(std::memory_order_relaxed));
    } else if (name == "resolve_us") {
        *value = stages_.microseconds(Stage::resolve);
    } else if (name == "connect_us") {
        *value = stages_.microseconds(Stage::connect);
    } else if (name == "tls_us") {
        *value = stages_.microseconds(Stage::tls);
    } else if (name == "handshake_us") {
        *value = stages_.microseconds(Stage::handshake);
    } else if (name == "open_us") {
        *value = stages_.microseconds(Stage::open);
    } else {
        return false;
    }
    return true;
}

std::vector<std::byte> Connection::server_properties() const {
    const std::lock_guard lock(mutex_);
    return machine_->server_properties();
}

std::vector<transport::StreamFact> Connection::peer_facts() const {
    const std::lock_guard lock(mutex_);
    return peer_facts_;
}

bool Connection::set_events(Then events) {
    auto shared = std::make_shared<Then>(std::move(events));
    const bool posted = loop_->transport().post([self = Ref<Connection>(this), shared] {
        self->events_ = std::move(*shared);
        // Nobody comes too late to hear the end (rule 22).
        if (self->state() == State::closed) self->tell_state(State::closed, self->last_error());
    });
    if (!posted) shared->disarm();
    return posted;
}

bool Connection::set_trace_hook(const TraceHook& hook) {
    auto kept = std::make_unique<const TraceHook>(hook);
    const std::lock_guard lock(mutex_);
    if (state() != State::fresh || trace_hook_ != nullptr) return false;
    trace_hook_ = std::move(kept);
    return true;
}

ErrorRef Connection::accepted(const ErrorRef& failed) {
    if (!failed) return nullptr;
    return insist([&] {
        const Ref<Error> error = edit_error(*failed);
        error->accepted = true;
        return ErrorRef(error.get());
    });
}

ErrorRef Connection::watch_states(const void* key, StateWatch watch) {
    if (state() == State::closed) {
        const ErrorRef cause = last_error();
        return make_error(Status::closed, "the connection has ended" +
                                              (cause ? ": " + cause->message : std::string()));
    }
    const bool posted = loop_->transport().post(
        [self = Ref<Connection>(this), key, watch = std::move(watch)]() mutable {
            const State now = self->state();
            if (now == State::closed) {
                watch(now, self->last_error());
                return;
            }
            insist([&] {
                const std::lock_guard lock(self->mutex_);
                self->watches_.emplace_back(key, watch);
            });
            watch(now, nullptr);
        });
    return posted ? nullptr : make_error(Status::closed, "the loop was closed");
}

void Connection::unwatch_states(const void* key) {
    const auto forget = [self = Ref<Connection>(this), key] {
        StateWatch gone;  // may be the last to hold what it tells
        const std::lock_guard lock(self->mutex_);
        const auto found = std::find_if(self->watches_.begin(), self->watches_.end(),
                                        [key](const auto& watch) { return watch.first == key; });
        if (found == self->watches_.end()) return;
        gone = std::move(found->second);
        self->watches_.erase(found);
    };
    // A loop that has ended uses them no more.
    if (!insist([&] { return loop_->transport().post(forget); })) forget();
}

// Never the address that the name was resolved to (rule 90).
std::string Connection::peer_name() const {
    const std::string& named = options_.server_name_indication;
    if (!named.empty() && named != "disable") return named;
    return options_.unix_path.empty() ? endpoint().host : std::string();
}

ErrorRef Connection::failure(Status status, std::string message, Stage stage) const {
    const Ref<Error> error = edit_error(*make_error(status, std::move(message), stage));
    error->host = endpoint().display();
    return ErrorRef(error.get());
}

ErrorRef Connection::closed_error(std::string_view what) const {
    switch (state_.load(std::memory_order_relaxed)) {
        case State::fresh:
        case State::opening:
            return failure(Status::closed, std::string(what) + ": the connection is not open yet");
        case State::open:
        case State::closing:
            return failure(Status::closed, std::string(what) + ": the connection is closing");
        case State::recovering: {
            const std::string why = outage_error_ ? outage_error_->message : std::string();
            const Ref<Error> error = outage_error_ ? edit_error(*outage_error_)
                                                   : edit_error(*failure(Status::recovering, {}));
            error->status = Status::recovering;
            error->message =
                std::string(what) + ": the connection was lost and is being recovered: " + why;
            return ErrorRef(error.get());
        }
        case State::closed:
            break;
    }
    if (!last_error_) {
        return failure(Status::closed, std::string(what) + ": the connection was closed");
    }
    const Ref<Error> error = edit_error(*last_error_);
    error->status = Status::closed;
    error->message = std::string(what) + ": the connection has ended: " + last_error_->message;
    return ErrorRef(error.get());
}

ErrorRef Connection::may_wait() const {
    if (!loop_->transport().on_thread()) return nullptr;
    return make_error(Status::wrong_thread,
                      "a waiting form was called on the loop's own thread, which would have to "
                      "answer it");
}

// The order of the two matters, as in pause_reading(): one of both threads sees what the other did.
Connection::ReadOn::ReadOn(Connection& connection) : connection_(connection) {
    connection_.waiting_threads_.fetch_add(1);
    if (!connection_.paused_) return;
    connection_.loop_->transport().post(
        [self = Ref<Connection>(&connection_)] { self->resume_reading(); });
}

ErrorRef Connection::await(Waiter& waiter, std::int64_t timeout_ms, Ref<Reply>* reply) {
    const Duration limit = timeout(timeout_ms);
    if (!waiter.wait_for(Duration{limit.nanoseconds + grace.nanoseconds})) {
        return failure(Status::timeout,
                       "no answer within " + std::to_string(limit.nanoseconds / 1'000'000) +
                           " ms, and the loop did not say why: is it running, or is a callback "
                           "keeping it?");
    }
    // Some errors come with an account of what was done.
    if (reply != nullptr) *reply = waiter.reply();
    if (waiter.error()) return waiter.error();
    return nullptr;
}

ErrorRef Connection::open(Completion completion, std::int64_t timeout_ms, int given_fd) {
    if (given_fd >= 0) {
        if (ErrorRef unusable = transport::adopt_socket(given_fd)) {
            completion.disarm();
            return unusable;
        }
    }
    Ref<const transport::TlsContext> tls_context;
    if (tls() && state() == State::fresh) {
        // Before anything is connected: what is wrong here is wrong with the settings (rule 92).
        ErrorRef unusable;
        if (options_.verify == "verify_peer" && options_.verify_host != 0 && peer_name().empty()) {
            completion.disarm();
            return failure(Status::argument,
                           "there is no name to check the broker's certificate for: set the option "
                           "server_name_indication");
        }
        tls_context =
            transport::TlsContext::create(tls_settings(options_), loop_->tls_trust(), &unusable);
        if (!tls_context) {
            completion.disarm();
            return unusable;
        }
    }
    {
        const std::lock_guard lock(mutex_);
        if (state() != State::fresh) {
            completion.disarm();
            return make_error(Status::closed, "the connection was opened before: make a new one");
        }
        opening_ = std::move(completion);
        tls_context_ = std::move(tls_context);
        given_fd_ = given_fd;
        open_deadline_ =
            loop_time() + milliseconds(timeout_ms < 0 ? options_.connection_timeout : timeout_ms);
        state_.store(State::opening, std::memory_order_release);
    }
    add_ref();  // the loop's share, until tear_down()
    if (loop_->transport().post([this] { begin(); })) return nullptr;
    {
        const std::lock_guard lock(mutex_);
        opening_.disarm();
        opening_ = Completion();
        given_fd_ = -1;
        state_.store(State::closed, std::memory_order_release);
    }
    release();
    return make_error(Status::closed, "the loop was closed");
}

ErrorRef Connection::close(Completion completion, std::int64_t timeout_ms) {
    const Instant deadline =
        loop_time() + milliseconds(timeout_ms < 0 ? options_.close_timeout_ms : timeout_ms);
    {
        std::unique_lock lock(mutex_);
        const State now = state();
        if (now == State::fresh) {
            state_.store(State::closed, std::memory_order_release);
            lock.unlock();
            // What watches it; its user has asked for it.
            insist([&] {
                loop_->transport().post(
                    [self = Ref<Connection>(this)] { self->tell_watches(State::closed, nullptr); });
            });
            lock.lock();
        }
        if (now != State::fresh && now != State::closed) {
            closings_.push_back({deadline, std::move(completion)});
            if (now == State::open) {
                state_.store(State::closing, std::memory_order_release);
                machine_->close(200, "closed");
            }
            (void)note_work(deadline);
            lock.unlock();
            tell_loop();
            return nullptr;
        }
    }
    // It has ended: said in a callback all the same, never before this returns.
    auto shared = std::make_shared<Completion>(std::move(completion));
    const bool posted = loop_->transport().post([self = Ref<Connection>(this), shared] {
        Event event = self->event_for(EventType::reply, nullptr);
        shared->complete(event, nullptr, nullptr, self->muted_);
    });
    if (posted) return nullptr;
    shared->disarm();
    return make_error(Status::closed, "the loop was closed");
}

ErrorRef Connection::update_secret(std::string_view secret, std::string_view reason,
                                   Completion completion, std::int64_t timeout_ms) {
    auto operation = std::make_unique<Operation>();
    operation->completion = std::move(completion);
    protocol::Call call;
    call.token = operation.get();
    const Instant deadline = loop_time() + timeout(timeout_ms);
    call.deadline = deadline;
    {
        const std::lock_guard lock(mutex_);
        const bool recovering = state() == State::recovering;
        if (recovering) {
            operation->completion.disarm();
            return closed_error("cannot update the secret");
        }
        const Status status = change([&] {
            try {
                return machine_->update_secret(secret, reason, std::move(call));
            } catch (const std::bad_alloc&) {
                machine_->forget(operation.get());
                throw;
            }
        });
        if (status != Status::ok) {
            operation->completion.disarm();
            if (status == Status::argument) {
                return failure(status, "the secret does not fit into one frame (frame_max is " +
                                           std::to_string(machine_->frame_max()) + ")");
            }
            return closed_error("cannot update the secret");
        }
        (void)operation.release();
        (void)note_work(deadline);
    }
    tell_loop();
    return nullptr;
}

ErrorRef Connection::flush(Completion completion, std::int64_t timeout_ms) {
    const Instant deadline = loop_time() + timeout(timeout_ms);
    {
        const std::lock_guard lock(mutex_);
        if (state() != State::open && state() != State::closing) {
            completion.disarm();
            return closed_error("cannot flush");
        }
        flushes_.push_back(
            {machine_->outbox().mark(), !machine_->drained(), deadline, std::move(completion)});
        (void)note_work(deadline);
    }
    tell_loop();
    return nullptr;
}

ErrorRef Connection::open_channel(Then events, ChannelModes modes, Completion completion,
                                  std::int64_t timeout_ms, Ref<Channel>* channel) {
    const Ref<Channel> opened =
        Ref<Channel>::adopt(new Channel(Ref<Connection>(this), std::move(events), modes));
    auto operation = std::make_unique<Operation>();
    operation->completion = std::move(completion);
    operation->channel = opened;
    const Instant deadline = loop_time() + timeout(timeout_ms);
    bool tell = false;
    Status status = Status::ok;
    ErrorRef refused;
    {
        const std::lock_guard lock(mutex_);
        // While it recovers the channels are not yet anybody's.
        status = state() == State::recovering ? Status::recovering : change([&] {
            return open_on_machine(*opened, modes, *operation, deadline);
        });
        if (status == Status::ok) {
            opened->add_ref();  // the machine's share, until channel_closed
            (void)operation.release();
            tell = note_work(deadline);
        } else if (status == Status::channel_limit) {
            refused = failure(
                Status::channel_limit,
                "channel_max (" + std::to_string(machine_->channel_max()) + ") channels are open");
        } else {
            refused = closed_error("cannot open a channel");
        }
    }
    if (refused) {
        operation->completion.disarm();
        opened->disarm_events();
        return refused;
    }
    if (tell) tell_loop();
    *channel = opened;
    return nullptr;
}

Status Connection::open_on_machine(Channel& opened, const ChannelModes& modes, Operation& operation,
                                   Instant deadline) {
    try {
        protocol::Call call;
        call.deadline = deadline;
        // In confirm mode the answer is that of confirm.select, which follows.
        if (!modes.confirm) call.token = &operation;
        std::uint16_t number = 0;
        const Status status = machine_->open_channel(&opened, std::move(call), &number);
        opened.number_ = number;
        if (status != Status::ok) return status;
        const protocol::ChannelId id{number, &opened};
        if (modes.policy != ChannelPolicy::report) machine_->keep_when_closed(id, true);
        machine_->keep_when_cancelled(id, modes.policy == ChannelPolicy::resubscribe);
        if (modes.publishes != PublishPolicy::fail && opened.records()) {
            opened.kept_ = Ref<protocol::ConfirmRing>::adopt(new protocol::ConfirmRing);
            opened.kept_->keep(std::make_unique<protocol::KeptPublishes>(
                *opened.kept_,
                protocol::KeepSettings{modes.publishes == PublishPolicy::resend, modes.max_age,
                                       modes.correlate_returns, modes.in_flight},
                returned_));
            protocol::EventList none;
            machine_->continue_publishes(id, opened.kept_, loop_time(), none);
        }
        if (modes.correlate_returns) machine_->correlate_returns(id);
        machine_->limit_in_flight(id, modes.in_flight);
        if (modes.confirm) {
            protocol::Call select;
            select.token = &operation;
            select.kind = protocol::CallKind::confirm_select;
            select.opens = true;
            select.barrier = true;
            select.reply = wire::confirm::SelectOk::id;
            select.deadline = deadline;
            machine_->call(id, std::move(select), wire::confirm::Select{});
        }
        if (modes.tx) {
            // Nobody waits for it: refused, it is the channel's end.
            protocol::Call select;
            select.kind = protocol::CallKind::tx_select;
            select.opens = true;
            select.reply = wire::tx::SelectOk::id;
            select.deadline = Instant::never();
            machine_->call(id, std::move(select), wire::tx::Select{});
        }
        return Status::ok;
    } catch (const std::bad_alloc&) {
        machine_->forget(&operation);
        machine_->forget(&opened);
        throw;
    }
}

ErrorRef Connection::close_channel(Channel& channel, Completion completion,
                                   std::int64_t timeout_ms) {
    auto operation = std::make_unique<Operation>();
    operation->completion = std::move(completion);
    operation->channel = Ref<Channel>(&channel);
    protocol::Call call;
    call.token = operation.get();
    const Instant deadline =
        loop_time() + milliseconds(timeout_ms < 0 ? options_.rpc_timeout_ms : timeout_ms);
    call.deadline = deadline;
    bool closing = false;
    bool waits = false;
    {
        const std::lock_guard lock(mutex_);
        waits = channel.state() == State::recovering;
        if (waits) channel.state_.store(State::closing, std::memory_order_release);
        closing =
            change([&] {
                try {
                    return machine_->close_channel({channel.number_, &channel}, std::move(call));
                } catch (const std::bad_alloc&) {
                    machine_->forget(operation.get());
                    throw;
                }
            }) == Status::ok;
        if (closing) {
            channel.state_.store(State::closing, std::memory_order_release);
            (void)operation.release();
            (void)note_work(deadline);
        }
    }
    if (closing) {
        tell_loop();
        return nullptr;
    }
    const std::shared_ptr<Operation> shared = std::move(operation);
    const bool posted = loop_->transport().post([self = Ref<Connection>(this), shared, waits,
                                                 timeout_ms] {
        if (waits && !self->drop_waiting(*shared->channel)) {
            // It came back just before.
            (void)self->close_channel(*shared->channel, std::move(shared->completion), timeout_ms);
            return;
        }
        Event event = self->event_for(EventType::reply, shared->channel.get());
        shared->completion.complete(event, nullptr, nullptr, self->muted_);
    });
    if (posted) return nullptr;
    shared->completion.disarm();
    return make_error(Status::closed, "the loop was closed");
}

void Connection::forget_waiting(Channel& channel) {
    loop_->transport().post([self = Ref<Connection>(this), dropped = Ref<Channel>(&channel)] {
        if (self->has_waiting_consumers(*dropped) || self->drop_waiting(*dropped)) return;
        dropped->abandon();  // it came back just before
    });
}

void Connection::abandon() {
    muted_.store(true, std::memory_order_release);
    if (forked()) return;
    loop_->transport().post([self = Ref<Connection>(this)] { self->end_abortively(); });
}

}  // namespace haigha::client
