package haigha

// #include "bridge.h"
import "C"

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

type (
	// ReturnedError is a mandatory message that no queue took.
	ReturnedError struct {
		Code ReplyCode // the broker's: NoRoute
		Text string
	}
	// NackedError is a message for which the broker does not take responsibility. Err may be nil.
	NackedError struct{ Err error }
	// NotSentError is a message that never left this process whole: it is safe to publish it again.
	NotSentError struct{ Err error }
	// UnknownError is a message that was on the wire when its channel ended: it may have arrived. Err
	// has the broker's code and text, if it gave them.
	UnknownError struct{ Err error }
	// RefusedError is a message of a ChannelPool over which alone the broker has closed a channel.
	RefusedError struct{ Err error }
)

func withCause(what string, cause error) string {
	if cause == nil {
		return "haigha: " + what
	}
	return "haigha: " + what + ": " + cause.Error()
}

func (e *ReturnedError) Error() string {
	return "haigha: the message was returned: " + e.Text
}
func (e *NackedError) Error() string {
	return withCause("the broker has refused the message", e.Err)
}
func (e *NotSentError) Error() string { return withCause("the message was not sent", e.Err) }
func (e *UnknownError) Error() string {
	return withCause("nobody knows whether the message arrived", e.Err)
}
func (e *RefusedError) Error() string {
	return withCause("the broker has closed a channel over the message", e.Err)
}

// Is tells whether target is the reply code.
func (e *ReturnedError) Is(target error) bool {
	return target == e.Code || target == ErrReturned
}
func (e *NackedError) Unwrap() error  { return e.Err }
func (e *NotSentError) Unwrap() error { return e.Err }
func (e *UnknownError) Unwrap() error { return e.Err }
func (e *RefusedError) Unwrap() error { return e.Err }

// What became of a publish, of an OUTCOME event; nil when it is confirmed.
func outcomeError(outcome C.int32_t, from *C.haigha_error) error {
	if outcome == C.HAIGHA_OUTCOME_CONFIRMED {
		return nil
	}
	why := errorOrNil(from)
	switch outcome {
	case C.HAIGHA_OUTCOME_NACKED:
		return &NackedError{why}
	case C.HAIGHA_OUTCOME_RETURNED:
		returned := &ReturnedError{}
		if from != nil {
			read := readError(from)
			returned.Code, returned.Text = read.ReplyCode, read.ReplyText
		}
		return returned
	case C.HAIGHA_OUTCOME_NOT_SENT:
		return &NotSentError{why}
	case C.HAIGHA_OUTCOME_REFUSED:
		return &RefusedError{why}
	}
	return &UnknownError{why}
}

// Confirmation is a publish that has been taken and whose outcome may not be known yet.
type Confirmation struct {
	// Of the channel or pool, from 1; 0: the channel has no confirms.
	Number  uint64
	settled uint32 // atomic
	err     error
	done    chan struct{} // made for who waits
	owner   *outcomes
	keeps   *Connection // which is not forgotten while there is no outcome
}

var alreadyDone = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

// Done is closed once the outcome is known.
func (c *Confirmation) Done() <-chan struct{} {
	if atomic.LoadUint32(&c.settled) != 0 {
		return alreadyDone
	}
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	if c.settled != 0 {
		return alreadyDone
	}
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

// Err is the outcome, once Done is closed: nil when the broker has confirmed the message.
func (c *Confirmation) Err() error {
	if atomic.LoadUint32(&c.settled) == 0 {
		return nil
	}
	return c.err
}

// Wait gives the outcome as Err does. When the context ends first, with its error, the message is
// still under way.
func (c *Confirmation) Wait(ctx context.Context) error {
	if atomic.LoadUint32(&c.settled) != 0 {
		return c.err
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
	}
	if atomic.LoadUint32(&c.settled) != 0 {
		return c.err
	}
	return &waitError{"waiting for a confirm", ctx.Err()}
}

// outcomes are the publishes of a channel or a pool: those without an outcome, by their numbers, which
// are consecutive, and who waits for room.
type outcomes struct {
	mu       sync.Mutex
	ring     []*Confirmation // of number n at n % len, a power of two
	first    uint64          // no lower one is in it
	next     uint64          // nor this one or a higher one
	writable chan struct{}   // closed when there may be room; nil: nobody waits
	over     error           // nothing more is taken
}

func (o *outcomes) lock()   { o.mu.Lock() }
func (o *outcomes) unlock() { o.mu.Unlock() }

// Locked.
func (o *outcomes) add(number uint64, keeps *Connection) *Confirmation {
	c := &Confirmation{Number: number, owner: o, keeps: keeps}
	if number == 0 {
		c.settled = 1
		return c
	}
	if o.first == o.next {
		o.first = number
	}
	for number-o.first >= uint64(len(o.ring)) {
		o.grow()
	}
	o.ring[number%uint64(len(o.ring))] = c
	o.next = number + 1
	return c
}

func (o *outcomes) grow() {
	size := uint64(64)
	if len(o.ring) > 0 {
		size = 2 * uint64(len(o.ring))
	}
	bigger := make([]*Confirmation, size)
	for n := o.first; n < o.next; n++ {
		bigger[n%size] = o.ring[n%uint64(len(o.ring))]
	}
	o.ring = bigger
}

// Locked.
func (o *outcomes) settle(number uint64, err error) {
	if number < o.first || number >= o.next {
		return
	}
	slot := &o.ring[number%uint64(len(o.ring))]
	c := *slot
	*slot = nil
	if c != nil {
		c.err = err
		atomic.StoreUint32(&c.settled, 1)
		if c.done != nil {
			close(c.done)
		}
	}
	for o.first < o.next && o.ring[o.first%uint64(len(o.ring))] == nil {
		o.first++
	}
}

// Locked. Those who wait for room try again.
func (o *outcomes) wake() {
	if o.writable != nil {
		close(o.writable)
		o.writable = nil
	}
}

// Locked.
func (o *outcomes) room() <-chan struct{} {
	if o.writable == nil {
		o.writable = make(chan struct{})
	}
	return o.writable
}

// end has nobody wait any more: for what the library told before it ended, this changes nothing.
func (o *outcomes) end(why error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over == nil {
		o.over = why
	}
	for number := o.first; number < o.next; number++ {
		o.settle(number, &UnknownError{why})
	}
	o.wake()
}

// publish takes one message by `send`, waiting while there is no room for it.
func (o *outcomes) publish(ctx context.Context, keeps *Connection, send func() C.hg_result) (*Confirmation, error) {
	if err := ctx.Err(); err != nil {
		return nil, &waitError{"publishing", err}
	}
	for {
		o.mu.Lock()
		if o.over != nil {
			o.mu.Unlock()
			return nil, o.over
		}
		result := send()
		if result.status == C.HAIGHA_OK {
			c := o.add(uint64(result.number), keeps)
			o.mu.Unlock()
			return c, nil
		}
		if result.status != C.HAIGHA_ERR_WOULD_BLOCK {
			o.mu.Unlock()
			return nil, failure(result)
		}
		room := o.room()
		o.mu.Unlock()
		C.haigha_error_free(result.error)
		select {
		case <-room:
			runtime.KeepAlive(keeps)
		case <-ctx.Done():
			return nil, &waitError{"waiting until the broker or the network takes more", ctx.Err()}
		}
	}
}
