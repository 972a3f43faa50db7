// What haigha_connection is: the protocol machine and a stream, joined on a loop's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/busy_mutex.h"
#include "base/counted.h"
#include "base/error.h"
#include "base/insist.h"
#include "base/ref.h"
#include "client/completion.h"
#include "client/connection_numbers.h"
#include "client/connection_strategy.h"
#include "client/event.h"
#include "client/event_loop.h"
#include "client/frame_tracer.h"
#include "client/handle_count.h"
#include "client/message.h"
#include "client/option_table.h"
#include "client/read_buffer.h"
#include "client/recovery.h"
#include "client/stage_times.h"
#include "client/then.h"
#include "client/topology_records.h"
#include "client/trace_hook.h"
#include "protocol/connection_machine.h"
#include "transport/connector.h"
#include "transport/loop.h"
#include "transport/stream.h"
#include "transport/tls_context.h"

namespace haigha::client {

class BodyWriter;
struct Operation;
struct Consumer;
// What the library does itself with an answer, before whoever asked has it. reply: null with an
// error.
using OperationNote = std::function<void(const ErrorRef& error, const Reply* reply)>;

// What is done about a channel that the broker closes, and a consumer that it cancels.
enum class ChannelPolicy : std::uint8_t {
    report,       // it is told, and is the end of it
    reopen,       // the channel is opened again; its consumers have ended
    resubscribe,  // and its consumers consume again
};

// What becomes of the publishes that a channel has when it is lost and comes back, and of those
// that are made meanwhile.
enum class PublishPolicy : std::uint8_t {
    fail,         // they end, and are refused
    keep_unsent,  // what never left whole is sent later
    resend,       // and what has no outcome is sent again
};

// How long each part of a stop may take.
struct StopTimes {
    std::int64_t settle_ms = 0;
    std::int64_t publish_ms = 0;
    std::int64_t close_ms = 0;
};

struct ChannelModes {
    bool confirm = false;
    bool tx = false;
    bool correlate_returns = false;       // with confirm
    protocol::InFlightLimit in_flight{};  // with confirm
    ChannelPolicy policy = ChannelPolicy::report;
    PublishPolicy publishes = PublishPolicy::fail;  // with confirm
    Duration max_age{};                             // of what is kept; 0: any
};

// One mutex guards the machine, so that any thread may publish or call; it is never held while user
// code runs. Everything else happens on the loop's thread. A connection that recovers has one
// machine after the other; handles of it, of its channels and of their consumers stay.
class Connection final : public Counted<Connection>, public transport::Flushable, private OwnCalls {
  public:
    Connection(Ref<EventLoop> loop, Options options, Then events);

    EventLoop& loop() const { return *loop_; }
    // What deadlines are measured by.
    Instant loop_time() const { return loop_->transport().now(); }
    const Options& options() const { return options_; }
    State state() const { return state_.load(std::memory_order_acquire); }
    HandleCount& handles() { return handles_; }
    bool recovers() const { return options_.recovery != 0; }
    bool forked() const { return loop_->transport().forked(); }
    ErrorRef last_error() const;
    bool set_events(Then events);
    // The one that was chosen; empty before the broker has offered any.
    std::string mechanism() const;
    // Before open(): where auth events go. False when it is too late.
    bool set_auth(Then auth);
    // The answers to the auth event of that number; null, or why it was not taken.
    ErrorRef answer_credentials(std::uint64_t question, const protocol::Credentials& credentials,
                                std::int64_t lifetime_ms);
    ErrorRef answer_response(std::uint64_t question, std::string_view response);
    ErrorRef refuse_to_authenticate(std::uint64_t question, std::string why);
    ErrorRef update_secret(std::string_view secret, std::string_view reason, Completion completion,
                           std::int64_t timeout_ms);
    void disarm_events() { events_.disarm(); }
    // Before open(), and once. False when it is too late.
    bool set_trace_hook(const TraceHook& hook);
    // What gives the messages of this connection their trace context; null: nothing does.
    const TraceHook* trace_hook() const { return trace_hook_.get(); }
    // Hears of its states, on the loop's thread and before its user: of the one that it is in, of
    // each that follows, in silence or not, and after the closed one of nothing. Refused when it,
    // or the loop, has ended.
    using StateWatch = std::function<void(State now, const ErrorRef& error)>;
    ErrorRef watch_states(const void* key, StateWatch watch);
    void unwatch_states(const void* key);
    // False for a name that is not known.
    bool info(std::string_view name, std::int64_t* value) const;
    Statistics statistics() const;
    std::vector<std::byte> server_properties() const;
    // What is known of the peer, and how it was made sure of; empty before the handshake.
    std::vector<transport::StreamFact> peer_facts() const;

