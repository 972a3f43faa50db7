package haigha_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"testing"
	"time"

	"haigha"
)

func TestVersion(t *testing.T) { equal(t, haigha.Version(), "0.1.0") }

func TestOptionsAreDescribedAndChecked(t *testing.T) {
	known := map[string]haigha.OptionInfo{}
	for _, option := range haigha.DescribeOptions() {
		known[option.Name] = option
	}
	equal(t, known["heartbeat"].Default.(int64) > 0, true)
	equal(t, known["password"].Secret, true)
	for name, value := range map[string]any{"no_such_option": 1, "heartbeat": -1, "host": 1, "vhost": 1.5} {
		_, err := haigha.Connect(context.Background(), "amqp://127.0.0.1", haigha.Options{name: value})
		is(t, err, haigha.ErrArgument)
	}
	_, err := haigha.Connect(context.Background(), "no uri")
	is(t, err, haigha.ErrArgument)
}

func TestConnectingFails(t *testing.T) {
	_, err := haigha.Connect(context.Background(), "amqp://127.0.0.1:1")
	var failed *haigha.Error
	if !errors.As(err, &failed) || failed.Stage != "connect" || failed.Errno == 0 {
		t.Fatal(err)
	}
	equal(t, failed.Host, "127.0.0.1:1")
	is(t, err, haigha.ErrIO)
}

func TestContextEndsConnecting(t *testing.T) {
	e := stubEnv(t, "stall start")
	ctx, cancel := context.WithTimeout(e.ctx, 50*time.Millisecond)
	defer cancel()
	_, err := haigha.Connect(ctx, e.uri)
	is(t, err, context.DeadlineExceeded)
	_, err = haigha.Connect(cancelled(), e.uri)
	is(t, err, context.Canceled)
}

func TestBrokersProperties(t *testing.T) {
	e := realEnv(t)
	connection := e.connect()
	properties, err := connection.ServerProperties()
	check(t, err)
	same(t, properties["product"], "RabbitMQ")
	same(t, properties["capabilities"].(haigha.Table)["publisher_confirms"], true)
	peer, err := connection.PeerInfo()
	check(t, err)
	same(t, peer["transport"], "tcp")
	frame, err := connection.Info("frame_max")
	check(t, err)
	equal(t, frame > 0, true)
	_, err = connection.Info("no such number")
	is(t, err, haigha.ErrArgument)
}

func TestPublishesWaitWhileTheBrokerIsBlocked(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	e.stub.do("block low on memory")
	event[haigha.Blocked](e, connection)
	ctx, cancel := context.WithTimeout(e.ctx, 20*time.Millisecond)
	defer cancel()
	is(t, channel.Publish(ctx, haigha.Message{RoutingKey: "q"}), context.DeadlineExceeded)
	waiting := make(chan error)
	go func() { waiting <- channel.Publish(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte("one")}) }()
	e.stub.do("unblock")
	check(t, <-waiting)
	e.holds(channel, 1)
}

func TestAChannelWithoutConfirms(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection, haigha.ChannelOptions{WithoutConfirms: true})
	confirmation, err := channel.PublishAsync(e.ctx, haigha.Message{RoutingKey: "nowhere", Mandatory: true,
		Properties: &haigha.Properties{MessageID: "7"}, Body: []byte("back")})
	check(t, err)
	check(t, confirmation.Wait(e.ctx))
	equal(t, confirmation.Number, 0)
	returned := event[haigha.Returned](e, connection)
	equal(t, string(returned.Body), "back")
	equal(t, returned.RoutingKey, "nowhere")
	equal(t, returned.Properties.MessageID, "7")
	is(t, returned.Err, haigha.NoRoute)
}

func TestTransactions(t *testing.T) {
	e := realEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection, haigha.ChannelOptions{WithoutConfirms: true})
	e.declare(channel)
	check(t, channel.TxSelect(e.ctx))
	e.publish(channel, "dropped")
	check(t, channel.TxRollback(e.ctx))
	e.publish(channel, "one")
	check(t, channel.TxCommit(e.ctx))
	e.holds(channel, 1)
}

