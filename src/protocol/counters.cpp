#include "protocol/counters.h"

namespace haigha::protocol {

Counters& Counters::operator+=(const Counters& other) {
    frames_written += other.frames_written;
    frames_read += other.frames_read;
    heartbeats_written += other.heartbeats_written;
    heartbeats_read += other.heartbeats_read;
    publishes += other.publishes;
    numbered += other.numbered;
    republishes += other.republishes;
    refused_publishes += other.refused_publishes;
    returns += other.returns;
    deliveries += other.deliveries;
    gets += other.gets;
    redeliveries += other.redeliveries;
    acks += other.acks;
    nacks += other.nacks;
    rejects += other.rejects;
    channels_opened += other.channels_opened;
    channels_lost += other.channels_lost;
    blocked_times += other.blocked_times;
    blocked_ns += other.blocked_ns;
    round_trips += other.round_trips;
    return *this;
}

}  // namespace haigha::protocol