    // The user has dropped the last handle.
    void abandon();
    // Everything stops, in silence. Of the loop's thread.
    void end_abortively();

    // ---- operations. Null: the completion will be answered. Otherwise nothing was taken.

    // given_fd: a connected socket, taken over when nothing is refused; -1: connects.
    ErrorRef open(Completion completion, std::int64_t timeout_ms, int given_fd = -1);
    ErrorRef close(Completion completion, std::int64_t timeout_ms);
    ErrorRef flush(Completion completion, std::int64_t timeout_ms);
    // connection_stopping.cpp
    ErrorRef stop(const StopTimes& times, Completion completion);
    ErrorRef open_channel(Then events, ChannelModes modes, Completion completion,
                          std::int64_t timeout_ms, Ref<Channel>* channel);

    // connection_pieces.cpp: nothing is read from the socket meanwhile, whoever waits. It ends with
    // the transport connection.
    void pause_reading();
    void continue_reading();

    template <class Start>
    ErrorRef wait(Start start, std::int64_t timeout_ms, Ref<Reply>* reply) {
        if (ErrorRef refused = may_wait()) return refused;
        const Ref<Waiter> waiter = Ref<Waiter>::adopt(new Waiter);
        const ReadOn read_on(*this);
        if (ErrorRef refused = start(Completion(waiter))) return refused;
        return accepted(await(*waiter, timeout_ms, reply));
    }
    // The same error, as that of a call that had been accepted.
    static ErrorRef accepted(const ErrorRef& failed);
    // While a thread waits for an answer the connection is read on, however full an inbox is: the
    // thread may be the one that would empty it (rule 82).
    class ReadOn {
      public:
        explicit ReadOn(Connection& connection);
        ~ReadOn() { connection_.waiting_threads_.fetch_sub(1); }
        ReadOn(const ReadOn&) = delete;
        ReadOn& operator=(const ReadOn&) = delete;

      private:
        Connection& connection_;
    };
    // Null, or why a blocking form must not be used here.
    ErrorRef may_wait() const;
    Duration timeout(std::int64_t timeout_ms) const {
        return milliseconds(timeout_ms < 0 ? options_.rpc_timeout_ms : timeout_ms);
    }

    // transport::Flushable
    bool flush() override;
    void add_ref() const override { Counted<Connection>::add_ref(); }
    void release() const override { Counted<Connection>::release(); }

  private:
    friend class Counted<Connection>;
    friend class Channel;
    friend class BodyWriter;
    ~Connection();

    struct Flush {
        std::uint64_t mark;  // in the outbox: done when what is before it has left
        bool after_drained;  // the mark is set once nothing waits for its turn
        Instant deadline;
        Completion completion;
    };
    struct Closing {
        Instant deadline;
        Completion completion;
    };
    struct Stop {
        enum class Phase : std::uint8_t { settling, publishing, closing };
        StopTimes times;
        Phase phase = Phase::settling;
        Instant deadline;  // of the phase
        protocol::Unfinished left{};
        std::vector<Completion> completions{};
    };
    // ---- for Channel: from any thread, unless it says otherwise

