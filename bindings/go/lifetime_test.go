package haigha_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"haigha"
)

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestEverythingIsClosedWithTheConnection(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	consumer := e.consume(channel)
	waiting := make(chan error)
	go func() {
		_, err := consumer.Next(e.ctx)
		waiting <- err
	}()
	check(t, connection.Close())
	check(t, connection.Close())
	if err := <-waiting; err == nil {
		t.Fatal("a delivery of a closed connection")
	}
	equal(t, connection.State(), haigha.StateClosed)
	equal(t, channel.State(), haigha.StateClosed)
	is(t, channel.Publish(e.ctx, haigha.Message{}), haigha.ErrClosed)
	_, err := channel.QueueDeclare(e.ctx, "q")
	is(t, err, haigha.ErrClosed)
	_, err = connection.Channel(e.ctx)
	is(t, err, haigha.ErrClosed)
	check(t, channel.Close())
	check(t, consumer.Close())
	for range connection.Events() { // closed too
	}
}

func TestContextEndsAWaitAndLeavesNothing(t *testing.T) {
	e := stubEnv(t, "on basic.consume#1 hold", "on basic.get#1 hold")
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	e.publish(channel, "one")

	// A consume that nobody waits for any more is undone, and what it was delivered goes back.
	ctx, cancel := context.WithCancel(e.ctx)
	left := make(chan error)
	go func() {
		_, err := channel.Consume(ctx, "q")
		left <- err
	}()
	e.stub.fired()
	cancel()
	is(t, <-left, context.Canceled)
	e.stub.do("go")
	e.stub.do("wait basic.cancel 1 60000")
	e.stub.do("wait basic.nack 1 60000")

	// And so does the message of a get.
	ctx, cancel = context.WithCancel(e.ctx)
	go func() {
		_, err := channel.Get(ctx, "q", false)
		left <- err
	}()
	e.stub.fired()
	cancel()
	is(t, <-left, context.Canceled)
	e.stub.do("go")
	e.stub.do("wait basic.nack 2 60000")
	delivery := e.get(channel)
	equal(t, delivery.Redelivered, true)
	equal(t, string(delivery.Body), "one")
	check(t, channel.Close())
}

func TestContextEndsWaitingForADelivery(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	ctx, cancel := context.WithCancel(e.ctx)
	left := make(chan error)
	go func() {
		_, err := consumer.Next(ctx)
		left <- err
	}()
	cancel()
	is(t, <-left, context.Canceled)
	e.publish(channel, "one")
	equal(t, string(e.next(consumer).Body), "one")
}

func TestContextEndsWaitingForAConfirm(t *testing.T) {
	e := stubEnv(t, "on basic.publish#1 hold")
	channel := e.declared()
	ctx, cancel := context.WithCancel(e.ctx)
	confirmation, err := channel.PublishAsync(ctx, haigha.Message{RoutingKey: "q", Body: []byte("one")})
	check(t, err)
	e.stub.fired()
	cancel()
	is(t, confirmation.Wait(ctx), context.Canceled)
	e.stub.do("go")
	check(t, confirmation.Wait(e.ctx)) // it was under way all the same
	check(t, confirmation.Err())
	<-confirmation.Done()
	e.holds(channel, 1)
}

// What is not asked for stays at the broker, also without acks.
func TestAConsumerWithoutAcksIsHeldBack(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	const count = 2000
	for i := 0; i < count; i++ {
		_, err := channel.PublishAsync(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte(numbered(i))})
		check(t, err)
	}
	e.publish(channel, "last")
	consumer := e.consume(channel, haigha.ConsumeOptions{NoAck: true, Capacity: 10, PauseWhenFull: true})
	e.stub.do("wait basic.cancel 1 60000")
	for i := 0; i < count; i++ {
		equal(t, string(e.next(consumer).Body), numbered(i))
	}
	equal(t, string(e.next(consumer).Body), "last")
}

// A channel's consumers end with it, and somebody who waits is told.
func TestConsumersEndWithTheirChannel(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	waiting := make(chan error)
	go func() {
		_, err := consumer.Next(e.ctx)
		waiting <- err
	}()
	check(t, channel.Close())
	is(t, <-waiting, io.EOF)
	_, err := consumer.Next(e.ctx)
	is(t, err, io.EOF)
	check(t, consumer.Close())
}

