// Gathers every AMQP method that libhaigha knows, each declared once as an aggregate.
//
// Each declaration gives: the fields in wire order, `id`, `name`, `synchronous` (a reply is
// expected, unless a field no_wait is set), `has_content` (a content header and body follow),
// `replies`, and `fields`, the member pointers from which encoding, decoding, sizes and the
// tracer's text follow. Where `secret` is given, the tracer hides the field of that name. Strings
// and tables are views: a decoded method is valid while the octets it was decoded from are.
#pragma once

#include "wire/methods_basic.h"
#include "wire/methods_channel.h"
#include "wire/methods_connection.h"
#include "wire/methods_exchange.h"
#include "wire/methods_modes.h"
#include "wire/methods_queue.h"

namespace haigha::wire {

template <class... Methods>
struct MethodList {
    static constexpr std::size_t size = sizeof...(Methods);
};

// In the order of their ids; the method table and the tests are built from this list.
using AllMethods = MethodList<
    connection::Start, connection::StartOk, connection::Secure, connection::SecureOk,
    connection::Tune, connection::TuneOk, connection::Open, connection::OpenOk, connection::Close,
    connection::CloseOk, connection::Blocked, connection::Unblocked, connection::UpdateSecret,
    connection::UpdateSecretOk, channel::Open, channel::OpenOk, channel::Flow, channel::FlowOk,
    channel::Close, channel::CloseOk, access::Request, access::RequestOk, exchange::Declare,
    exchange::DeclareOk, exchange::Delete, exchange::DeleteOk, exchange::Bind, exchange::BindOk,
    exchange::Unbind, exchange::UnbindOk, queue::Declare, queue::DeclareOk, queue::Bind,
    queue::BindOk, queue::Purge, queue::PurgeOk, queue::Delete, queue::DeleteOk, queue::Unbind,
    queue::UnbindOk, basic::Qos, basic::QosOk, basic::Consume, basic::ConsumeOk, basic::Cancel,
    basic::CancelOk, basic::Publish, basic::Return, basic::Deliver, basic::Get, basic::GetOk,
    basic::GetEmpty, basic::Ack, basic::Reject, basic::RecoverAsync, basic::Recover,
    basic::RecoverOk, basic::Nack, confirm::Select, confirm::SelectOk, tx::Select, tx::SelectOk,
    tx::Commit, tx::CommitOk, tx::Rollback, tx::RollbackOk>;

}  // namespace haigha::wire
