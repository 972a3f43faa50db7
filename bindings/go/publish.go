package haigha

// #include "bridge_publish.h"
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Message is what is published. Nothing of it is kept: its body may be used again at once.
type Message struct {
	Exchange   string // empty: the default exchange, which routes to the queue of the key's name
	RoutingKey string
	Mandatory  bool // an error when no queue takes it
	Properties *Properties
	Body       []byte
}

func bodyPointer(body []byte) *C.char {
	if len(body) == 0 {
		return nil
	}
	return (*C.char)(unsafe.Pointer(&body[0]))
}

// send gives a message to a channel, a publisher that is being made, or a pool.
func (m *Message) send(target uintptr, kind C.int32_t, headers *C.haigha_table) C.hg_result {
	flags := bits(m.Mandatory)
	body, size := bodyPointer(m.Body), C.size_t(len(m.Body))
	p := m.Properties
	if p == nil {
		return C.hg_publish(C.uintptr_t(target), kind, m.Exchange, m.RoutingKey, flags, body, size)
	}
	return C.hg_publish_with(C.uintptr_t(target), kind, m.Exchange, m.RoutingKey, flags, body, size,
		C.uint32_t(p.present()), C.uint8_t(p.DeliveryMode), C.uint8_t(p.Priority),
		C.uint64_t(p.seconds()), headers, p.ContentType, p.ContentEncoding, p.CorrelationID, p.ReplyTo,
		p.Expiration, p.MessageID, p.Type, p.UserID, p.AppID, p.ClusterID)
}

// The message's headers, to be freed.
func (m *Message) headers() (*C.haigha_table, error) {
	if m.Properties == nil {
		return nil, nil
	}
	if m.Properties.Err != nil {
		return nil, m.Properties.Err
	}
	if m.Properties.Headers == nil && m.Properties.Present&HasHeaders == 0 {
		return nil, nil
	}
	headers := m.Properties.Headers
	if headers == nil {
		headers = Table{}
	}
	return newTable("headers", headers)
}

// Publish ends when the broker has confirmed the message, with nil, or when what became of it is known:
// *NackedError, *ReturnedError, *NotSentError, *UnknownError. When the context ends first it may
// still arrive. Of a channel without confirms it ends when the message is taken. While the broker or
// the network takes no more it waits.
func (s *Channel) Publish(ctx context.Context, m Message) error {
	confirmation, err := s.PublishAsync(ctx, m)
	if err != nil {
		return err
	}
	return confirmation.Wait(ctx)
}

// PublishAsync ends when the message is taken, after those before it, and gives what its outcome is
// known by. An error says that it was not taken.
func (s *Channel) PublishAsync(ctx context.Context, m Message) (*Confirmation, error) {
	headers, err := m.headers()
	if err != nil {
		return nil, err
	}
	if !s.guard.enter() {
		C.haigha_table_free(headers)
		return nil, closedError("the channel")
	}
	target := uintptr(unsafe.Pointer(s.handle))
	confirmation, err := s.publish(ctx, s.connection, func() C.hg_result {
		return m.send(target, C.HG_ON_CHANNEL, headers)
	})
	s.guard.leave()
	if headers != nil {
		C.haigha_table_free(headers)
	}
	return confirmation, err
}

// Publisher is a prepared publish: everything but the body was read, checked and encoded once.
type Publisher struct {
	channel *Channel
	guard   guard
	handle  *C.haigha_publisher
}

// Publisher prepares publishes of what the message says, apart from its body.
func (s *Channel) Publisher(m Message) (*Publisher, error) {
	headers, err := m.headers()
	if err != nil {
		return nil, err
	}
	defer C.haigha_table_free(headers)
	if !s.guard.enter() {
		return nil, closedError("the channel")
	}
	defer s.guard.leave()
	m.Body = nil
	result := m.send(uintptr(unsafe.Pointer(s.handle)), C.HG_PREPARE, headers)
	if err := failure(result); err != nil {
		return nil, err
	}
	p := &Publisher{channel: s, handle: (*C.haigha_publisher)(result.object)}
	p.guard.release = func() { C.haigha_publisher_unref(p.handle) }
	runtime.SetFinalizer(p, func(forgotten *Publisher) { forgotten.Close() })
	return p, nil
}

// Publish is as the channel's.
func (p *Publisher) Publish(ctx context.Context, body []byte) error {
	confirmation, err := p.PublishAsync(ctx, body)
	if err != nil {
		return err
	}
	return confirmation.Wait(ctx)
}

// PublishAsync is as the channel's.
func (p *Publisher) PublishAsync(ctx context.Context, body []byte) (*Confirmation, error) {
	if !p.guard.enter() {
		return nil, closedError("the publisher")
	}
	defer p.guard.leave()
	return p.channel.publish(ctx, p.channel.connection, func() C.hg_result {
		return C.hg_publisher_publish(p.handle, bodyPointer(body), C.size_t(len(body)))
	})
}

// Close releases what was encoded. What was published goes on.
func (p *Publisher) Close() error {
	p.guard.close()
	runtime.SetFinalizer(p, nil)
	return nil
}