    // `what`: of ConnectionMachine::publish, behind the channel and before the number.
    template <class... What>
    Status publish(Channel& channel, std::uint64_t* sequence, const What&... what);
    template <class... What>
    Status publish_otherwise(Channel& channel, Status status, std::uint64_t* sequence,
                             const What&... what);
    // With the mutex held, as the next one: on the machine, or of nothing that is promised.
    template <class... What>
    Status publish_on(Channel& channel, std::uint64_t* sequence, const What&... what);
    // Also for a channel that keeps them.
    template <class... What>
    Status publish_now(Channel& channel, std::uint64_t* sequence, const What&... what);
    template <class Method>
    ErrorRef call(Channel& channel, const Method& method, protocol::Call call,
                  Completion completion, std::int64_t timeout_ms, OperationNote note);
    // `start` has the machine begin it, with the mutex held.
    template <class Start>
    ErrorRef start_call(Channel& channel, protocol::Call call, Completion completion,
                        std::int64_t timeout_ms, OperationNote note, Start start);
    template <class Method>
    Status settle(Channel& channel, const Method& method);
    // Why a delivery was not settled; with the mutex held.
    Status unsettled(const Channel& channel, Status status, std::uint64_t delivery_tag);
    // With the mutex held. Half of it leaves nothing that is told.
    Status open_on_machine(Channel& opened, const ChannelModes& modes, Operation& operation,
                           Instant deadline);
    ErrorRef close_channel(Channel& channel, Completion completion, std::int64_t timeout_ms);
    // Its handle is gone: it need not be brought back, unless it has consumers.
    void forget_waiting(Channel& channel);
    // Of the loop's thread: change(records), when the broker has agreed.
    template <class Change>
    void record(Change change) {
        insist([&] { change(topology_); });
        topology_size_.store(topology_.size(), std::memory_order_relaxed);
    }
    // With the mutex held: what a call does to the machine. When half of it finds no memory the
    // call is refused, and the connection ends, since the other half may be on its way.
    template <class Work>
    auto change(Work work) -> decltype(work()) {
        try {
            return work();
        } catch (const std::bad_alloc&) {
            condemn();
            throw;
        }
    }
    void condemn();
    ErrorRef await(Waiter& waiter, std::int64_t timeout_ms, Ref<Reply>* reply);
    ErrorRef failure(Status status, std::string message, Stage stage = Stage::none) const;
    ErrorRef closed_error(std::string_view what) const;  // with the mutex held

    // Notes under the mutex that the loop has something to do; then, without it, tells it.
    bool note_work(Instant deadline = Instant::never());
    void tell_loop() { loop_->transport().flush_soon(*this); }

    // ---- of the loop's thread

    // What finds no memory on its way ends the connection.
    template <class Work>
    void guarded(Work work) noexcept {
        try {
            work();
        } catch (const std::bad_alloc&) {
            out_of_memory();
        }
    }
    void out_of_memory() noexcept;
    void begin();
    void begin_opening();
    void connect();
    transport::SocketOptions socket_options() const;
    bool connect_to_next(const ErrorRef& error);
    const transport::Endpoint& endpoint() const {
        return endpoints_[endpoint_at_.load(std::memory_order_relaxed)];
    }
    std::string peer_name() const;
    void on_connected(int fd, const ErrorRef& error);
    void go_on(int fd, const ErrorRef& error);
    void on_ready(bool readable, bool writable);
    void secure();
    void begin_protocol();
    void read();
    void process();
    void flush_now();
    void on_time();
    bool stream_more() const { return stream_ != nullptr && stream_->more(); }
    void write();
    void write_failed(int error);
    void watch();
    void fail(const ErrorRef& error);
    void io_failed(const char* doing, int error);
    bool tls() const { return options_.tls != 0; }
    void on_timer();
    void arm_timer();
    void finish_flushes();
    void pause_reading(const Ref<Inbox>& full);
    void inbox_is_full(Channel& channel, const Consumer& consumer, Inbox::Fill fill);
    std::function<void()> hold_back(Channel& channel, const std::string& tag);
    void resume_held_back(Channel& channel, const std::string& tag);
    void resubscribe(Channel& channel, const Consumer& consumer, const ErrorRef& cause);
    void resume_reading();
    void dispatch();
    void dispatch_one(protocol::MachineEvent& event);
    void note_ends();
    void dispatch_delivery(protocol::MachineEvent& event);
    Inbox::Fill hand_over(const Then& then, Event& delivery);
    void dispatch_return(protocol::MachineEvent& event);
    void ask(AuthQuestion question, std::string_view mechanism, std::string_view challenge);
    ErrorRef take_question(std::uint64_t question, bool credentials);  // with the mutex held
    void dispatch_reply(protocol::MachineEvent& event);
    void dispatch_body(protocol::MachineEvent& event);
    void dispatch_piece(protocol::MachineEvent& event);
    void abandon_body(BodyWriter& writer);  // of any thread
    bool is_muted(const Channel& channel) const;
    void hold_reading();
    void dispatch_outcomes(protocol::MachineEvent& event);
    void wake_room_waiters();
    void dispatch_channel_end(protocol::MachineEvent& event);
    void dispatch_end(protocol::MachineEvent& event);
    Message* make_message(const protocol::MachineEvent& event);
    void dispatch_channel_lost(protocol::MachineEvent& event);
    void tell_state(State now, const ErrorRef& error);
    void tell_watches(State now, const ErrorRef& error);
    void tell_channel_state(Channel& channel, State now, const ErrorRef& error);
    void fail_waiters(const ErrorRef& cause);
    void tell(const Then& then, Event& event);
    Event event_for(EventType type, Channel* channel);
    void tear_down();
    void drop_transport();
    void log_last_frames();
    void log_opened() const;

