// The library's handles as unique_ptrs, and its strings as string_views.
#pragma once

#include <haigha/haigha.h>

#include <memory>
#include <string_view>

namespace tool {

template <auto release>
struct Releaser {
    template <class Handle>
    void operator()(Handle* handle) const noexcept {
        release(handle);
    }
};

using LoopHandle = std::unique_ptr<haigha_loop, Releaser<haigha_loop_unref>>;
using OptionsHandle = std::unique_ptr<haigha_options, Releaser<haigha_options_free>>;
using ConnectionHandle = std::unique_ptr<haigha_connection, Releaser<haigha_connection_unref>>;
using ChannelHandle = std::unique_ptr<haigha_channel, Releaser<haigha_channel_unref>>;
using InboxHandle = std::unique_ptr<haigha_inbox, Releaser<haigha_inbox_unref>>;
using MessageHandle = std::unique_ptr<haigha_message, Releaser<haigha_message_unref>>;
using ReplyHandle = std::unique_ptr<haigha_reply, Releaser<haigha_reply_unref>>;
using TableHandle = std::unique_ptr<haigha_table, Releaser<haigha_table_free>>;

// Lets a call write its new handle through a `handle**`: f(out(handle)).
template <class Owner>
class Out {
  public:
    explicit Out(Owner& owner) noexcept : owner_(owner) {}
    ~Out() {
        if (handle_ != nullptr) owner_.reset(handle_);
    }
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

inline haigha_str to_str(std::string_view text) noexcept {
    return {text.data(), text.size()};
}

inline std::string_view to_view(haigha_str text) noexcept {
    return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

}  // namespace tool