func TestTopology(t *testing.T) {
	e := realEnv(t)
	channel := e.declared()
	from, to := e.queue+".from", e.queue+".to"
	temporary := haigha.ExchangeOptions{AutoDelete: true, Arguments: haigha.Table{"x-made-by": "a test"}}
	check(t, channel.ExchangeDeclare(e.ctx, from, "topic", temporary))
	check(t, channel.ExchangeDeclare(e.ctx, to, "headers", haigha.ExchangeOptions{Internal: true}))
	check(t, channel.ExchangeBind(e.ctx, to, from, "#"))
	arguments := haigha.Table{"x-match": "all", "kind": int32(7)}
	check(t, channel.QueueBind(e.ctx, e.queue, to, "", arguments))
	publish := func(kind any) {
		check(t, channel.Publish(e.ctx, haigha.Message{Exchange: from, RoutingKey: "a.b",
			Properties: &haigha.Properties{Headers: haigha.Table{"kind": kind}}}))
	}
	publish(int32(7))
	publish(int32(8))
	e.holds(channel, 1)
	check(t, channel.QueueUnbind(e.ctx, e.queue, to, "", arguments))
	check(t, channel.ExchangeUnbind(e.ctx, to, from, "#"))
	check(t, channel.ExchangeDelete(e.ctx, to))
	purged, err := channel.QueuePurge(e.ctx, e.queue)
	check(t, err)
	equal(t, purged, 1)
	e.publish(channel, "one", "two")
	deleted, err := channel.QueueDelete(e.ctx, e.queue)
	check(t, err)
	equal(t, deleted, 2)
	// What a refusal says.
	_, err = channel.QueueDelete(e.ctx, "amq.rabbitmq.trace", haigha.DeleteOptions{IfUnused: true, IfEmpty: true})
	if err != nil {
		t.Fatal(err)
	}
	is(t, channel.ExchangeDeclare(e.ctx, "amq.topic", "fanout"), haigha.PreconditionFailed)
}

func TestTheQueueIsFull(t *testing.T) {
	e := realEnv(t)
	channel := e.channel()
	_, err := channel.QueueDeclare(e.ctx, e.queue, haigha.QueueOptions{Exclusive: true,
		Arguments: haigha.Table{"x-max-length": 1, "x-overflow": "reject-publish"}})
	check(t, err)
	e.publish(channel, "one")
	var nacked *haigha.NackedError
	if err := channel.Publish(e.ctx, haigha.Message{RoutingKey: e.queue}); !errors.As(err, &nacked) {
		t.Fatal(err)
	}
}

func TestEveryProperty(t *testing.T) {
	e := realEnv(t)
	channel := e.declared()
	sent := haigha.Properties{
		ContentType: "text/plain", ContentEncoding: "gzip", Headers: haigha.Table{"n": int64(1)},
		DeliveryMode: haigha.Persistent, Priority: 9, CorrelationID: "c", ReplyTo: "r", Expiration: "60000",
		MessageID: "m", Timestamp: time.Unix(1_700_000_000, 0).UTC(), Type: "t", UserID: "guest",
		AppID: "a", ClusterID: "k",
	}
	check(t, channel.Publish(e.ctx, haigha.Message{RoutingKey: e.queue, Properties: &sent}))
	got := e.get(channel).Properties()
	equal(t, got.Present, 0xfffc)
	got.Present = 0
	if !reflect.DeepEqual(got, sent) {
		t.Fatalf("%+v", got)
	}
	// One of zero value is sent where that is wanted.
	sent = haigha.Properties{Present: haigha.HasContentType | haigha.HasPriority}
	check(t, channel.Publish(e.ctx, haigha.Message{RoutingKey: e.queue, Properties: &sent}))
	if got := e.get(channel).Properties(); !reflect.DeepEqual(got, sent) {
		t.Fatalf("%+v", got)
	}
	e.publish(channel, "none")
	if got := e.get(channel).Properties(); !reflect.DeepEqual(got, haigha.Properties{}) {
		t.Fatalf("%+v", got)
	}
}

func TestHeadersThatCannotBeSent(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	for _, value := range []any{make(chan int), uint64(math.MaxUint64), []any{struct{}{}}, haigha.Table{"x": 1i}} {
		err := channel.Publish(e.ctx, haigha.Message{RoutingKey: "q",
			Properties: &haigha.Properties{Headers: haigha.Table{"h": value}}})
		is(t, err, haigha.ErrArgument)
	}
	for sent, read := range map[any]any{1: int64(1), uint(2): int64(2), uint64(3): int64(3)} {
		check(t, channel.Publish(e.ctx, haigha.Message{RoutingKey: "q",
			Properties: &haigha.Properties{Headers: haigha.Table{"h": sent}}}))
		same(t, e.headers(e.get(channel))["h"], read)
	}
	large := haigha.Table{} // more fields than one crossing fetches
	for i := 0; i < 100; i++ {
		large[fmt.Sprint("field ", i)] = int32(i)
	}
	check(t, channel.Publish(e.ctx, haigha.Message{RoutingKey: "q", Properties: &haigha.Properties{Headers: large}}))
	if got := e.headers(e.get(channel)); !reflect.DeepEqual(got, large) {
		t.Fatal(got)
	}
}