    // ---- recovery: connection_recovery.cpp; what it brings back: connection_restoring.cpp, and
    // connection_lost_channels.cpp

    std::unique_ptr<protocol::ConnectionMachine> new_machine(
        protocol::ReturnedBodies* returned) const;
    StrategySettings strategy_settings() const;
    ConnectionStrategy::Choose host_chooser() const;
    bool will_recover(const ErrorRef& cause) const;  // with the mutex held
    void note_lost(bool goes_on);                    // likewise
    void begin_outage(const ErrorRef& cause);
    void stop_recoveries();
    void note_suspect(const ErrorRef& cause);
    void next_incarnation();
    void start_attempt();
    void transport_up();
    void give_up(const ErrorRef& error);
    void attempt_fails_soon(const ErrorRef& error);
    void tell_recovery(RecoveryStep step, const ErrorRef& error, std::uint64_t number = 0,
                       Duration delay = {});
    bool is_recoverys(protocol::Token owner) const;
    void dispatch_to_recovery(protocol::MachineEvent& event);
    protocol::Call make(Answer answer) override;
    void drop(protocol::Token call) override;
    void start_recovery(std::vector<Recovery::Plan> plans, bool topology);
    void leave_out(std::vector<Recovery::Plan>& plans, TopologyReplay* replay) const;
    void check_recoveries();
    class Unfinished;
    void finish_recovery(Recovery& recovery);
    void take_over(Recovery::Plan& plan, protocol::EventList& events);
    void restore_consumers(Channel& channel, protocol::ChannelRemains& remains);
    void on_consumer_restored(Channel& channel, const std::string& tag, const ErrorRef& error);
    void check_recovered();
    void tell_failures(const std::vector<TopologyReplay::Failure>& failures);
    void rename_queues(const std::vector<TopologyReplay::Renamed>& renamed);
    void recover_channel(Recovery::Plan plan, const ErrorRef& error);
    void end_channel(Recovery::Plan& plan, const ErrorRef& error);
    void end_kept(Channel& channel);
    [[gnu::cold, gnu::noinline]] void give_back();
    void tell_room_meanwhile(Channel& channel);
    void note_unanswered(Channel& channel, const std::string& tag, const ErrorRef& error);
    void tell_consumer_failure(Channel& channel, const protocol::ConsumerRemains& consumer,
                               const ErrorRef& error);
    void cancel_consumer(Channel& channel, protocol::ConsumerRemains& consumer,
                         const ErrorRef& error);
    bool drop_waiting(Channel& channel);
    bool has_waiting_consumers(const Channel& channel) const;

    // ---- stopping: connection_stopping.cpp

    void begin_stop(const StopTimes& times, Completion completion);
    void cancel_consumers();
    protocol::Unfinished unfinished() const;  // with the mutex held
    void advance_stop();
    void finish_stop(const ErrorRef& cause);

    // With what is known of the error, null for none.
    void log(LogLevel level, std::string_view subject, LogEvent event, std::string_view message,
             const ErrorRef& error, LogFields fields = {}) const {
        if (loop_->logs(level)) {
            loop_->log(level, id_, subject, event, message, fields.error(error));
        }
    }
    bool traces() const { return loop_->logs(LogLevel::trace); }
    protocol::ConnectionParameters machine_parameters() const;

    const Ref<EventLoop> loop_;
    const Options options_;
    const std::vector<transport::Endpoint> endpoints_;  // at least one
    std::atomic<std::size_t> endpoint_at_{0};           // the one that is tried, or used
    const std::uint32_t id_;
    std::unique_ptr<const TraceHook> trace_hook_;  // the same from open() on
    HandleCount handles_;
    std::atomic<State> state_{State::fresh};
    std::atomic<bool> muted_{false};
    std::atomic<std::uint64_t> bytes_received_{0};
    std::atomic<std::uint64_t> reads_{0};
    std::atomic<std::uint64_t> writes_{0};
    std::atomic<int> local_port_{0};
    StageTimes stages_;  // of the opening that is under way, or was last
    std::atomic<std::uint64_t> recoveries_done_{0};
    std::atomic<std::uint64_t> stale_acks_{0};
    std::atomic<std::size_t> topology_size_{0};
    std::atomic<bool> paused_{false};  // an inbox has enough
    std::atomic<int> waiting_threads_{0};

