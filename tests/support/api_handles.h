// The public handles as unique_ptrs, strings as string_views, and an error that prints itself.
#pragma once

#include <haigha/haigha.h>
#include <haigha/pool.h>
#include <haigha/retry.h>
#include <haigha/rpc.h>
#include <haigha/streams.h>
#include <haigha/topology.h>
#include <haigha/workers.h>

#include <memory>
#include <ostream>
#include <string>
#include <string_view>

namespace haigha::test {

template <auto drop>
struct Drop {
    template <class Handle>
    void operator()(Handle* handle) const noexcept {
        drop(handle);
    }
};

using LoopHandle = std::unique_ptr<haigha_loop, Drop<haigha_loop_unref>>;
using OptionsHandle = std::unique_ptr<haigha_options, Drop<haigha_options_free>>;
using ConnectionHandle = std::unique_ptr<haigha_connection, Drop<haigha_connection_unref>>;
using ChannelHandle = std::unique_ptr<haigha_channel, Drop<haigha_channel_unref>>;
using InboxHandle = std::unique_ptr<haigha_inbox, Drop<haigha_inbox_unref>>;
using MessageHandle = std::unique_ptr<haigha_message, Drop<haigha_message_unref>>;
using PublisherHandle = std::unique_ptr<haigha_publisher, Drop<haigha_publisher_unref>>;
using PoolHandle = std::unique_ptr<haigha_pool, Drop<haigha_pool_unref>>;
using RpcClientHandle = std::unique_ptr<haigha_rpc_client, Drop<haigha_rpc_client_unref>>;
using RetryHandle = std::unique_ptr<haigha_retry, Drop<haigha_retry_unref>>;
using StreamReaderHandle = std::unique_ptr<haigha_stream_reader, Drop<haigha_stream_reader_unref>>;
using TopologyHandle = std::unique_ptr<haigha_topology, Drop<haigha_topology_free>>;
using ReportHandle = std::unique_ptr<haigha_topology_report, Drop<haigha_topology_report_free>>;
using WorkersHandle = std::unique_ptr<haigha_workers, Drop<haigha_workers_unref>>;
using ReplyHandle = std::unique_ptr<haigha_reply, Drop<haigha_reply_unref>>;
using TableHandle = std::unique_ptr<haigha_table, Drop<haigha_table_free>>;
using ErrorHandle = std::unique_ptr<haigha_error, Drop<haigha_error_free>>;

// Lets a call write its new handle through a `handle**`: f(out(handle)).
template <class Owner>
class Out {
  public:
    explicit Out(Owner& owner) noexcept : owner_(owner) {}
    ~Out() { owner_.reset(handle_); }
    Out(const Out&) = delete;
    Out& operator=(const Out&) = delete;

    operator typename Owner::pointer *() noexcept { return &handle_; }

  private:
    Owner& owner_;
    typename Owner::pointer handle_ = nullptr;
};

template <class Owner>
Out<Owner> out(Owner& owner) noexcept {
    return Out<Owner>(owner);
}

inline haigha_str str(std::string_view text) noexcept {
    return {text.data(), text.size()};
}
inline std::string_view view(haigha_str text) noexcept {
    return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

// The last argument of a call: `ASSERT_EQ(HAIGHA_OK, haigha_x(..., error)) << error`.
class Err {
  public:
    Err() = default;
    ~Err() { haigha_error_free(raw_); }
    Err(const Err&) = delete;
    Err& operator=(const Err&) = delete;

    operator haigha_error**() noexcept {
        (void)get();  // one that nobody has looked at
        error_.reset();
        return &raw_;
    }
    const haigha_error* get() const noexcept {
        if (raw_ != nullptr) {
            error_.reset(raw_);
            raw_ = nullptr;
        }
        return error_.get();
    }
    haigha_status status() const { return haigha_error_status(get()); }
    std::string message() const { return haigha_error_message(get()); }
    int code() const { return haigha_error_reply_code(get()); }
    std::string text() const { return std::string(view(haigha_error_reply_text(get()))); }
    std::string method() const { return haigha_error_method_name(get()); }
    std::string stage() const { return haigha_error_stage_name(get()); }

  private:
    mutable haigha_error* raw_ = nullptr;
    mutable ErrorHandle error_;
};

inline std::ostream& operator<<(std::ostream& stream, const Err& error) {
    return stream << haigha_status_name(error.status()) << ": " << error.message();
}

}  // namespace haigha::test
