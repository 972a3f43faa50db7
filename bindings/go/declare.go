package haigha

// #include "bridge_channel.h"
import "C"

import "context"

// QueueOptions of a queue. The zero value is a queue that lasts until the broker stops.
type QueueOptions struct {
	Passive    bool // only ask whether it exists
	Durable    bool
	Exclusive  bool // this connection's, and gone with it
	AutoDelete bool
	Arguments  Table
}

// Queue is what a declaration answers.
type Queue struct {
	Name      string // chosen by the broker if it was left empty
	Messages  int    // ready
	Consumers int
}

// ExchangeOptions of an exchange.
type ExchangeOptions struct {
	Passive    bool // only ask whether it exists
	Durable    bool
	AutoDelete bool // RabbitMQ: deleted when its last binding goes
	Internal   bool // RabbitMQ: only other exchanges publish to it
	Arguments  Table
}

// DeleteOptions of the deletion of a queue, or of an exchange (only IfUnused).
type DeleteOptions struct{ IfUnused, IfEmpty bool }

func bits(values ...bool) (flags C.uint32_t) {
	for i, on := range values {
		if on {
			flags |= 1 << i
		}
	}
	return flags
}

func first[T any](values []T) (value T) {
	if len(values) > 0 {
		value = values[0]
	}
	return value
}

// callWith is a call that has arguments.
func (s *Channel) callWith(ctx context.Context, what string, arguments Table,
	start func(handle *C.haigha_channel, arguments *C.haigha_table, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result, late func(answer)) (answer, error) {
	table, err := newTable("arguments of "+what, arguments)
	if err != nil {
		return answer{}, err
	}
	defer C.haigha_table_free(table)
	return s.call(ctx, what, func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return start(handle, table, box, tag)
	}, late)
}

// QueueDeclare has a queue exist; with an empty name the broker chooses one.
func (s *Channel) QueueDeclare(ctx context.Context, name string, options ...QueueOptions) (Queue, error) {
	o := first(options)
	// In the order of bridge.h's bits.
	flags := bits(o.Passive, o.Durable, o.Exclusive, o.AutoDelete)
	got, err := s.callWith(ctx, "queue.declare", o.Arguments, func(handle *C.haigha_channel,
		arguments *C.haigha_table, box *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		return C.hg_queue_declare(handle, name, flags, arguments, box, tag)
	}, nil)
	return Queue{got.queue, int(got.messages), int(got.consumers)}, err
}

func (s *Channel) queueBind(ctx context.Context, what string, unbind C.int32_t, queue, exchange,
	routingKey string, arguments []Table) error {
	_, err := s.callWith(ctx, what, first(arguments), func(handle *C.haigha_channel,
		table *C.haigha_table, box *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		return C.hg_queue_bind(handle, unbind, queue, exchange, routingKey, table, box, tag)
	}, nil)
	return err
}

// QueueBind has an exchange route to a queue.
func (s *Channel) QueueBind(ctx context.Context, queue, exchange, routingKey string, arguments ...Table) error {
	return s.queueBind(ctx, "queue.bind", 0, queue, exchange, routingKey, arguments)
}

// QueueUnbind undoes the QueueBind of the same arguments.
func (s *Channel) QueueUnbind(ctx context.Context, queue, exchange, routingKey string, arguments ...Table) error {
	return s.queueBind(ctx, "queue.unbind", 1, queue, exchange, routingKey, arguments)
}

// QueuePurge drops the messages that are ready, and tells their number.
func (s *Channel) QueuePurge(ctx context.Context, queue string) (int, error) {
	got, err := s.call(ctx, "queue.purge", func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_queue_purge(handle, queue, box, tag)
	}, nil)
	return int(got.messages), err
}

// QueueDelete deletes a queue, and tells how many messages it had.
func (s *Channel) QueueDelete(ctx context.Context, queue string, options ...DeleteOptions) (int, error) {
	o := first(options)
	flags := bits(o.IfUnused, o.IfEmpty)
	got, err := s.call(ctx, "queue.delete", func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_queue_delete(handle, queue, flags, box, tag)
	}, nil)
	return int(got.messages), err
}

// ExchangeDeclare has an exchange exist, of the kind "direct", "fanout", "topic", "headers" or another
// that the broker knows.
func (s *Channel) ExchangeDeclare(ctx context.Context, name, kind string, options ...ExchangeOptions) error {
	o := first(options)
	// In the order of bridge.h's bits.
	flags := bits(o.Passive, o.Durable, false, o.AutoDelete, o.Internal)
	_, err := s.callWith(ctx, "exchange.declare", o.Arguments, func(handle *C.haigha_channel,
		arguments *C.haigha_table, box *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		return C.hg_exchange_declare(handle, name, kind, flags, arguments, box, tag)
	}, nil)
	return err
}

// ExchangeDelete deletes an exchange.
func (s *Channel) ExchangeDelete(ctx context.Context, name string, options ...DeleteOptions) error {
	flags := bits(first(options).IfUnused)
	_, err := s.call(ctx, "exchange.delete", func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_exchange_delete(handle, name, flags, box, tag)
	}, nil)
	return err
}

func (s *Channel) exchangeBind(ctx context.Context, what string, unbind C.int32_t, destination,
	source, routingKey string, arguments []Table) error {
	_, err := s.callWith(ctx, what, first(arguments), func(handle *C.haigha_channel,
		table *C.haigha_table, box *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		return C.hg_exchange_bind(handle, unbind, destination, source, routingKey, table, box, tag)
	}, nil)
	return err
}

// ExchangeBind has messages flow from the exchange source to the exchange destination.
func (s *Channel) ExchangeBind(ctx context.Context, destination, source, routingKey string, arguments ...Table) error {
	return s.exchangeBind(ctx, "exchange.bind", 0, destination, source, routingKey, arguments)
}

// ExchangeUnbind undoes the ExchangeBind of the same arguments.
func (s *Channel) ExchangeUnbind(ctx context.Context, destination, source, routingKey string, arguments ...Table) error {
	return s.exchangeBind(ctx, "exchange.unbind", 1, destination, source, routingKey, arguments)
}
