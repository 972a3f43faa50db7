package haigha

// #include "bridge.h"
import "C"

import (
	"sync"
	"time"
)

// Event is what happens to a connection and its channels without being asked for: one of the types
// below. More may come; ignore what you do not know.
type Event interface{ isEvent() }

// State of a connection or a channel.
type State int

// What a State may be.
const (
	StateNew        State = C.HAIGHA_STATE_NEW
	StateOpening    State = C.HAIGHA_STATE_OPENING
	StateOpen       State = C.HAIGHA_STATE_OPEN
	StateClosing    State = C.HAIGHA_STATE_CLOSING
	StateClosed     State = C.HAIGHA_STATE_CLOSED
	StateRecovering State = C.HAIGHA_STATE_RECOVERING
)

func (s State) String() string {
	names := [...]string{"new", "opening", "open", "closing", "closed", "recovering"}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

type (
	// StateChanged is a new state of the connection, or of the channel of that number.
	StateChanged struct {
		Channel  int // 0: the connection's
		State    State
		Previous State
		Err      error // why, when it is closed or recovering and nobody asked for that
	}
	// Blocked means that the broker takes no publishes at present.
	Blocked struct{ Reason string }
	// Unblocked means that it does again.
	Unblocked struct{}
	// RecoveryAttempt comes before each attempt to reach a broker again.
	RecoveryAttempt struct {
		Number int // of this outage, from 1
		Host   string
		Delay  time.Duration // until then
		Err    error         // why it is needed
	}
	// TransportUp means that the connection is open again, and what was on it is not yet back.
	TransportUp struct{}
	// Recovered means that everything is back.
	Recovered struct{}
	// RecoveryFailed means that no more attempts are made.
	RecoveryFailed struct{ Err error }
	// NotRestored is what a recovery could not bring back: "exchange", "queue", "binding" (of Name to
	// Exchange by RoutingKey) or "consumer".
	NotRestored struct {
		Kind        string
		Name        string
		Exchange    string
		RoutingKey  string
		ConsumerTag string
		Err         error
	}
	// Resubscribed is a consumer that the broker had cancelled and that consumes again.
	Resubscribed struct {
		Queue       string
		ConsumerTag string
		Err         error
	}
	// QueueRenamed is a queue of the broker's naming that has another name after a recovery.
	QueueRenamed struct{ Previous, Name string }
	// Returned is a mandatory message that no queue took, of a channel without confirms.
	Returned struct {
		Channel    int
		Exchange   string
		RoutingKey string
		Properties Properties
		Body       []byte
		Err        *Error
	}
	// DeliveryHeld is told when deliveries are not settled for long (option delivery_warning_ms).
	DeliveryHeld struct {
		Channel     int
		ConsumerTag string
		DeliveryTag uint64 // the oldest one's
		Count       int
		Held        time.Duration
	}
	// FlowChanged is told when the broker has a channel's publishes stopped, or going on.
	FlowChanged struct {
		Channel int
		Active  bool
	}
)

func (StateChanged) isEvent()    {}
func (Blocked) isEvent()         {}
func (Unblocked) isEvent()       {}
func (RecoveryAttempt) isEvent() {}
func (TransportUp) isEvent()     {}
func (Recovered) isEvent()       {}
func (RecoveryFailed) isEvent()  {}
func (NotRestored) isEvent()     {}
func (Resubscribed) isEvent()    {}
func (QueueRenamed) isEvent()    {}
func (Returned) isEvent()        {}
func (DeliveryHeld) isEvent()    {}
func (FlowChanged) isEvent()     {}

// As many events wait for a program that does not read them.
const eventsKept = 256

// eventQueue is a channel that nobody waits to write into: beyond eventsKept the oldest is dropped.
type eventQueue struct {
	mu     sync.Mutex
	values chan Event
	closed bool
}

func newEventQueue() *eventQueue { return &eventQueue{values: make(chan Event, eventsKept)} }

func (q *eventQueue) put(event Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		select {
		case q.values <- event:
			return
		default:
		}
		select {
		case <-q.values:
		default:
		}
	}
}

func (q *eventQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.values)
	}
}

// An error that may be none: a nil *Error must not become an error that is not nil.
func errorOrNil(from *C.haigha_error) error {
	if from == nil {
		return nil
	}
	return readError(from)
}

func milliseconds(count C.int64_t) time.Duration { return time.Duration(count) * time.Millisecond }

func stateChanged(event *C.haigha_event) StateChanged {
	return StateChanged{
		Channel:  int(event.channel_id),
		State:    State(event.state),
		Previous: State(event.previous_state),
		Err:      errorOrNil(event.error),
	}
}

func (c *core) connectionEvent(event *C.haigha_event) {
	switch event._type {
	case C.HAIGHA_EVENT_CONNECTION_STATE:
		c.events.put(stateChanged(event))
	case C.HAIGHA_EVENT_BLOCKED:
		reason := ""
		if event.error != nil {
			reason = readError(event.error).ReplyText
		}
		c.events.put(Blocked{Reason: reason})
	case C.HAIGHA_EVENT_UNBLOCKED:
		c.events.put(Unblocked{})
	case C.HAIGHA_EVENT_RECOVERY:
		c.recoveryEvent(event)
	case C.HAIGHA_EVENT_QUEUE_RENAMED:
		c.events.put(QueueRenamed{Previous: goString(event.routing_key), Name: goString(event.name)})
	}
}

func (c *core) recoveryEvent(event *C.haigha_event) {
	err := errorOrNil(event.error)
	switch event.state {
	case C.HAIGHA_RECOVERY_ATTEMPT:
		c.events.put(RecoveryAttempt{Number: int(event.number), Host: goString(event.name),
			Delay: milliseconds(event.delay_ms), Err: err})
	case C.HAIGHA_RECOVERY_TRANSPORT_UP:
		c.events.put(TransportUp{})
	case C.HAIGHA_RECOVERY_RECOVERED:
		c.events.put(Recovered{})
	case C.HAIGHA_RECOVERY_FAILED:
		c.events.put(RecoveryFailed{Err: err})
	case C.HAIGHA_RECOVERY_ENTITY:
		kinds := [...]string{"", "exchange", "queue", "binding", "consumer"}
		kind := ""
		if int(event.number) < len(kinds) {
			kind = kinds[event.number]
		}
		c.events.put(NotRestored{Kind: kind, Name: goString(event.name),
			Exchange: goString(event.exchange), RoutingKey: goString(event.routing_key),
			ConsumerTag: goString(event.consumer_tag), Err: err})
	case C.HAIGHA_RECOVERY_RESUBSCRIBED:
		c.events.put(Resubscribed{Queue: goString(event.name),
			ConsumerTag: goString(event.consumer_tag), Err: err})
	}
}