func TestSettling(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one", "two", "three", "four")
	e.next(consumer)
	two := e.next(consumer)
	check(t, two.AckMultiple())
	is(t, two.Ack(), haigha.ErrArgument) // settled already
	three, four := e.next(consumer), e.next(consumer)
	check(t, four.NackMultiple(true))
	is(t, three.Nack(false), haigha.ErrArgument)
	equal(t, e.next(consumer).Redelivered, true)
	check(t, channel.Recover(e.ctx))
	check(t, consumer.Close())
	check(t, consumer.Close())
	e.holds(channel, 2) // what was not settled by Next's callers stays theirs until the channel ends
}

func TestWaysToConsume(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel, haigha.ConsumeOptions{Tag: "mine", Exclusive: true})
	equal(t, consumer.Tag(), "mine")
	e.publish(channel, "one", "two")
	deliveries := consumer.Deliveries(e.ctx)
	for _, body := range []string{"one", "two"} {
		delivery := <-deliveries
		equal(t, string(delivery.Body), body)
		check(t, delivery.Ack())
	}
	check(t, consumer.Cancel(e.ctx))
	if _, open := <-deliveries; open {
		t.Fatal("a delivery after cancel")
	}
	check(t, consumer.Err())

	consumer = e.consume(channel, haigha.ConsumeOptions{NoAck: true})
	e.publish(channel, "three", "four")
	var seen []string
	consumer.All(e.ctx)(func(delivery haigha.Delivery, err error) bool {
		check(t, err)
		seen = append(seen, string(delivery.Body))
		return len(seen) < 2
	})
	equal(t, fmt.Sprint(seen), "[three four]")
	consumer.All(cancelled())(func(_ haigha.Delivery, err error) bool {
		is(t, err, context.Canceled)
		return true
	})
}

func TestAPreparedPublish(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	publisher, err := channel.Publisher(haigha.Message{RoutingKey: "q",
		Properties: &haigha.Properties{AppID: "test", Headers: haigha.Table{"h": "v"}}})
	check(t, err)
	check(t, publisher.Publish(e.ctx, []byte("one")))
	confirmation, err := publisher.PublishAsync(e.ctx, nil)
	check(t, err)
	check(t, confirmation.Wait(e.ctx))
	equal(t, confirmation.Number, 2)
	one := e.get(channel)
	equal(t, string(one.Body), "one")
	equal(t, one.Properties().AppID, "test")
	same(t, e.headers(one)["h"], "v")
	equal(t, len(e.get(channel).Body), 0)
	check(t, publisher.Close())
	is(t, publisher.Publish(e.ctx, nil), haigha.ErrClosed)
}

func TestChannelPool(t *testing.T) {
	e := realEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	for _, transactions := range []bool{false, true} {
		pool, err := connection.ChannelPool(haigha.PoolOptions{MaxChannels: 2, Transactions: transactions})
		check(t, err)
		for i := 0; i < 100; i++ {
			_, err := pool.PublishAsync(e.ctx, haigha.Message{RoutingKey: e.queue, Body: []byte("one"),
				Properties: &haigha.Properties{Headers: haigha.Table{"n": i}}})
			check(t, err)
		}
		check(t, pool.Drain(e.ctx))
		err = pool.Publish(e.ctx, haigha.Message{RoutingKey: "nowhere", Mandatory: true})
		is(t, err, haigha.NoRoute)
		var refused *haigha.RefusedError
		err = pool.Publish(e.ctx, haigha.Message{Exchange: "nowhere"})
		if !errors.As(err, &refused) || !errors.Is(err, haigha.NotFound) {
			t.Fatal(err)
		}
		confirmed, err := pool.Info("confirmed")
		check(t, err)
		equal(t, confirmed, 100)
		check(t, pool.Close())
		check(t, pool.Close())
		is(t, pool.Publish(e.ctx, haigha.Message{}), haigha.ErrClosed)
	}
	e.holds(channel, 200)
}

func TestShutdown(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	consumer := e.consume(channel)
	e.publish(channel, "one")
	delivery := e.next(consumer)
	check(t, connection.Flush(e.ctx))
	done := make(chan error)
	go func() {
		leftover, err := connection.Shutdown(e.ctx)
		if leftover != (haigha.Leftover{}) {
			err = fmt.Errorf("%+v", leftover)
		}
		done <- err
	}()
	e.stub.do("wait basic.cancel 1 60000")
	check(t, delivery.Ack())
	check(t, <-done)
	equal(t, e.stub.do("queue q"), "0")
}

