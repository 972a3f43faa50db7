package haigha_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"haigha"
)

// waiting is a call that waits for the broker, of which a context may end the wait.
type waiting struct {
	name   string
	method string // what the broker holds
	call   func(e *env, ctx context.Context, connection *haigha.Connection, channel *haigha.Channel) error
}

func onChannel(name, method string, call func(e *env, ctx context.Context, channel *haigha.Channel) error) waiting {
	return waiting{name, method, func(e *env, ctx context.Context, _ *haigha.Connection, channel *haigha.Channel) error {
		return call(e, ctx, channel)
	}}
}

var waits = []waiting{
	{"Channel", "channel.open", func(_ *env, ctx context.Context, connection *haigha.Connection, _ *haigha.Channel) error {
		channel, err := connection.Channel(ctx)
		if err == nil {
			err = channel.Close()
		}
		return err
	}},
	{"ChannelPool", "basic.publish", func(e *env, ctx context.Context, connection *haigha.Connection, _ *haigha.Channel) error {
		pool, err := connection.ChannelPool(haigha.PoolOptions{MaxMessages: 1})
		check(e, err)
		defer pool.Close()
		return pool.Publish(ctx, haigha.Message{RoutingKey: "q"})
	}},
	{"ChannelPool.Drain", "basic.publish", func(e *env, ctx context.Context, connection *haigha.Connection, _ *haigha.Channel) error {
		pool, err := connection.ChannelPool()
		check(e, err)
		defer pool.Close()
		_, err = pool.PublishAsync(e.ctx, haigha.Message{RoutingKey: "q"})
		check(e, err)
		return pool.Drain(ctx)
	}},
	// What waits for room.
	{"ChannelPool, full", "basic.publish", func(e *env, ctx context.Context, connection *haigha.Connection, _ *haigha.Channel) error {
		pool, err := connection.ChannelPool(haigha.PoolOptions{MaxMessages: 1})
		check(e, err)
		defer pool.Close()
		_, err = pool.PublishAsync(e.ctx, haigha.Message{RoutingKey: "q"})
		check(e, err)
		_, err = pool.PublishAsync(ctx, haigha.Message{RoutingKey: "q"})
		return err
	}},
	onChannel("ExchangeDeclare", "exchange.declare", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		return channel.ExchangeDeclare(ctx, "x", "fanout")
	}),
	onChannel("ExchangeBind", "exchange.bind", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		return channel.ExchangeBind(ctx, "amq.fanout", "amq.topic", "#")
	}),
	onChannel("QueueDeclare", "queue.declare", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		_, err := channel.QueueDeclare(ctx, "other")
		return err
	}),
	onChannel("QueueBind", "queue.bind", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		return channel.QueueBind(ctx, "q", "amq.fanout", "")
	}),
	onChannel("QueuePurge", "queue.purge", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		_, err := channel.QueuePurge(ctx, "q")
		return err
	}),
	onChannel("QueueDelete", "queue.delete", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		_, err := channel.QueueDelete(ctx, "no such queue")
		return err
	}),
	onChannel("Qos", "basic.qos", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		return channel.Qos(ctx, 10)
	}),
	onChannel("Recover", "basic.recover", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		return channel.Recover(ctx)
	}),
	onChannel("Get", "basic.get", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		_, err := channel.Get(ctx, "q", true)
		return err
	}),
	onChannel("Consume", "basic.consume", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		consumer, err := channel.Consume(ctx, "q")
		if err == nil {
			err = consumer.Close()
		}
		return err
	}),
	onChannel("Cancel", "basic.cancel", func(e *env, ctx context.Context, channel *haigha.Channel) error {
		consumer := e.consume(channel)
		defer func() { go consumer.Close() }() // which waits for the same answer
		return consumer.Cancel(ctx)
	}),
	onChannel("Pause", "basic.cancel", func(e *env, ctx context.Context, channel *haigha.Channel) error {
		consumer := e.consume(channel)
		defer func() { go consumer.Close() }() // which waits for the same answer
		return consumer.Pause(ctx)
	}),
	onChannel("Drain", "basic.cancel", func(e *env, ctx context.Context, channel *haigha.Channel) error {
		consumer := e.consume(channel)
		defer func() { go consumer.Close() }() // which waits for the same answer
		_, err := consumer.Drain(ctx, patience)
		return err
	}),
	onChannel("Publish", "basic.publish", func(_ *env, ctx context.Context, channel *haigha.Channel) error {
		return channel.Publish(ctx, haigha.Message{RoutingKey: "q"})
	}),
	onChannel("Publisher", "basic.publish", func(e *env, ctx context.Context, channel *haigha.Channel) error {
		publisher, err := channel.Publisher(haigha.Message{RoutingKey: "q"})
		check(e, err)
		defer publisher.Close()
		return publisher.Publish(ctx, []byte("one"))
	}),
}

