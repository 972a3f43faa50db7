package haigha

// #include "bridge_channel.h"
import "C"

import (
	"context"
	"runtime"
	"time"
)

// RecoveryPolicy is what is done about a channel that the broker closes while its connection lives.
type RecoveryPolicy uint8

// What a RecoveryPolicy may be.
const (
	ReportOnly  RecoveryPolicy = C.HAIGHA_CHANNEL_REPORT      // it is the end
	Reopen      RecoveryPolicy = C.HAIGHA_CHANNEL_REOPEN      // its consumers have ended
	Resubscribe RecoveryPolicy = C.HAIGHA_CHANNEL_RESUBSCRIBE // its consumers consume again
)

// PublishPolicy is what becomes of publishes without an outcome when a channel is lost and comes back.
type PublishPolicy uint8

// What a PublishPolicy may be.
const (
	Fail       PublishPolicy = C.HAIGHA_PUBLISH_FAIL        // they end as unknown, or not sent
	KeepUnsent PublishPolicy = C.HAIGHA_PUBLISH_KEEP_UNSENT // what never left is sent then
	Resend     PublishPolicy = C.HAIGHA_PUBLISH_RESEND      // all is, with the header x-haigha-republished
)

// ChannelOptions of a channel. The zero value is a channel with confirms.
type ChannelOptions struct {
	// Publishes end when they are taken, and nobody tells what became of them.
	WithoutConfirms bool
	// Mandatory messages get a header by which a return is matched to its publish with certainty.
	CorrelateReturns bool
	Recovery         RecoveryPolicy
	Publishes        PublishPolicy
	MaxInFlight      uint64 // publishes without an outcome; 0: any number
	MaxInFlightBytes uint64
	PublishMaxAge    time.Duration // an older one is not sent again; 0: of any age
}

// Channel of a connection. Its calls reach the broker in their order, one at a time.
type Channel struct {
	connection *Connection // keeps it
	*channelState
}

type channelState struct {
	outcomes
	guard  guard
	core   *core
	handle *C.haigha_channel
	tag    uint64
	number int
	// The guard has; of an opening that is under way the handle is then released at once.
	released bool
}

// Channel opens a channel, with publisher confirms unless the options say otherwise.
func (c *Connection) Channel(ctx context.Context, options ...ChannelOptions) (*Channel, error) {
	given := C.hg_channel_options{confirm: 1}
	if len(options) > 0 {
		given = options[0].forC()
	}
	s := &channelState{core: c.core}
	s.guard.release = s.release
	if s.tag = c.core.addSink(s); s.tag == 0 {
		return nil, closedError("the connection")
	}
	got, err := c.call(ctx, "opening a channel", func(handle *C.haigha_connection, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		result := C.hg_channel_open(handle, given, box, C.uint64_t(s.tag), tag)
		s.own((*C.haigha_channel)(result.object))
		return result
	})
	if err != nil {
		c.core.dropSink(s.tag)
		s.guard.close()
		return nil, err
	}
	s.number = got.channel // the handle may be gone already, with its connection
	return &Channel{c, s}, nil
}

// own has the guard release the handle, also when it was closed meanwhile: with its connection.
func (s *channelState) own(handle *C.haigha_channel) {
	s.mu.Lock()
	released := s.released
	if !released {
		s.handle = handle
	}
	s.mu.Unlock()
	if released {
		C.haigha_channel_unref(handle)
	}
}

func (s *channelState) release() {
	s.mu.Lock()
	s.released = true
	s.mu.Unlock()
	C.haigha_channel_unref(s.handle)
}

func flag(on bool) C.uint8_t {
	if on {
		return 1
	}
	return 0
}

func (o *ChannelOptions) forC() C.hg_channel_options {
	return C.hg_channel_options{
		max_in_flight:       C.uint64_t(o.MaxInFlight),
		max_in_flight_bytes: C.uint64_t(o.MaxInFlightBytes),
		publish_max_age_ms:  C.uint64_t(o.PublishMaxAge.Milliseconds()),
		confirm:             flag(!o.WithoutConfirms),
		correlate_returns:   flag(o.CorrelateReturns),
		recovery_policy:     C.uint8_t(o.Recovery),
		publish_policy:      C.uint8_t(o.Publishes),
	}
}

