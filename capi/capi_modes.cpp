// Publisher confirms and transactions: confirm.select, tx.select, commit, rollback.
#include <utility>

#include "boundary.h"
#include "channel_calls.h"
#include "handles.h"

using haigha::capi::Arguments;
using haigha::capi::calls;
using haigha::protocol::CallKind;

namespace {

auto confirm_select() {
    return [](Arguments&) {
        return
            [](haigha::client::Channel& channel, haigha::client::Completion done,
               int64_t timeout_ms) { return channel.confirm_select(std::move(done), timeout_ms); };
    };
}

template <class Method>
auto plain(CallKind kind = CallKind::plain) {
    return [kind](Arguments&) { return calls(Method{}, kind); };
}

}  // namespace

haigha_status haigha_confirm_select(haigha_channel* channel, const haigha_then* then,
                                    haigha_error** error) {
    return haigha::capi::run(channel, then, error, confirm_select());
}
haigha_status haigha_confirm_select_wait(haigha_channel* channel, int64_t timeout_ms,
                                         haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error, confirm_select());
}

haigha_status haigha_tx_select(haigha_channel* channel, const haigha_then* then,
                               haigha_error** error) {
    return haigha::capi::run(channel, then, error,
                             plain<haigha::wire::tx::Select>(CallKind::tx_select));
}
haigha_status haigha_tx_select_wait(haigha_channel* channel, int64_t timeout_ms,
                                    haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  plain<haigha::wire::tx::Select>(CallKind::tx_select));
}

haigha_status haigha_tx_commit(haigha_channel* channel, const haigha_then* then,
                               haigha_error** error) {
    return haigha::capi::run(channel, then, error, plain<haigha::wire::tx::Commit>());
}
haigha_status haigha_tx_commit_wait(haigha_channel* channel, int64_t timeout_ms,
                                    haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  plain<haigha::wire::tx::Commit>());
}

haigha_status haigha_tx_rollback(haigha_channel* channel, const haigha_then* then,
                                 haigha_error** error) {
    return haigha::capi::run(channel, then, error, plain<haigha::wire::tx::Rollback>());
}
haigha_status haigha_tx_rollback_wait(haigha_channel* channel, int64_t timeout_ms,
                                      haigha_reply** reply, haigha_error** error) {
    return haigha::capi::run_wait(channel, timeout_ms, reply, error,
                                  plain<haigha::wire::tx::Rollback>());
}
