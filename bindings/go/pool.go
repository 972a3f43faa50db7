package haigha

// #include "bridge_publish.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// RetryPolicy is what a pool publishes again when a channel has died.
type RetryPolicy uint8

// What a RetryPolicy may be.
const (
	RetryAll  RetryPolicy = C.HAIGHA_POOL_RETRY_ALL  // everything: at least once
	RetrySafe RetryPolicy = C.HAIGHA_POOL_RETRY_SAFE // what certainly has not arrived: at most once
	RetryNone RetryPolicy = C.HAIGHA_POOL_RETRY_NONE
)

// PoolOptions of a pool.
type PoolOptions struct {
	Transactions     bool // instead of confirms
	Retry            RetryPolicy
	CorrelateReturns bool
	MaxChannels      uint32 // 0: 16
	MaxAttempts      uint32 // of a message that may have arrived; 0: any number
	MaxInFlight      uint64 // on one channel, or in one transaction; 0: 1,024
	MaxMessages      uint64 // that the pool has without an outcome; 0: 65,536
	MaxBytes         uint64 // of their bodies; 0: 64 MiB
}

// ChannelPool publishes on as many channels of its own as it needs, and again what was under way when one
// dies, with the header x-haigha-republished where it may have arrived. Messages on different
// channels may overtake each other.
type ChannelPool struct {
	connection *Connection // keeps it
	*poolState
}

type poolState struct {
	outcomes
	guard  guard
	core   *core
	handle *C.haigha_pool
	tag    uint64
}

// ChannelPool makes a pool.
func (c *Connection) ChannelPool(options ...PoolOptions) (*ChannelPool, error) {
	o := first(options)
	given := C.hg_pool_options{
		max_in_flight: C.uint64_t(o.MaxInFlight), max_messages: C.uint64_t(o.MaxMessages),
		max_bytes: C.uint64_t(o.MaxBytes), max_channels: C.uint32_t(o.MaxChannels),
		max_attempts: C.uint32_t(o.MaxAttempts), mode: flag(o.Transactions),
		retry: C.uint8_t(o.Retry), correlate_returns: flag(o.CorrelateReturns),
	}
	if !c.core.guard.enter() {
		return nil, closedError("the connection")
	}
	defer c.core.guard.leave()
	s := &poolState{core: c.core}
	s.guard.release = func() { C.haigha_pool_unref(s.handle) }
	// Events that come before the handle is known wait for the lock, and so does the connection's end.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tag = c.core.addSink(s); s.tag == 0 {
		return nil, closedError("the connection")
	}
	result := C.hg_pool_new(c.core.handle, given, c.core.box, C.uint64_t(s.tag))
	if err := failure(result); err != nil {
		c.core.dropSink(s.tag)
		return nil, err
	}
	s.handle = (*C.haigha_pool)(result.object)
	return &ChannelPool{c, s}, nil
}

func (s *poolState) told(event *C.haigha_event) {
	switch event._type {
	case C.HAIGHA_EVENT_OUTCOME:
		s.settle(uint64(event.number), outcomeError(event.outcome, event.error))
	case C.HAIGHA_EVENT_WRITABLE, C.HAIGHA_EVENT_POOL_STATE:
		s.wake()
	}
}

func (s *poolState) abandoned() {
	s.end(closedError("the connection"))
	s.guard.close()
}

// Publish is as a channel's. It waits while the pool is full.
func (s *ChannelPool) Publish(ctx context.Context, m Message) error {
	confirmation, err := s.PublishAsync(ctx, m)
	if err != nil {
		return err
	}
	return confirmation.Wait(ctx)
}

// PublishAsync is as a channel's. It is taken also while there is no connection, for when there is one.
func (s *ChannelPool) PublishAsync(ctx context.Context, m Message) (*Confirmation, error) {
	headers, err := m.headers()
	if err != nil {
		return nil, err
	}
	defer C.haigha_table_free(headers)
	if !s.guard.enter() {
		return nil, closedError("the pool")
	}
	defer s.guard.leave()
	target := uintptr(unsafe.Pointer(s.handle))
	return s.publish(ctx, s.connection, func() C.hg_result { return m.send(target, C.HG_ON_POOL, headers) })
}

func (s *ChannelPool) call(ctx context.Context, what string,
	start func(tag C.uint64_t) C.hg_result) error {
	defer runtime.KeepAlive(s.connection)
	_, err := s.core.call(ctx, what, func(tag C.uint64_t) C.hg_result {
		if !s.guard.enter() {
			return C.hg_result{status: C.HAIGHA_ERR_CLOSED}
		}
		defer s.guard.leave()
		return start(tag)
	}, nil)
	return err
}

// Drain ends when every message that was taken before has its outcome.
func (s *ChannelPool) Drain(ctx context.Context) error {
	return s.call(ctx, "draining a pool", func(tag C.uint64_t) C.hg_result {
		return C.hg_pool_drain(s.handle, s.core.box, tag)
	})
}

// Close publishes nothing more, and closes the channels; what has no outcome ends as *NotSentError or
// *UnknownError. After Drain there is nothing of that.
func (s *ChannelPool) Close() error {
	err := s.call(context.Background(), "closing a pool", func(tag C.uint64_t) C.hg_result {
		return C.hg_pool_close(s.handle, s.core.box, tag)
	})
	if isStatus(err, ErrClosed) {
		err = nil
	}
	s.end(closedError("the pool"))
	s.core.dropSink(s.tag)
	s.guard.close()
	return err
}

// Info gives a number by name: "channels", "channels_lost", "published", "unsettled", "waiting",
// "retried", and by outcome "confirmed", "nacked", "returned", "not_sent", "unknown", "refused".
func (s *ChannelPool) Info(name string) (int64, error) {
	if !s.guard.enter() {
		return 0, closedError("the pool")
	}
	defer s.guard.leave()
	result := C.hg_pool_info(s.handle, name)
	return int64(result.number), failure(result)
}
