// What the targets share that call the C API as a program would: the handles that they call it on,
// the arguments of their calls, and what must hold after each.
#pragma once

#include <haigha/haigha.h>
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "client/channel.h"
#include "fuzz_target.h"
#include "handles.h"
#include "support/api_handles.h"

namespace haigha::fuzz {

inline constexpr std::size_t max_struct_size = 4096;

// A loop that is attached and run between inputs, and so needs no thread; a connection on it that
// is not opened; and a channel, which no public function gives on such a connection. Whatever waits
// is refused, as on any loop's thread.
class Environment {
  public:
    // prepare(loop): before it has a connection.
    template <class Prepare>
    explicit Environment(Prepare prepare) {
        using test::out;
        require(uv_loop_init(&uv_) == 0, "a libuv loop is made");
        require(haigha_loop_attach(&uv_, out(loop_), nullptr) == HAIGHA_OK, "a loop is attached");
        prepare(loop_.get());
        require(haigha_connection_new(loop_.get(), nullptr, nullptr, out(connection_), nullptr) ==
                    HAIGHA_OK,
                "a connection is made");
        auto made = Ref<client::Channel>::adopt(
            new client::Channel(Ref<client::Connection>(capi::core(connection_.get())),
                                client::Then(), client::ChannelModes()));
        channel_.reset(reinterpret_cast<haigha_channel*>(made.leak()));
    }
    Environment() : Environment([](haigha_loop*) {}) {}
    // Runs the loop until nothing lives on it.
    ~Environment() {
        drop_channel();
        drop_connection();
        drop_loop();
        uv_run(&uv_, UV_RUN_DEFAULT);
        require(uv_loop_close(&uv_) == 0, "a loop that is left has nothing on it");
    }
    Environment(const Environment&) = delete;
    Environment& operator=(const Environment&) = delete;

    // Null once dropped.
    haigha_loop* loop() const { return loop_.get(); }
    haigha_connection* connection() const { return connection_.get(); }
    haigha_channel* channel() const { return channel_.get(); }
    void drop_loop() { loop_.reset(); }
    void drop_connection() { connection_.reset(); }
    void drop_channel() { channel_.reset(); }
    void turn() { uv_run(&uv_, UV_RUN_NOWAIT); }

  private:
    uv_loop_t uv_{};
    test::LoopHandle loop_;
    test::ConnectionHandle connection_;
    test::ChannelHandle channel_;
};

// What a call may be given besides its arguments, and what must not happen to it when it is
// refused. Any thread may tell it.
class Callback {
  public:
    haigha_then then(Input& input) {
        return {input.flag() ? &told : nullptr, this, &released, nullptr, input.u8()};
    }
    // For whoever has a callback of another type.
    void tell() {
        require(released_ == 0, "nothing is told after the release hook");
        ++told_;
    }
    static void released(void* self) { ++static_cast<Callback*>(self)->released_; }

    // For the call that came last.
    void require_untouched() const {
        require(told_ == 0 && released_ == 0, "a refused call takes nothing");
    }
    void accept() { accepted_ = true; }
    // For when everything is gone that could call it.
    void require_released() const {
        if (!accepted_) return require_untouched();
        require(released_ == 1, "a release hook runs once");
    }
    int released_times() const { return released_; }

  private:
    static void told(const haigha_event*, void* self) { static_cast<Callback*>(self)->tell(); }

    std::atomic<int> told_ = 0;
    std::atomic<int> released_ = 0;
    bool accepted_ = false;
};

// Makes the arguments of calls, and holds each call to what the headers say of statuses and errors.
class ArgumentCaller {
  protected:
    ArgumentCaller(Input input, Environment& environment)
        : input_(input), environment_(environment) {}
    ~ArgumentCaller() = default;
    ArgumentCaller(const ArgumentCaller&) = delete;
    ArgumentCaller& operator=(const ArgumentCaller&) = delete;

    // ---- arguments

    // A string in memory of its own; a size without data; or nothing.
    haigha_str text() {
        const unsigned how = input_.u8();
        if (how < 4) return {nullptr, how};
        // Around the limit of names and of what one octet can say.
        return text_of(how < 0xF0 ? how / 8 : 248 + how % 16);
    }
    // As much as that, or less at the input's end, filled up.
    haigha_str text_of(std::size_t size) {
        const Bytes given = input_.bytes(size);
        std::vector<char>& kept = strings_.emplace_back(size, 'x');
        if (!given.empty()) std::memcpy(kept.data(), given.data(), given.size());
        return {kept.data(), kept.size()};
    }
    haigha_channel* channel() { return input_.u8() == 0xFF ? nullptr : environment_.channel(); }
    haigha_connection* connection() {
        return input_.u8() == 0xFF ? nullptr : environment_.connection();
    }
    std::int64_t timeout() { return static_cast<std::int8_t>(input_.u8()); }
    const haigha_then* then() {
        if (!input_.flag()) return nullptr;
        then_ = offer().then(input_);
        return &then_;
    }
    // What the next call is given: its own, once that is accepted.
    Callback& offer() {
        Callback& callback = callbacks_.emplace_back();
        offered_.push_back(&callback);
        return callback;
    }