// Goroutines on one channel, and others that open and close channels beside them.
func TestManyGoroutines(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	consumer := e.consume(channel)
	const publishers, each = 4, 500
	var all sync.WaitGroup
	work := func(what func()) {
		all.Add(1)
		go func() {
			defer all.Done()
			what()
		}()
	}
	for i := 0; i < publishers; i++ {
		work(func() {
			for n := 0; n < each; n++ {
				if err := channel.Publish(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte("one")}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var lock sync.Mutex
	seen := map[uint64]bool{}
	for i := 0; i < 3; i++ {
		work(func() {
			for {
				delivery, err := consumer.Next(e.ctx)
				if err != nil {
					return // cancelled
				}
				if err := delivery.Ack(); err != nil {
					t.Error(err)
				}
				lock.Lock()
				seen[delivery.Tag] = true
				last := len(seen) == publishers*each
				lock.Unlock()
				if last {
					check(t, consumer.Cancel(e.ctx))
				}
			}
		})
	}
	work(func() {
		for i := 0; i < 20; i++ {
			other, err := connection.Channel(e.ctx)
			if err != nil {
				t.Error(err)
				return
			}
			ctx, cancel := context.WithTimeout(e.ctx, time.Duration(i)*100*time.Microsecond)
			other.QueueDeclare(ctx, "other")
			other.Consume(ctx, "other")
			cancel()
			other.Close()
		}
	})
	all.Wait()
	equal(t, len(seen), publishers*each)
	e.holds(channel, 0)
}

// Connections are closed while everything is under way.
func TestClosingUnderLoad(t *testing.T) {
	e := stubEnv(t)
	for round := 0; round < 10; round++ {
		connection, err := haigha.Connect(e.ctx, e.uri)
		check(t, err)
		channel := e.channelOf(connection)
		e.declare(channel)
		consumer := e.consume(channel, haigha.ConsumeOptions{NoAck: round%2 == 0})
		var all sync.WaitGroup
		all.Add(3)
		go func() {
			defer all.Done()
			for channel.Publish(e.ctx, haigha.Message{RoutingKey: "q", Body: make([]byte, 100)}) == nil {
			}
		}()
		received := make(chan struct{}, 1_000_000)
		go func() {
			defer all.Done()
			for {
				delivery, err := consumer.Next(e.ctx)
				if err != nil {
					return
				}
				delivery.Ack()
				received <- struct{}{}
			}
		}()
		go func() {
			defer all.Done()
			for connection.State() != haigha.StateClosed {
				runtime.Gosched()
				if other, err := connection.Channel(e.ctx); err == nil {
					other.Close()
				}
			}
		}()
		for i := 0; i < 50*round; i++ {
			<-received
		}
		check(t, connection.Close())
		all.Wait()
	}
}

// Nothing is left of connections that are gone: neither goroutines nor descriptors.
func TestNothingIsLeft(t *testing.T) {
	e := stubEnv(t)
	use := func() {
		connection, err := haigha.Connect(e.ctx, e.uri)
		check(t, err)
		channel := e.channelOf(connection)
		e.declare(channel)
		e.consume(channel)
		e.publish(channel, "one")
		check(t, connection.Close())
	}
	descriptors := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		check(t, err)
		return len(all)
	}
	use()
	settle := func(what string, count func() int, limit int) {
		for count() > limit {
			if e.ctx.Err() != nil {
				t.Fatalf("%d %s, and %d before", count(), what, limit)
			}
			runtime.Gosched()
		}
	}
	goroutines, files := runtime.NumGoroutine(), descriptors()
	for i := 0; i < 10; i++ {
		use()
	}
	settle("goroutines", runtime.NumGoroutine, goroutines)
	settle("descriptors", descriptors, files)
}

// A connection that nobody holds is ended, once the garbage collector finds it.
func TestAForgottenConnection(t *testing.T) {
	e := stubEnv(t)
	func() {
		connection, err := haigha.Connect(e.ctx, e.uri)
		check(t, err)
		channel := e.channelOf(connection)
		e.declare(channel)
		e.consume(channel)
	}()
	for e.stub.do("count disconnect") == "0" {
		if e.ctx.Err() != nil {
			t.Fatal("it lives on")
		}
		runtime.GC()
	}
}

// One that somebody still waits for is not.
func TestWaitingKeepsTheConnection(t *testing.T) {
	e := stubEnv(t)
	deliveries := func() <-chan haigha.Delivery {
		connection, err := haigha.Connect(e.ctx, e.uri)
		check(t, err)
		channel := e.channelOf(connection)
		e.declare(channel)
		return e.consume(channel).Deliveries(e.ctx)
	}()
	for i := 0; i < 5; i++ {
		runtime.GC()
		e.stub.do("count disconnect")
	}
	e.stub.do("put q one")
	delivery, open := <-deliveries
	equal(t, open, true)
	runtime.GC()
	check(t, delivery.Ack())
}

// What was not taken goes back, also when the consumer was cancelled before.
func TestClosingACancelledConsumer(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one", "two", "three")
	one := e.next(consumer)
	check(t, consumer.Cancel(e.ctx))
	check(t, consumer.Close())
	check(t, consumer.Err())
	check(t, one.Ack())
	e.holds(channel, 2)
}

// What was delivered may be kept for longer than its connection.
func TestDeliveriesOutliveTheirConnection(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	consumer := e.consume(channel)
	bodies := []string{"", "one", strings.Repeat("2 KiB ", 400), strings.Repeat("a megabyte ", 100_000)}
	for _, body := range bodies {
		check(t, channel.Publish(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte(body),
			Properties: &haigha.Properties{MessageID: "m", Headers: haigha.Table{"h": "v"}}}))
	}
	var kept []haigha.Delivery
	for range bodies {
		kept = append(kept, e.next(consumer))
	}
	check(t, connection.Close())
	runtime.GC()
	for i := range kept {
		equal(t, string(kept[i].Body), bodies[i])
		equal(t, kept[i].RoutingKey, "q")
		equal(t, kept[i].Properties().MessageID, "m")
		same(t, e.headers(&kept[i])["h"], "v")
		is(t, kept[i].Ack(), haigha.ErrClosed)
	}
}

// A body may be appended to: it does not run into another's.
func TestBodiesAreTheirOwn(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one", "two", "three")
	one, two, three := e.next(consumer), e.next(consumer), e.next(consumer)
	two.Body = append(two.Body, "; and more than was there"...)
	equal(t, string(one.Body)+string(two.Body)+string(three.Body), "onetwo; and more than was therethree")
}

// Panics of every kind are told, and what was not handled is not acknowledged.
func TestPanicsOfHandlers(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one")
	for _, value := range []any{"text", io.ErrUnexpectedEOF, nil} {
		value := value
		var panicked *haigha.PanicError
		err := consumer.Handle(e.ctx, func(context.Context, haigha.Delivery) error { panic(value) })
		if !errors.As(err, &panicked) {
			t.Fatal(err)
		}
		if cause, is := value.(error); is && !errors.Is(err, cause) {
			t.Fatal(err)
		}
	}
	// One that ends its goroutine.
	over := make(chan struct{})
	go func() {
		defer close(over)
		consumer.Handle(e.ctx, func(context.Context, haigha.Delivery) error { runtime.Goexit(); return nil })
	}()
	<-over
	equal(t, e.stub.do("count basic.ack"), "0")
	check(t, consumer.Close())
}

// Bodies that are released are written over, and no others.
func TestReleasedBodies(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	const count, size = 10_000, 1000
	filler := strings.Repeat("x", size)
	var bodies [count]string
	for i := range bodies {
		bodies[i] = (numbered(i) + filler)[:size]
		_, err := channel.PublishAsync(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte(bodies[i])})
		check(t, err)
	}
	body := func(number int) string { return bodies[number] }
	// They come together: an answer comes behind what was delivered before.
	consumer := e.consume(channel, haigha.ConsumeOptions{NoAck: true, Capacity: count})
	for left := 1; left > 0; {
		queue, err := channel.QueueDeclare(e.ctx, "q", haigha.QueueOptions{Passive: true})
		check(t, err)
		left = queue.Messages
	}
	kept := map[int]haigha.Delivery{}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := 0; i < count; i++ {
		delivery := e.next(consumer)
		if i%1000 == 7 {
			kept[i] = delivery
			continue
		}
		if string(delivery.Body) != body(i) {
			t.Fatalf("%d: %q", i, delivery.Body)
		}
		delivery.Release()
		delivery.Release()
		equal(t, len(delivery.Body), 0)
	}
	runtime.ReadMemStats(&after)
	for i, delivery := range kept {
		equal(t, string(delivery.Body), body(i))
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > count*size*3/2 {
		t.Fatalf("%d octets were allocated", made)
	}
}