// told is given the channel's events, locked.
func (s *channelState) told(event *C.haigha_event) {
	switch event._type {
	case C.HAIGHA_EVENT_OUTCOME:
		s.settle(uint64(event.number), outcomeError(event.outcome, event.error))
	case C.HAIGHA_EVENT_WRITABLE:
		s.wake()
	case C.HAIGHA_EVENT_CHANNEL_STATE:
		s.wake()
		s.core.events.put(stateChanged(event))
	case C.HAIGHA_EVENT_RETURN:
		if event.number == 0 {
			s.core.events.put(returned(event))
		}
	case C.HAIGHA_EVENT_FLOW:
		s.core.events.put(FlowChanged{Channel: int(event.channel_id), Active: event.state != 0})
	case C.HAIGHA_EVENT_DELIVERY_HELD:
		s.core.events.put(DeliveryHeld{
			Channel:     int(event.channel_id),
			ConsumerTag: goString(event.consumer_tag),
			DeliveryTag: uint64(event.number),
			Count:       int(event.state),
			Held:        milliseconds(event.delay_ms),
		})
	}
}

func returned(event *C.haigha_event) Returned {
	r := Returned{
		Channel:    int(event.channel_id),
		Exchange:   goString(event.exchange),
		RoutingKey: goString(event.routing_key),
		Body:       goBytes(event.body),
		Err:        readError(event.error),
	}
	if properties := readProperties(event.message, event.flags); properties != nil {
		r.Properties = *properties
	}
	return r
}

// abandoned has everything of the channel end with its connection.
func (s *channelState) abandoned() {
	s.end(closedError("the connection"))
	s.guard.close()
}

// Every call on the channel's handle.
func (s *Channel) call(ctx context.Context, what string,
	start func(handle *C.haigha_channel, box *C.haigha_inbox, tag C.uint64_t) C.hg_result,
	late func(answer)) (answer, error) {
	defer runtime.KeepAlive(s.connection)
	return s.core.call(ctx, what, func(tag C.uint64_t) C.hg_result {
		if !s.guard.enter() {
			return C.hg_result{status: C.HAIGHA_ERR_CLOSED}
		}
		defer s.guard.leave()
		return start(s.handle, s.core.box, tag)
	}, late)
}

func (s *Channel) simple(ctx context.Context, what string, call C.int32_t) error {
	_, err := s.call(ctx, what, func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_channel_call(handle, call, box, tag)
	}, nil)
	return err
}

// Close ends the channel, after what was called before. Its consumers end. A second Close does nothing.
func (s *Channel) Close() error {
	err := s.simple(context.Background(), "closing a channel", C.HG_CLOSE)
	if isStatus(err, ErrClosed) {
		err = nil
	}
	s.end(closedError("the channel"))
	s.core.endConsumers(s.channelState)
	s.core.dropSink(s.tag)
	s.guard.close()
	return err
}

func isStatus(err error, status Status) bool {
	e, ok := err.(*Error)
	return ok && e.Status == status
}

// Number is the channel's on the wire.
func (s *Channel) Number() int { return s.number }

// State of the channel.
func (s *Channel) State() State {
	if !s.guard.enter() {
		return StateClosed
	}
	defer s.guard.leave()
	return State(C.haigha_channel_state(s.handle))
}

// Err is why the channel ended, or nil.
func (s *Channel) Err() error {
	if !s.guard.enter() {
		return nil
	}
	defer s.guard.leave()
	last := C.haigha_channel_last_error(s.handle)
	defer C.haigha_error_free(last)
	return errorOrNil(last)
}

// Qos has at most `prefetch` deliveries be without acknowledgement, of each consumer that is started
// afterwards; 0: any number. A channel without it has the option prefetch (300).
func (s *Channel) Qos(ctx context.Context, prefetch uint16) error {
	return s.qos(ctx, prefetch, 0)
}

// QosOfChannel is Qos of all consumers of the channel together, the present ones included.
func (s *Channel) QosOfChannel(ctx context.Context, prefetch uint16) error {
	return s.qos(ctx, prefetch, 1)
}

func (s *Channel) qos(ctx context.Context, prefetch uint16, ofChannel C.int32_t) error {
	_, err := s.call(ctx, "basic.qos", func(handle *C.haigha_channel, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_qos(handle, C.uint16_t(prefetch), ofChannel, box, tag)
	}, nil)
	return err
}

// TxSelect has publishes and acks take effect by TxCommit. Only of a channel without confirms.
func (s *Channel) TxSelect(ctx context.Context) error {
	return s.simple(ctx, "tx.select", C.HG_TX_SELECT)
}

// TxCommit has what was published and settled since the last one take effect.
func (s *Channel) TxCommit(ctx context.Context) error {
	return s.simple(ctx, "tx.commit", C.HG_TX_COMMIT)
}

// TxRollback forgets what was published and settled since the last commit.
func (s *Channel) TxRollback(ctx context.Context) error {
	return s.simple(ctx, "tx.rollback", C.HG_TX_ROLLBACK)
}

// Recover has what is not acknowledged be delivered again.
func (s *Channel) Recover(ctx context.Context) error {
	return s.simple(ctx, "basic.recover", C.HG_RECOVER)
}