func TestStaleDeliveries(t *testing.T) {
	e := stubEnv(t)
	connection := e.connect(haigha.Options{"recovery": true, "recovery_delay_ms": 1})
	channel := e.channelOf(connection, haigha.ChannelOptions{Publishes: haigha.KeepUnsent})
	e.declare(channel)
	consumer := e.consume(channel)
	e.publish(channel, "one")
	before := e.next(consumer)
	e.stub.do("reset")
	event[haigha.Recovered](e, connection)
	is(t, before.Ack(), haigha.ErrStale)
	again := e.next(consumer)
	equal(t, again.Redelivered, true)
	check(t, again.Ack())
}

// content is a message in the octets that a stub broker sends: by a method of basic's with its arguments,
// and with these properties.
func content(method byte, arguments, properties string) string {
	frame := func(kind byte, payload string) string {
		return fmt.Sprintf("%02x0001%08x%xce", kind, len(payload), payload)
	}
	return frame(1, "\x00\x3c\x00"+string(method)+arguments) +
		frame(2, "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"+properties) + frame(3, "x")
}

func TestPropertiesThatCannotBeRead(t *testing.T) {
	deliver := func(properties string) string {
		return "inject " + content(60, "\x04mine\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01q", properties)
	}
	const contentType, headers = "\xa0\x00\x03t/x", "\x00\x00\x00\x03\x01h"
	e := stubEnv(t, "on basic.get raw "+
		content(71, "\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x01q\x00\x00\x00\x00", contentType+headers+"?"))
	channel := e.declared()
	consumer := e.consume(channel, haigha.ConsumeOptions{Tag: "mine", NoAck: true})
	unreadable := func(delivery *haigha.Delivery, contentType string) {
		t.Helper()
		table, err := delivery.Headers()
		is(t, err, haigha.ErrMalformed)
		equal(t, len(table), 0)
		properties := delivery.Properties()
		is(t, properties.Err, haigha.ErrMalformed)
		equal(t, properties.ContentType, contentType)
		equal(t, string(delivery.Body), "x") // it is delivered all the same
		// Nor can they be sent on, as if there were none.
		is(t, channel.Publish(e.ctx, haigha.Message{RoutingKey: "q", Properties: &properties}), haigha.ErrMalformed)
	}
	e.stub.do(deliver(contentType + headers + "?")) // a type that nobody knows
	delivery := e.next(consumer)
	unreadable(&delivery, "t/x")
	e.stub.do(deliver("\xa0\x00\x03t/")) // shorter than it says
	delivery = e.next(consumer)
	unreadable(&delivery, "")
	unreadable(e.get(channel), "t/x")
	e.stub.do(deliver(contentType + headers + "V"))
	delivery = e.next(consumer)
	table, err := delivery.Headers()
	check(t, err)
	equal(t, len(table), 1)
}

func TestPausingAConsumer(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one")
	one := e.next(consumer)
	check(t, consumer.Pause(e.ctx))
	e.publish(channel, "two")
	e.holds(channel, 1)
	check(t, one.Ack())
	check(t, consumer.Resume(e.ctx))
	equal(t, string(e.next(consumer).Body), "two")
	is(t, consumer.Resume(e.ctx), haigha.ErrArgument)
}

func TestDrainingAConsumer(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one")
	one := e.next(consumer)
	drained := make(chan error)
	go func() {
		left, err := consumer.Drain(e.ctx, patience)
		if err == nil && left != 0 {
			err = fmt.Errorf("%d are left", left)
		}
		drained <- err
	}()
	e.stub.do("wait basic.cancel 1 60000")
	check(t, one.Ack())
	check(t, <-drained)
	_, err := consumer.Next(e.ctx)
	is(t, err, io.EOF)
}

func TestSettlingAll(t *testing.T) {
	e := stubEnv(t)
	channel := e.declared()
	check(t, channel.QosOfChannel(e.ctx, 2))
	first, second := e.consume(channel), e.consume(channel)
	e.publish(channel, "one", "two", "three")
	one, _ := e.next(first), e.next(second)
	e.holds(channel, 1)
	check(t, channel.NackAll(true))
	is(t, one.Ack(), haigha.ErrArgument)
	e.next(first)
	e.next(second)
	check(t, channel.AckAll())
	check(t, first.Close())
	check(t, second.Close())
	check(t, channel.AckAll())
}