    mutable BusyMutex mutex_;
    // ---- guarded by mutex_
    protocol::ReturnedBodies returned_;                     // by the machines, and what is kept
    std::unique_ptr<protocol::ConnectionMachine> machine_;  // never null
    ErrorRef outage_error_;          // why it is being recovered, and why the last attempt failed
    std::uint64_t sent_before_ = 0;  // by the machines before this one
    protocol::Counters counted_before_;
    protocol::OutcomeCounts outcomes_;
    Statistics::Links links_;
    bool asks_ = false;  // by AUTH events for the credentials
    bool flush_scheduled_ = false;
    bool condemned_ = false;  // a call has found no memory half way
    Instant timer_due_ =
        Instant::never();  // when the loop's timer has to be set for, at the latest
    Completion opening_;
    Instant open_deadline_ = Instant::never();
    std::uint64_t questions_ = 0;          // asked so far; the last one's number
    AuthQuestion question_{};              // what it is about
    bool question_open_ = false;           // it was not answered yet
    Instant renew_at_ = Instant::never();  // the credentials, before they expire
    int given_fd_ = -1;
    Ref<const transport::TlsContext> tls_context_;
    std::vector<transport::StreamFact> peer_facts_;
    std::vector<Closing> closings_;
    std::vector<Flush> flushes_;
    std::vector<Ref<Waiter>> room_waiters_;  // of publish_wait
    bool publishes_stopped_ = false;         // by stop()
    ErrorRef last_error_;
    std::vector<std::pair<const void*, StateWatch>> watches_;

    // ---- of the loop's thread
    Then events_;
    Then auth_;
    std::unique_ptr<transport::Connector> connector_;
    Instant endpoint_deadline_ = Instant::never();  // for the next one to have its time
    std::string unreachable_;                       // the endpoints that were tried, and why not
    std::unique_ptr<transport::Stream> stream_;
    std::unique_ptr<transport::Timer> timer_;
    bool securing_ = false;  // the TLS handshake is under way
    FrameTracer tracer_;
    Ref<MessagePool> messages_;
    ReadBuffer input_;
    bool held_ = false;                // by pause_reading()
    std::vector<Ref<Inbox>> pausers_;  // inboxes that will say when they are half empty
    bool socket_full_ = false;
    bool ended_ = false;  // connection_closed was dispatched
    bool torn_down_ = false;
    State state_before_end_ = State::closed;
    bool called_back_ = false;    // user code ran since it was last reset
    std::unique_ptr<Stop> stop_;  // while it is stopped
    ErrorRef hard_close_;         // what a graceful close that took too long is answered with
    // The loop's, empty whenever another connection has its turn.
    protocol::EventList& machine_events_;
    InboxFiller& filler_;
    std::vector<Ref<Inbox>> full_inboxes_;

    // ---- of recovery, of the loop's thread
    TopologyRecords topology_;
    std::optional<ConnectionStrategy> strategy_;  // where it recovers
    bool by_given_fd_ = false;                    // and so cannot be connected again
    std::uint64_t generation_ = 0;                // of the machine
    bool in_attempt_ = false;
    bool attempt_failed_ = false;                 // its end is on its way
    Instant attempt_at_ = Instant::never();       // the next one
    std::vector<protocol::ChannelRemains> lost_;  // whose channel_lost was not dispatched yet
    std::vector<Recovery::Plan> waiting_;         // channels without a connection
    std::vector<std::unique_ptr<Recovery>> recoveries_;  // at work
    std::size_t restoring_ = 0;                          // consumers whose consume-ok has not come
    bool recovered_is_due_ = false;
    bool careful_ = false;  // the broker has ended a connection over its topology, or not answered
    std::uint32_t topology_unanswered_ = 0;        // in how many attempts
    std::vector<TopologyReplay::Failure> spared_;  // over which of it
};

}  // namespace haigha::client
