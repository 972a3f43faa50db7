// The part of Connection about bodies in pieces: their writers, the consumers that take them, and
// reading that is held back for one.
#include <utility>

#include "base/insist.h"
#include "client/body_writer.h"
#include "client/channel.h"
#include "client/connection.h"
#include "client/piece_event.h"

namespace haigha::client {

using protocol::EventKind;
using protocol::MachineEvent;
using transport::Loop;

bool Connection::is_muted(const Channel& channel) const {
    return muted_.load(std::memory_order_acquire) || channel.muted_.load(std::memory_order_acquire);
}

void Connection::dispatch_body(MachineEvent& event) {
    auto* const writer = static_cast<BodyWriter*>(event.subject);
    if (event.kind == EventKind::body_room) {
        writer->has_room();
        return;
    }
    const Ref<BodyWriter> last = Ref<BodyWriter>::adopt(writer);
    writer->end(event.error);
}

void Connection::abandon_body(BodyWriter& writer) {
    insist([&] {
        loop_->transport().post([self = Ref<Connection>(this), kept = Ref<BodyWriter>(&writer)] {
            self->guarded([&] {
                protocol::ReturnedBodies returned;
                {
                    const std::lock_guard lock(self->mutex_);
                    Channel& channel = kept->channel();
                    self->machine_->abandon_body({channel.number_, &channel}, kept.get(),
                                                 self->machine_events_);
                    returned = self->machine_->take_returned();
                    self->note_ends();
                    (void)self->note_work();
                }
                if (!self->machine_events_.empty()) self->dispatch();
                self->tell_loop();
            });
        });
    });
}

void Connection::dispatch_piece(MachineEvent& event) {
    const auto* const consumer = static_cast<const Consumer*>(event.subject);
    PieceEvent told;
    static_cast<Event&>(told) = event_for(EventType::piece, static_cast<Channel*>(event.owner));
    told.number = event.number;
    told.consumer_tag = Str(consumer->tag);
    told.error = event.error.get();
    Message* message = nullptr;
    if (event.kind == EventKind::delivery_begin) {
        message = make_message(event);
        told.message = message;
        told.flags = message->flags();
        told.body_size = event.body_size;
    } else {
        told.kind = event.kind == EventKind::delivery_piece ? PieceKind::octets
                    : event.kind == EventKind::delivery_end ? PieceKind::end
                                                            : PieceKind::aborted;
        told.offset = event.body_size;
        told.body =
            std::string_view(reinterpret_cast<const char*>(event.body.data()), event.body.size());
    }
    if (!muted_.load(std::memory_order_acquire)) (void)consumer->then.deliver(told);
    if (message != nullptr) messages_->settle(message, event.slab.get());
}

// ---- reading, held back by the program

void Connection::pause_reading() {
    if (loop_->transport().on_thread()) {
        hold_reading();
        return;
    }
    loop_->transport().post([self = Ref<Connection>(this)] { self->hold_reading(); });
}

// Also where it is called on the loop's thread: what was read is told from there.
void Connection::continue_reading() {
    loop_->transport().post([self = Ref<Connection>(this)] {
        if (!std::exchange(self->held_, false)) return;
        if (self->pausers_.empty()) self->resume_reading();
    });
}

void Connection::hold_reading() {
    if (held_ || ended_ || stream_ == nullptr) return;
    held_ = true;
    if (paused_.exchange(true)) return;
    {
        const std::lock_guard lock(mutex_);
        machine_->set_reading(false, loop_time());
    }
    watch();
}

}  // namespace haigha::client