// settled waits until no more goroutines are there than before.
func (e *env) settled(before int) {
	e.Helper()
	for runtime.NumGoroutine() > before {
		if e.ctx.Err() != nil {
			stacks := make([]byte, 1<<20)
			e.Fatalf("%d goroutines, and %d before\n%s", runtime.NumGoroutine(), before,
				stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
}

// A context that ends before a call, while it waits, or after it: its error is the context's, nothing of it
// is left, and the connection goes on.
func TestContextsOfEveryCall(t *testing.T) {
	for _, w := range waits {
		w := w
		t.Run(w.name, func(t *testing.T) {
			e := stubEnv(t)
			connection := e.connect()
			channel := e.channelOf(connection)
			e.declare(channel)
			goroutines := runtime.NumGoroutine()
			// How often the broker is to have heard of it at all.
			heard := e.stub.do("count " + w.method)
			of := func(cause error, ctx context.Context) {
				t.Helper()
				if err := w.call(e, ctx, connection, channel); !errors.Is(err, cause) {
					t.Fatalf("%v, and not %v", err, cause)
				}
			}
			expired, cancel := context.WithDeadline(e.ctx, time.Unix(0, 0))
			defer cancel()
			// Where what is waited for was begun before.
			begun := w.method == "basic.cancel" || w.name == "ChannelPool.Drain" || w.name == "ChannelPool, full"
			of(context.Canceled, cancelled())
			of(context.DeadlineExceeded, expired)
			of(haigha.ErrTimeout, expired)
			if !begun {
				equal(t, e.stub.do("count "+w.method), heard)
			}
			e.settled(goroutines)
			e.stub.do("on " + w.method + "#1 hold")
			ctx, cancel := context.WithCancel(e.ctx)
			left := make(chan error)
			go func() { left <- w.call(e, ctx, connection, channel) }()
			e.stub.fired()
			cancel()
			is(t, <-left, context.Canceled)
			e.stub.do("go")
			e.settled(goroutines)

			// As if nothing had been; and what has ended well is not touched by its context's end.
			ctx, cancel = context.WithCancel(e.ctx)
			of(nil, ctx)
			cancel()
			e.settled(goroutines)
			_, err := channel.QueueDeclare(e.ctx, "q")
			check(t, err)
			equal(t, connection.State(), haigha.StateOpen)
			equal(t, e.stub.do("violations"), "0")
		})
	}
}

func TestContextsOfConnecting(t *testing.T) {
	for step, reached := range map[string]string{"accept": "", "start": "protocol-header",
		"tune": "connection.start-ok", "open": "connection.open"} {
		e := stubEnv(t)
		goroutines := runtime.NumGoroutine()
		_, err := haigha.Connect(cancelled(), e.uri)
		is(t, err, context.Canceled)
		e.stub.do("stall " + step)
		ctx, cancel := context.WithCancel(e.ctx)
		left := make(chan error)
		go func() {
			_, err := haigha.Connect(ctx, e.uri)
			left <- err
		}()
		if reached != "" {
			e.stub.do("wait " + reached + " 1 60000")
		}
		cancel()
		is(t, <-left, context.Canceled)
		e.settled(goroutines)
		e.stub.do("stall none")
		ctx, cancel = context.WithCancel(e.ctx)
		connection, err := haigha.Connect(ctx, e.uri)
		check(t, err)
		cancel()
		e.declare(e.channelOf(connection))
		check(t, connection.Close())
	}
}

// The broker cannot be asked for a consumer's end while the connection is away: it is closed later.
func TestCloseWhileRecovering(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect(haigha.Options{"recovery": true, "recovery_delay_ms": 1})
	channel := e.channelOf(connection)
	_, err := channel.QueueDeclare(e.ctx, "q", haigha.QueueOptions{Durable: true})
	check(t, err)
	consumer := e.consume(channel)
	e.stub.do("stall accept")
	e.stub.do("reset")
	event[haigha.RecoveryAttempt](e, connection)
	is(t, consumer.Close(), haigha.ErrRecovering)
	e.stub.do("stall none")
	event[haigha.Recovered](e, connection)
	e.publish(channel, "one")
	equal(t, string(e.next(consumer).Body), "one")
	check(t, consumer.Close())
}

// A context that has ended takes no message, also where there are some.
func TestContextThatHasEndedTakesNothing(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one", "two", "three")
	equal(t, string(e.next(consumer).Body), "one") // so the others are there
	_, err := consumer.Next(cancelled())
	is(t, err, context.Canceled)
	for range consumer.Deliveries(cancelled()) {
		t.Fatal("a delivery")
	}
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	err = consumer.Handle(ctx, func(_ context.Context, delivery haigha.Delivery) error {
		equal(t, string(delivery.Body), "two")
		cancel()
		return nil
	})
	is(t, err, context.Canceled)
	equal(t, string(e.next(consumer).Body), "three")
}
