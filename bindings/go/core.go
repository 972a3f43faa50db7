package haigha

// #include "bridge_message.h"
import "C"

import (
	"context"
	"io"
	"sync"
)

// core is what a connection's goroutine knows. It knows no Connection, so that one that nobody holds any
// more can be told.
type core struct {
	guard  guard
	handle *C.haigha_connection
	inbox  *inbox          // the goroutine's
	box    *C.haigha_inbox // what calls answer into; a reference of the guard's
	events *eventQueue
	ended  chan struct{} // the goroutine has

	mu         sync.Mutex
	next       uint64 // the last tag that was given out
	operations map[uint64]*operation
	sinks      map[uint64]sink
	consumers  map[*consumerState]struct{}
	over       bool // nothing more is taken
}

// sink is told what happens to a channel or a pool.
type sink interface {
	lock()
	unlock()
	told(event *C.haigha_event) // locked
	abandoned()                 // the connection was given up; not locked
}

// An operation that was started and has no answer yet.
type operation struct {
	done chan struct{}
	got  answer
	// What to do with an answer that nobody waits for any more.
	late func(answer)
	left bool
}

// What an operation answered, copied.
type answer struct {
	err         error
	queue       string
	consumerTag string
	channel     int // its number
	messages    uint32
	consumers   uint32
	unwritten   uint64
	unconfirmed uint64
	unsettled   uint64
	delivery    *Delivery // of get
}

func (c *core) newTag() uint64 {
	c.next++
	return c.next
}

// call starts an operation and waits for its answer, or for the context. `late` (may be nil) is given
// an answer that comes after that.
func (c *core) call(ctx context.Context, what string, start func(tag C.uint64_t) C.hg_result,
	late func(answer)) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, &waitError{what, err}
	}
	if !c.guard.enter() {
		return answer{}, closedError("the connection")
	}
	op := &operation{done: make(chan struct{}), late: late}
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		c.guard.leave()
		return answer{}, closedError("the connection")
	}
	tag := c.newTag()
	c.operations[tag] = op
	c.mu.Unlock()
	err := failure(start(C.uint64_t(tag)))
	c.guard.leave()
	if err != nil {
		c.mu.Lock()
		delete(c.operations, tag)
		c.mu.Unlock()
		return answer{}, err
	}
	select {
	case <-op.done:
		return op.got, op.got.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-op.done: // after all
		return op.got, op.got.err
	default:
	}
	op.left = true
	return answer{}, &waitError{what, ctx.Err()}
}

// run fetches and tells until the inbox is closed.
func (c *core) run() {
	defer close(c.ended)
	for {
		count := c.inbox.poll()
		if count == 0 {
			if c.inbox.wait(func() bool { count = c.inbox.poll(); return count > 0 }) != nil {
				break
			}
		}
		c.tell(count)
	}
	for count := c.inbox.poll(); count > 0; count = c.inbox.poll() {
		c.tell(count)
	}
	c.giveUp()
	c.inbox.free()
	c.events.close()
}

// Tells a batch, with one lock for a run of events of the same channel.
func (c *core) tell(count int) {
	var to sink
	var tag uint64
	for i := 0; i < count; i++ {
		event := &c.inbox.batch.events[i]
		if event._type == C.HAIGHA_EVENT_REPLY || event.tag == 0 {
			if to != nil {
				to.unlock()
				to = nil
			}
			if event._type == C.HAIGHA_EVENT_REPLY {
				c.complete(event)
			} else {
				c.connectionEvent(event)
			}
			continue
		}
		if to == nil || tag != uint64(event.tag) {
			if to != nil {
				to.unlock()
			}
			tag = uint64(event.tag)
			if to = c.sink(tag); to == nil {
				continue
			}
			to.lock()
		}
		to.told(event)
	}
	if to != nil {
		to.unlock()
	}
}

func (c *core) sink(tag uint64) sink {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sinks[tag]
}

// 0 when it is too late for that.
func (c *core) addSink(s sink) (tag uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0
	}
	tag = c.newTag()
	c.sinks[tag] = s
	return tag
}

func (c *core) dropSink(tag uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sinks, tag)
}

func (c *core) complete(event *C.haigha_event) {
	got := answer{channel: int(event.channel_id)}
	if event.error != nil {
		got.err = readError(event.error)
	}
	if event.reply != nil {
		read := C.hg_reply_read(event.reply)
		got.queue = goString(read.queue)
		got.consumerTag = goString(read.consumer_tag)
		got.messages, got.consumers = uint32(read.message_count), uint32(read.consumer_count)
		got.unwritten, got.unconfirmed = uint64(read.unwritten_bytes), uint64(read.unconfirmed)
		got.unsettled = uint64(read.unsettled)
		if read.message != nil {
			got.delivery = deliveryOf(read.message, event.flags)
		}
	}
	c.mu.Lock()
	op := c.operations[uint64(event.tag)]
	delete(c.operations, uint64(event.tag))
	c.mu.Unlock()
	if op != nil {
		c.settle(op, got)
	}
}

func (c *core) settle(op *operation, got answer) {
	op.got = got
	c.mu.Lock()
	close(op.done)
	left := op.left
	c.mu.Unlock()
	if left && op.late != nil {
		op.late(got)
	}
}

// giveUp ends whatever has not ended, once nothing more is fetched.
func (c *core) giveUp() {
	c.mu.Lock()
	c.over = true
	operations, sinks, consumers := c.operations, c.sinks, c.consumers
	c.operations, c.sinks, c.consumers = nil, nil, nil
	c.mu.Unlock()
	for _, op := range operations {
		c.settle(op, answer{err: closedError("the connection")})
	}
	for _, s := range sinks {
		s.abandoned()
	}
	for consumer := range consumers {
		consumer.end(closedError("the connection"))
	}
}

// endConsumers releases those of a channel that was closed; what they still had is the broker's again.
func (c *core) endConsumers(channel *channelState) {
	var ended []*consumerState
	c.mu.Lock()
	for consumer := range c.consumers {
		if consumer.channel == channel {
			ended = append(ended, consumer)
		}
	}
	c.mu.Unlock()
	for _, consumer := range ended {
		consumer.end(io.EOF)
	}
}

// teardown releases everything. What is not over ends abortively.
func (c *core) teardown() {
	c.guard.close()
	c.inbox.close()
	<-c.ended
}
