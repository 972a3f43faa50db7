package haigha

// #include "bridge_channel.h"
// #include "bridge_message.h"
import "C"

import "unsafe"

// Delivery is a message that was received. All of it is Go's, and may be kept. A body of at most 2 KiB may
// share memory with those that came together with it, 16 KiB at most, which is kept with any of them:
// of what is kept for long keep a copy.
type Delivery struct {
	Body        []byte
	Exchange    string
	RoutingKey  string
	ConsumerTag string // empty: of Get
	Tag         uint64 // the channel's number for it
	Redelivered bool   // it was delivered before, perhaps to somebody else
	// Of Get: how many are left in the queue.
	MessagesLeft int
	properties   *Properties
	block        *block // of its body, if that can be used again
	channel      *Channel
}

// Properties of the message.
func (d *Delivery) Properties() Properties {
	if d.properties == nil {
		return Properties{}
	}
	return *d.properties
}

// Headers of the message; nil when it has none. ErrMalformed: they cannot be decoded.
func (d *Delivery) Headers() (Table, error) {
	if d.properties == nil {
		return nil, nil
	}
	return d.properties.Headers, d.properties.Err
}

func (d *Delivery) settle(how C.int32_t, flags C.uint32_t) error {
	return d.channel.settle(d.Tag, how, flags)
}

func (s *Channel) settle(tag uint64, how C.int32_t, flags C.uint32_t) error {
	if s == nil || !s.guard.enter() {
		return closedError("the channel")
	}
	defer s.guard.leave()
	return failure(C.hg_settle(s.handle, how, C.uint64_t(tag), flags))
}

// AckAll is Ack of all that was delivered on the channel and is not settled.
func (s *Channel) AckAll() error { return s.settle(0, C.HG_ACK, C.HAIGHA_MULTIPLE) }

// NackAll is Nack of all that was delivered on the channel and is not settled: to be given to a consumer
// again, or else dropped or dead-lettered.
func (s *Channel) NackAll(requeue bool) error {
	return s.settle(0, C.HG_NACK, C.HAIGHA_MULTIPLE|requeueFlag(requeue))
}

// Ack tells the broker that the message is done with. It never waits, as the broker does not answer.
// ErrStale: the channel was lost meanwhile, and the broker delivers it again.
func (d *Delivery) Ack() error { return d.settle(C.HG_ACK, 0) }

// AckMultiple is Ack of this and every earlier delivery of the channel.
func (d *Delivery) AckMultiple() error { return d.settle(C.HG_ACK, C.HAIGHA_MULTIPLE) }

// Nack tells the broker that the message was not dealt with: to be given to a consumer again, or else
// dropped or dead-lettered.
func (d *Delivery) Nack(requeue bool) error { return d.settle(C.HG_NACK, requeueFlag(requeue)) }

// NackMultiple is Nack of this and every earlier delivery of the channel.
func (d *Delivery) NackMultiple(requeue bool) error {
	return d.settle(C.HG_NACK, C.HAIGHA_MULTIPLE|requeueFlag(requeue))
}

// Reject is Nack by the protocol's own method, which every broker has.
func (d *Delivery) Reject(requeue bool) error { return d.settle(C.HG_REJECT, requeueFlag(requeue)) }

func requeueFlag(requeue bool) C.uint32_t {
	if requeue {
		return C.HAIGHA_REQUEUE
	}
	return 0
}

// One copy into memory of Go's, without a call.
func goBytes(view C.haigha_str) []byte {
	if view.size == 0 {
		return []byte{}
	}
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(view.data)), int(view.size))...)
}

// A message without an event: of get.
func deliveryOf(message *C.haigha_message, flags C.uint32_t) *Delivery {
	read := C.hg_message_read(message)
	return &Delivery{
		Body:        goBytes(read.body),
		Exchange:    goString(read.exchange),
		RoutingKey:  goString(read.routing_key),
		Tag:         uint64(read.delivery_tag),
		Redelivered: flags&C.HAIGHA_FLAG_REDELIVERED != 0,
		properties:  readProperties(message, flags),
	}
}

// What names that come again and again are, each copied but once.
type names struct {
	exchange, routingKey, consumerTag string
}

func (n *names) of(view C.haigha_str, last *string) string {
	if view.size == 0 {
		return ""
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(view.data)), int(view.size))
	if string(bytes) != *last { // compared without a copy
		*last = string(bytes)
	}
	return *last
}

func (s *consumerState) delivery(event *C.haigha_event, channel *Channel) Delivery {
	body, block := s.bodies.of(event.body)
	return Delivery{
		Body:        body,
		Exchange:    s.names.of(event.exchange, &s.names.exchange),
		RoutingKey:  s.names.of(event.routing_key, &s.names.routingKey),
		ConsumerTag: s.names.of(event.consumer_tag, &s.names.consumerTag),
		Tag:         uint64(event.number),
		Redelivered: event.flags&C.HAIGHA_FLAG_REDELIVERED != 0,
		properties:  readProperties(event.message, event.flags),
		block:       block,
		channel:     channel,
	}
}
