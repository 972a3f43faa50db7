package haigha

// #include "bridge_channel.h"
import "C"

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// ConsumeOptions of a consumer.
type ConsumeOptions struct {
	Tag       string // empty: one is made
	NoAck     bool   // deliveries need no ack, and are lost if the process dies
	Exclusive bool
	NoLocal   bool
	// When as many as Capacity wait the consumer is paused, and not the whole connection. For
	// consumers without acks, or without a prefetch count.
	PauseWhenFull bool
	Capacity      int // deliveries that wait for Next; 0: 1024
	Arguments     Table
}

// Consumer of a queue. Its deliveries wait in the library until they are asked for.
type Consumer struct {
	channel *Channel
	*consumerState
}

type consumerState struct {
	channel *channelState
	tag     string

	mu       sync.Mutex
	inbox    *inbox // nil: it has ended
	at       int    // the next of the batch
	count    int
	names    names
	bodies   bodies
	fetching chan struct{} // closed when there is something to be had; nil: nobody waits
	wanted   chan struct{} // the goroutine is to wait for events
	err      error         // why it has ended
}

// Consume starts a consumer.
func (c *Channel) Consume(ctx context.Context, queue string, options ...ConsumeOptions) (*Consumer, error) {
	o := first(options)
	box, err := newInbox(o.Capacity)
	if err != nil {
		return nil, err
	}
	s := &consumerState{channel: c.channelState, inbox: box, wanted: make(chan struct{}, 1)}
	go s.watch(box)
	c.core.mu.Lock()
	over := c.core.over
	if !over {
		c.core.consumers[s] = struct{}{}
	}
	c.core.mu.Unlock()
	if over {
		s.end(nil)
		return nil, closedError("the connection")
	}
	flags := bits(o.NoLocal, o.NoAck, o.Exclusive, o.PauseWhenFull) // in the order of bridge.h's bits
	started := false
	got, err := c.callWith(ctx, "basic.consume", o.Arguments, func(handle *C.haigha_channel,
		arguments *C.haigha_table, answers *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		started = true
		return C.hg_consume(handle, queue, o.Tag, flags, arguments, box.handle, answers, tag)
	}, s.startedLate)
	if err != nil {
		if _, left := err.(*waitError); !left || !started {
			s.end(err)
		}
		return nil, err
	}
	s.tag = got.consumerTag
	return &Consumer{c, s}, nil
}

// The answer to a consume that nobody waits for any more: it is undone.
func (s *consumerState) startedLate(got answer) {
	if got.err != nil {
		s.end(got.err)
		return
	}
	s.tag = got.consumerTag
	go func() {
		if (&Consumer{&Channel{nil, s.channel}, s}).Close() != nil {
			s.end(io.EOF) // its messages are given to others when its channel ends
		}
	}()
}

// Tag is the consumer's name at the broker.
func (s *consumerState) Tag() string { return s.tag }

// watch waits for events when that is wanted, until the inbox is closed.
func (s *consumerState) watch(box *inbox) {
	for range s.wanted {
		if box.wait(s.fetch) != nil {
			return
		}
	}
}

// poll fetches a batch, locked; 0: there is nothing.
func (s *consumerState) poll() int {
	s.at, s.count = 0, s.inbox.poll()
	s.bodies.batch = int(s.inbox.batch.shared)
	return s.count
}

// fetch tells those who wait when there is something to be had.
func (s *consumerState) fetch() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inbox != nil && s.at == s.count {
		if s.poll() == 0 {
			return false
		}
	}
	if s.fetching != nil {
		close(s.fetching)
		s.fetching = nil
	}
	return true
}

// Next is the next delivery. Many may ask for one at once. io.EOF: the consumer was cancelled here, and
// everything was had; any other error is the context's, or why the consumer has ended:
// ErrConsumerCancelled by the broker, or the channel's or the connection's end.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	if err := ctx.Err(); err != nil {
		return Delivery{}, &waitError{"waiting for a delivery", err}
	}
	s := c.consumerState
	s.mu.Lock()
	for {
		for s.at < s.count {
			event := &s.inbox.batch.events[s.at]
			s.at++
			switch event._type {
			case C.HAIGHA_EVENT_DELIVERY:
				delivery := s.delivery(event, c.channel)
				s.mu.Unlock()
				return delivery, nil
			case C.HAIGHA_EVENT_CONSUMER_CANCELLED:
				err := c.endOf(event.error)
				s.mu.Unlock()
				s.end(err)
				return Delivery{}, err
			}
		}
		if s.inbox == nil {
			defer s.mu.Unlock()
			return Delivery{}, s.err
		}
		if s.fetching == nil {
			if s.poll() > 0 {
				continue
			}
			s.fetching = make(chan struct{})
			s.wanted <- struct{}{}
		}
		fetching := s.fetching
		s.mu.Unlock()
		select {
		case <-fetching:
			runtime.KeepAlive(c)
		case <-ctx.Done():
			return Delivery{}, &waitError{"waiting for a delivery", ctx.Err()}
		}
		s.mu.Lock()
	}
}

// Why a consumer has ended. It was the broker who cancelled one whose channel goes on.
func (c *Consumer) endOf(from *C.haigha_error) error {
	if from == nil {
		return io.EOF
	}
	why := readError(from)
	switch {
	case why.Method == "basic.cancel":
		return &cancelledError{why}
	case why.Status == ErrClosed:
		return io.EOF // the program has closed the channel or the connection
	}
	return why
}

// end releases what the consumer has; those who wait are told why.
func (s *consumerState) end(why error) {
	s.mu.Lock()
	box := s.inbox
	if box == nil {
		s.mu.Unlock()
		return
	}
	s.inbox, s.err, s.at, s.count = nil, why, 0, 0
	close(s.wanted)
	if s.fetching != nil {
		close(s.fetching)
		s.fetching = nil
	}
	s.mu.Unlock()
	s.channel.core.mu.Lock()
	delete(s.channel.core.consumers, s)
	s.channel.core.mu.Unlock()
	box.free()
}

