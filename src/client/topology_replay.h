// Declares a connection's recorded topology again, on a connection that has just been opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "client/option_table.h"
#include "client/topology_records.h"
#include "protocol/connection_machine.h"

namespace haigha::client {

// Calls of the library's own, whose answers go to functions. What such a function does is done with
// the machine at hand, as what made the call was.
class OwnCalls {
  public:
    // `queue`: the name in a queue.declare-ok.
    using Answer = std::function<void(const ErrorRef& error, std::string_view queue)>;
    // `say` gives a call to the machine, and returns what that says, or throws: then there is no
    // answer.
    template <class Say>
    Status ask(Answer answer, Say say) {
        protocol::Call call = make(std::move(answer));
        struct Untaken {
            OwnCalls& calls;
            protocol::Token token;
            ~Untaken() {
                if (token != nullptr) calls.drop(token);
            }
        } untaken{*this, call.token};
        const Status status = say(std::move(call));
        if (status == Status::ok) untaken.token = nullptr;
        return status;
    }

  protected:
    ~OwnCalls() = default;

  private:
    virtual protocol::Call make(Answer answer) = 0;
    // The machine did not take it.
    virtual void drop(protocol::Token call) = 0;
};

// Without I/O: it has a machine say methods and is told what became of them. As long as nothing is
// refused everything is said at once, unanswered, on a channel of its own, and its closing tells
// that all was taken: the number of round trips does not depend on the number of entities. A broker
// that refuses something closes that channel without saying what it was; then each entity is asked
// for by itself, and has an outcome of its own (rule 54). Queues whose names the broker chooses
// need its answers, a few at a time, before they can be bound (rule 45).
class TopologyReplay {
  public:
    // How many queues are asked for at once that the broker has to name.
    static constexpr std::size_t lanes = 16;
    // A queue that the broker is still deleting may be gone again when it is bound (rule 55).
    static constexpr int retries = 2;
    // An exclusive queue is locked until the broker has noticed that the connection before is gone,
    // and has cleared up after it: it is asked for behind the others, so often.
    static constexpr int locked_retries = 300;

    enum class Kind : std::uint8_t { exchange, queue, binding };
    struct Failure {
        Kind kind;
        std::string name;         // of the exchange or the queue; a binding's destination
        std::string source;       // of a binding
        std::string routing_key;  // of a binding
        ErrorRef error;
    };
    struct Renamed {
        std::string from;
        std::string to;
    };

    // `owner`: of the channels that it opens.
    TopologyReplay(TopologyRecords& records, protocol::ConnectionMachine& machine,
                   protocol::Token owner, OwnCalls& calls);
    ~TopologyReplay();
    TopologyReplay(const TopologyReplay&) = delete;
    TopologyReplay& operator=(const TopologyReplay&) = delete;

    // What an earlier replay was ended over, with its connection: not said again, and told as a
    // failure. And since it is not known what it is the first time: everything one by one.
    void be_careful(std::vector<Failure> spared) {
        careful_ = true;
        failures_ = spared_ = std::move(spared);
    }
    // What the program does not want back, and what goes with it: neither said nor told.
    void leave_out(const std::function<bool(const RecoveryEntity& entity)>& wanted);
    // What a careful one has asked for last, if it is not answered yet.
    std::optional<Failure> in_hand() const;

    // fresh: the connection is a new one, on which exclusive queues are gone. Not ok: no channel
    // could be opened.
    Status start(bool fresh);
    // A channel of its own has ended; null: as asked.
    void on_channel_end(std::uint16_t number, const ErrorRef& error);

    bool done() const { return started_ && open_channels_ == 0; }
    bool leaves_out_queue(std::string_view name) const { return queues_out_.contains(name); }
    std::vector<Failure> take_failures() { return std::exchange(failures_, {}); }
    std::vector<Renamed> take_renamed() { return std::exchange(renamed_, {}); }

  private:
    // Something to be declared, by the keys of its record.
    struct Step {
        enum class Way : std::uint8_t { declare, probe, rename } way = Way::declare;
        Kind kind = Kind::exchange;
        std::string name{};
        BindingRecord binding{};
        int tries = 0;
        int locked = 0;  // how often it was
    };
    // Steps one after the other, each answered, on a channel that is replaced when one is refused.
    struct Lane {
        std::vector<Step> steps;
        std::size_t at = 0;
        std::uint16_t channel = 0;
        bool closing = false;
    };

    Status open(std::uint16_t* number);
    void close(std::uint16_t number);
    Status begin_flight();
    void end_flight();
    void say(const Step& step);
    Status begin_lane(std::vector<Step> steps);
    void ask(Lane& lane);
    void on_answer(Lane& lane, const ErrorRef& error, std::string_view queue);
    void refused(Lane& lane, const ErrorRef& error);
    void lane_over();
    void begin_one_by_one(const ErrorRef& error);
    // Everything but the queues of which lanes take care.
    std::vector<Step> steps() const;
    bool is_renamed_later(std::string_view queue) const;
    bool is_spared(const Step& step) const;
    bool is_of_exclusive_queue(const Step& step) const;
    static Failure failure_of(const Step& step, const ErrorRef& error);
    template <class Run>
    Status with_method(const Step& step, bool no_wait, Run run);
    template <class Method>
    Status call(std::uint16_t channel, const Method& method, OwnCalls::Answer answer);

    TopologyRecords& records_;
    protocol::ConnectionMachine& machine_;
    const protocol::Token owner_;
    OwnCalls& calls_;
    bool started_ = false;
    bool careful_ = false;
    std::vector<Failure> spared_;
    std::set<std::string, std::less<>> exchanges_out_;
    std::set<std::string, std::less<>> queues_out_;
    std::set<BindingRecord> bindings_out_;
    Lane* one_by_one_ = nullptr;
    std::size_t open_channels_ = 0;
    std::uint16_t flight_ = 0;  // the channel on which everything is said at once
    bool flight_closing_ = false;
    std::size_t naming_lanes_ = 0;  // that are not over yet
    std::vector<std::unique_ptr<Lane>> lanes_;
    std::vector<Failure> failures_;
    std::vector<Renamed> renamed_;
};

}  // namespace haigha::client