    // The struct in memory of as many bytes as its size says, where that is believed: what lies
    // behind it must not be read. Its own members are as the caller set them, but for flags.
    // first_size: of its first release, where it has grown.
    template <class Struct>
    const Struct* sized(const Struct& today, std::size_t first_size = sizeof(Struct)) {
        std::size_t size = sizeof(Struct);
        switch (input_.below(8)) {
            case 0:
                return nullptr;
            case 1:
                size = input_.u16();
                break;
            case 2:
                size = static_cast<std::size_t>(input_.u64());
                break;
            case 3:
                size = sizeof(Struct) + input_.u8();
                break;
            default:
                break;
        }
        const std::size_t kept = size > max_struct_size ? sizeof(Struct) : size;
        std::vector<unsigned char>& memory = structs_.emplace_back(std::max(kept, sizeof size));
        unsigned char* const bytes = memory.data();
        std::memcpy(bytes, &today, std::min(kept, sizeof(Struct)));
        std::memcpy(bytes, &size, sizeof size);
        bool tail = false;
        for (std::size_t i = sizeof(Struct); i < kept && input_.flag(); ++i)
            tail |= (bytes[i] = input_.u8()) != 0;
        if (size < first_size || size > max_struct_size || tail) unreadable_ = true;
        return reinterpret_cast<const Struct*>(bytes);
    }
    template <std::size_t size>
    void fill(std::uint8_t (&reserved)[size]) {
        for (std::uint8_t& octet : reserved)
            octet = input_.u8();
    }

    // ---- what must hold after a call

    haigha_error** error() {
        error_ = nullptr;
        return input_.flag() ? &error_ : nullptr;
    }
    // `allowed`: the statuses besides ARGUMENT and STRUCT_VERSION.
    void check(haigha_status status, std::initializer_list<haigha_status> allowed) {
        bool documented = status == HAIGHA_ERR_ARGUMENT || status == HAIGHA_ERR_STRUCT_VERSION;
        for (const haigha_status one : allowed)
            documented |= one == status;
        require(documented, "a call gives a status that is documented");
        require(
            !unreadable_ || status == HAIGHA_ERR_STRUCT_VERSION || status == HAIGHA_ERR_ARGUMENT,
            "a struct that cannot be read is refused");
        unreadable_ = false;
        for (Callback* const callback : std::exchange(offered_, {})) {
            if (status == HAIGHA_OK) {
                callback->accept();
            } else {
                callback->require_untouched();
            }
        }
        if (error_ == nullptr) return;
        require(status != HAIGHA_OK, "a call that succeeds gives no error");
        require(haigha_error_status(error_) == status, "an error has the status of its call");
        require(std::strlen(haigha_error_message(error_)) > 0, "an error says what is wrong");
        require(haigha_status_name(status) != nullptr, "a status has a name");
        haigha_error* const copy = haigha_error_copy(error_);
        haigha_error_free(std::exchange(error_, nullptr));
        (void)test::view(haigha_error_reply_text(copy));
        (void)test::view(haigha_error_host(copy));
        require(std::strlen(haigha_error_stage_name(copy)) < 16, "a stage has a name");
        haigha_error_free(copy);
    }
    // Of an operation on a channel that is not open: it ends with its arguments.
    void refused(haigha_status status) { check(status, {HAIGHA_ERR_CLOSED}); }
    void refused_wait(haigha_status status) {
        check(status, {HAIGHA_ERR_CLOSED, HAIGHA_ERR_WRONG_THREAD});
        require(reply_ == nullptr, "a call that fails gives no reply");
    }

    template <class Struct, class Start, class Wait>
    void operation(const Struct& args, Start start, Wait wait) {
        const Struct* const given = sized(args);
        if (input_.flag()) {
            const haigha_then* const answer = then();
            refused(start(channel(), given, answer, error()));
        } else {
            const std::int64_t timeout_ms = timeout();
            refused_wait(wait(channel(), given, timeout_ms, &reply_, error()));
        }
    }

    Input input_;
    Environment& environment_;
    // What was passed in stays where it is until the end, so that a late read shows.
    std::deque<std::vector<char>> strings_;
    std::deque<std::vector<unsigned char>> structs_;
    std::deque<Callback> callbacks_;
    std::vector<Callback*> offered_;  // of the call that is being made
    haigha_then then_{};
    haigha_reply* reply_ = nullptr;
    haigha_error* error_ = nullptr;
    bool unreadable_ = false;  // the struct of the call that is being made
};

}  // namespace haigha::fuzz