// Cancel has the broker deliver no more. What is on its way is still to be had from Next, and then
// io.EOF. ErrRecovering, ErrWouldBlock: it was not asked, and the consumer goes on.
func (c *Consumer) Cancel(ctx context.Context) error {
	_, err := c.call(ctx, "basic.cancel", C.HG_CANCEL, 0)
	return err
}

func (c *Consumer) call(ctx context.Context, what string, call C.int32_t, timeout C.int64_t) (answer, error) {
	return c.channel.call(ctx, what, func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_consumer_call(handle, call, c.tag, timeout, box, tag)
	}, nil)
}

// Pause has the broker deliver no more until Resume. What is on its way is still to be had from Next.
// ErrArgument: it is not running. ErrRecovering: its channel is being brought back.
func (c *Consumer) Pause(ctx context.Context) error {
	_, err := c.call(ctx, "pausing a consumer", C.HG_PAUSE, 0)
	return err
}

// Resume undoes Pause, once that has ended. ErrArgument: it is not paused.
func (c *Consumer) Resume(ctx context.Context) error {
	_, err := c.call(ctx, "resuming a consumer", C.HG_RESUME, 0)
	return err
}

// Drain is Cancel, and ends when each delivery is settled, for which others have to go on taking and
// settling them; or after the timeout, in whole milliseconds, with the number of those that are not.
// ErrTimeout: the broker has not answered the cancel by then. ErrUnsupported: in a transaction.
func (c *Consumer) Drain(ctx context.Context, timeout time.Duration) (int, error) {
	got, err := c.call(ctx, "draining a consumer", C.HG_DRAIN, C.int64_t(timeout.Milliseconds()))
	return int(got.messages), err
}

// Close cancels the consumer, and has the broker give to others what was not taken from Next. ErrRecovering
// and ErrWouldBlock: the broker cannot be asked now, and the consumer goes on until it is closed again.
func (c *Consumer) Close() error {
	c.mu.Lock()
	ended := c.inbox == nil
	c.mu.Unlock()
	if ended {
		return nil
	}
	err := c.Cancel(context.Background())
	if isStatus(err, ErrRecovering) || isStatus(err, ErrWouldBlock) {
		return err // it goes on
	}
	if err != nil {
		c.end(io.EOF)
		if isStatus(err, ErrClosed) {
			err = nil
		}
		return err
	}
	for {
		delivery, err := c.Next(context.Background())
		if err != nil {
			return nil
		}
		// One without acks, or of a channel that has ended, needs none.
		_ = delivery.Nack(true)
	}
}

// Deliveries gives what Next gives, as a channel that is closed when the consumer or the context ends;
// Err tells why. One delivery may have been taken for it and not been received then. Who stops receiving
// has to end the context.
func (c *Consumer) Deliveries(ctx context.Context) <-chan Delivery {
	out := make(chan Delivery)
	go func() {
		defer close(out)
		for {
			delivery, err := c.Next(ctx)
			if err != nil {
				return
			}
			select {
			case out <- delivery:
			case <-ctx.Done():
				_ = delivery.Nack(true)
				return
			}
		}
	}()
	return out
}

// Err is why the consumer has ended; nil while it has not, and after Cancel.
func (s *consumerState) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == io.EOF {
		return nil
	}
	return s.err
}

// All is an iterator, for `range` from Go 1.23 on: until the consumer or the context ends, which is told
// as the last error. After Cancel there is none.
func (c *Consumer) All(ctx context.Context) func(yield func(Delivery, error) bool) {
	return func(yield func(Delivery, error) bool) {
		for {
			delivery, err := c.Next(ctx)
			if err == io.EOF || !yield(delivery, err) || err != nil {
				return
			}
		}
	}
}

// PanicError is a panic of a handler's.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("haigha: the handler panicked: %v", e.Value) }

// Unwrap gives an error that the handler panicked with.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Handle calls the handler for one delivery after the other. What it returns nil for is acknowledged.
// With the first error the broker is to deliver that message again, and Handle returns it; a panic is
// returned as a *PanicError. The consumer goes on, and may be handled again. After Cancel Handle
// returns nil, once all was handled. For consumers with acks.
func (c *Consumer) Handle(ctx context.Context, handler func(context.Context, Delivery) error) error {
	for {
		delivery, err := c.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := handled(ctx, delivery, handler); err != nil {
			_ = delivery.Nack(true) // or its channel has ended, and it comes again by itself
			return err
		}
		if err := delivery.Ack(); err != nil {
			return err
		}
	}
}

func handled(ctx context.Context, delivery Delivery, handler func(context.Context, Delivery) error) (err error) {
	returned := false
	defer func() {
		if !returned { // of a panic(nil), before Go 1.21, recover gives nil too
			err = &PanicError{Value: recover(), Stack: debug.Stack()}
		}
	}()
	err = handler(ctx, delivery)
	returned = true
	return err
}

// Get is one message of a queue; nil when it is empty.
func (s *Channel) Get(ctx context.Context, queue string, noAck bool) (*Delivery, error) {
	got, err := s.call(ctx, "basic.get", func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_get(handle, queue, C.int32_t(flag(noAck)), box, tag)
	}, func(late answer) {
		if late.delivery != nil {
			late.delivery.channel = s
			_ = late.delivery.Nack(true) // nobody waits for it any more
		}
	})
	if err != nil || got.delivery == nil {
		return nil, err
	}
	got.delivery.channel, got.delivery.MessagesLeft = s, int(got.messages)
	return got.delivery, nil
}
