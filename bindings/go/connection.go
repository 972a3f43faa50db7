package haigha

// #include "bridge_message.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// Connection to a broker. It has to be closed: one that nobody holds any more is ended abortively when
// the garbage collector finds it, whenever that is.
type Connection struct {
	core *core
}

// Connect opens a connection: "amqp://user:password@host:port/vhost?option=value", or "amqps://" for
// TLS, with options by their names. Without a deadline it takes at most the option connection_timeout.
func Connect(ctx context.Context, uri string, options ...Options) (*Connection, error) {
	if err := checkVersion(); err != nil {
		return nil, err
	}
	made, err := newOptions(uri, options)
	if err != nil {
		return nil, err
	}
	defer C.haigha_options_free(made)
	c, err := newCore(made)
	if err != nil {
		return nil, err
	}
	_, err = c.call(ctx, "connecting", func(tag C.uint64_t) C.hg_result {
		return C.hg_connection_open(c.handle, c.box, tag)
	}, nil)
	if err != nil {
		c.teardown()
		return nil, err
	}
	connection := &Connection{core: c}
	runtime.SetFinalizer(connection, func(forgotten *Connection) { go forgotten.core.teardown() })
	return connection, nil
}

func newCore(options *C.haigha_options) (*core, error) {
	box, err := newInbox(0)
	if err != nil {
		return nil, err
	}
	result := C.hg_connection_new(options, box.handle)
	if err := failure(result); err != nil {
		box.free()
		return nil, err
	}
	c := &core{
		handle:     (*C.haigha_connection)(result.object),
		inbox:      box,
		box:        C.haigha_inbox_ref(box.handle),
		events:     newEventQueue(),
		ended:      make(chan struct{}),
		operations: map[uint64]*operation{},
		sinks:      map[uint64]sink{},
		consumers:  map[*consumerState]struct{}{},
	}
	c.guard.release = func() {
		C.haigha_connection_unref(c.handle)
		C.haigha_inbox_unref(c.box)
	}
	go c.run()
	return c, nil
}

// Every call on the connection's handle.
func (c *Connection) call(ctx context.Context, what string,
	start func(handle *C.haigha_connection, box *C.haigha_inbox, tag C.uint64_t) C.hg_result) (answer, error) {
	defer runtime.KeepAlive(c)
	return c.core.call(ctx, what, func(tag C.uint64_t) C.hg_result {
		return start(c.core.handle, c.core.box, tag)
	}, nil)
}

// Events gives what happens, as values: states, Blocked, recovery. It is the same channel each time,
// closed when the connection is. 256 events wait to be read; beyond that the oldest is dropped.
func (c *Connection) Events() <-chan Event { return c.core.events.values }

// Close writes what was published, and ends the connection in agreement with the broker, within the
// option close_timeout_ms; then everything of it has ended. An error says that it had to be ended
// without agreement. A second Close does nothing.
func (c *Connection) Close() error {
	_, err := c.call(context.Background(), "closing", func(handle *C.haigha_connection,
		box *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		return C.hg_connection_close(handle, box, tag)
	})
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	c.release()
	return err
}

func (c *Connection) release() {
	runtime.SetFinalizer(c, nil)
	c.core.teardown()
}

// Leftover is what Shutdown could not bring to its end.
type Leftover struct {
	UnwrittenBytes uint64 // taken and not written
	Unconfirmed    uint64 // publishes without an outcome
	Unsettled      uint64 // deliveries, which are the broker's again
}

// Shutdown ends a connection so that nothing is left: its consumers are cancelled; the program settles
// what was delivered, and may still publish; then publishes are refused, and those that were taken are
// written and have their outcome; then it is closed. Half of the context's time is for the settling;
// without a deadline each part may take the option rpc_timeout_ms.
func (c *Connection) Shutdown(ctx context.Context) (Leftover, error) {
	var settle, publish C.uint32_t
	if deadline, has := ctx.Deadline(); has {
		left := time.Until(deadline) / 2
		if left < time.Millisecond {
			left = time.Millisecond
		}
		settle, publish = C.uint32_t(left.Milliseconds()), C.uint32_t((left/2 + time.Millisecond).Milliseconds())
	}
	got, err := c.call(ctx, "shutting down", func(handle *C.haigha_connection, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_connection_stop(handle, settle, publish, box, tag)
	})
	c.release()
	return Leftover{got.unwritten, got.unconfirmed, got.unsettled}, err
}

// Flush ends when everything that was taken before has been handed to the operating system.
func (c *Connection) Flush(ctx context.Context) error {
	_, err := c.call(ctx, "flushing", func(handle *C.haigha_connection, box *C.haigha_inbox,
		tag C.uint64_t) C.hg_result {
		return C.hg_connection_flush(handle, box, tag)
	})
	return err
}

// UpdateSecret gives the broker a new secret, such as an OAuth 2 token; reason is for its log.
func (c *Connection) UpdateSecret(ctx context.Context, secret, reason string) error {
	_, err := c.call(ctx, "updating the secret", func(handle *C.haigha_connection,
		box *C.haigha_inbox, tag C.uint64_t) C.hg_result {
		return C.hg_connection_update_secret(handle, secret, reason, box, tag)
	})
	return err
}

// State of the connection.
func (c *Connection) State() State {
	if !c.core.guard.enter() {
		return StateClosed
	}
	defer c.core.guard.leave()
	return State(C.haigha_connection_state(c.core.handle))
}

// Err is why the connection ended, or nil while it has not, or was closed as asked; while it is
// recovering, why that is.
func (c *Connection) Err() error {
	if !c.core.guard.enter() {
		return nil
	}
	defer c.core.guard.leave()
	last := C.haigha_connection_last_error(c.core.handle)
	defer C.haigha_error_free(last)
	return errorOrNil(last)
}

// Info gives a number by name: "frame_max", "channel_max", "heartbeat", "blocked", "outbox_bytes",
// "channels", "bytes_sent", "bytes_received", "recoveries", "stale_acks" and others of the library's.
func (c *Connection) Info(name string) (int64, error) {
	if !c.core.guard.enter() {
		return 0, closedError("the connection")
	}
	defer c.core.guard.leave()
	result := C.hg_connection_info(c.core.handle, name)
	return int64(result.number), failure(result)
}

func (c *Connection) table(which C.int32_t) (Table, error) {
	if !c.core.guard.enter() {
		return nil, closedError("the connection")
	}
	defer c.core.guard.leave()
	result := C.hg_connection_table(c.core.handle, which)
	if err := failure(result); err != nil {
		return nil, err
	}
	table := (*C.haigha_table)(result.object)
	defer C.haigha_table_free(table)
	return readTable(C.hg_level_of_table(table))
}

// ServerProperties are the broker's: product, version, capabilities and others.
func (c *Connection) ServerProperties() (Table, error) { return c.table(0) }

// PeerInfo is what is known of the other end: "transport", "peer_address", "security", of TLS
// "tls_version", "tls_cipher", "tls_verified" and others.
func (c *Connection) PeerInfo() (Table, error) { return c.table(1) }
