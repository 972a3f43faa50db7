package haigha_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"haigha"
)

// The behaviours that every binding has, by their names in behaviours.json.
var behaviours = map[string]func(*env, *behaviour){
	"publish-confirmed":           publishConfirmed,
	"publish-nacked":              publishNacked,
	"publish-returned":            publishReturned,
	"publish-unknown":             publishUnknown,
	"consume-and-ack":             consumeAndAck,
	"prefetch":                    prefetch,
	"requeued":                    requeued,
	"cancel":                      cancel,
	"cancelled-by-broker":         cancelledByBroker,
	"not-found":                   notFound,
	"connection-closed":           connectionClosed,
	"broker-killed-while-waiting": brokerKilledWhileWaiting,
	"answer-in-time":              answerInTime,
	"late-answer":                 lateAnswer,
	"reconnect":                   reconnect,
	"bad-password":                badPassword,
	"blocked":                     blocked,
	"bad-frame":                   badFrame,
	"direct-reply":                directReply,
	"exit-with-live-connection":   exitWithLiveConnection,
	"handler-fails":               handlerFails,
	"hundred-thousand":            hundredThousand,
	"every-header":                everyHeader,
	"large-body":                  largeBody,
}

type behaviour struct {
	Name     string
	Script   []string
	Commands []string
}

// command says the nth one to the stub broker.
func (b *behaviour) command(e *env, nth int) {
	e.Helper()
	e.stub.do(b.Commands[nth])
}

func TestConformance(t *testing.T) {
	var list struct{ Behaviours []behaviour }
	jsonFile(t, &list, "tests", "conformance", "behaviours.json")
	known := map[string]bool{}
	for i := range list.Behaviours {
		b := &list.Behaviours[i]
		known[b.Name] = true
		test := behaviours[b.Name]
		if test == nil {
			t.Errorf("there is no test of %s", b.Name)
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			t.Run("stub", func(t *testing.T) {
				e := stubEnv(t, b.Script...)
				test(e, b)
				if violations := e.stub.do("violations"); violations != "0" {
					t.Error(violations)
				}
			})
			if len(b.Script) == 0 && len(b.Commands) == 0 {
				t.Run("broker", func(t *testing.T) { test(realEnv(t), b) })
			}
		})
	}
	for name := range behaviours {
		if !known[name] {
			t.Errorf("there is no behaviour %s", name)
		}
	}
}

func publishConfirmed(e *env, _ *behaviour) {
	channel := e.declared()
	e.publish(channel, "one")
	e.holds(channel, 1)
}

func publishNacked(e *env, _ *behaviour) {
	channel := e.declared()
	one, err := channel.PublishAsync(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte("one")})
	check(e, err)
	two, err := channel.PublishAsync(e.ctx, haigha.Message{RoutingKey: "q", Body: []byte("two")})
	check(e, err)
	var nacked *haigha.NackedError
	if err := one.Wait(e.ctx); !errors.As(err, &nacked) {
		e.Fatal(err)
	}
	check(e, two.Wait(e.ctx))
	equal(e, string(e.get(channel).Body), "two")
	equal(e, e.get(channel), nil)
}

func publishReturned(e *env, _ *behaviour) {
	err := e.channel().Publish(e.ctx, haigha.Message{RoutingKey: "nowhere", Mandatory: true})
	var returned *haigha.ReturnedError
	if !errors.As(err, &returned) || !errors.Is(err, haigha.NoRoute) {
		e.Fatal(err)
	}
	equal(e, *returned, haigha.ReturnedError{Code: 312, Text: "NO_ROUTE"})
}

func publishUnknown(e *env, _ *behaviour) {
	err := e.declared().Publish(e.ctx, haigha.Message{RoutingKey: "q"})
	var unknown *haigha.UnknownError
	if !errors.As(err, &unknown) {
		e.Fatal(err)
	}
}

func consumeAndAck(e *env, _ *behaviour) {
	connection := e.connect()
	channel := e.channelOf(connection)
	e.declare(channel)
	consumer := e.consume(channel)
	e.publish(channel, "one", "two", "three")
	for i, body := range []string{"one", "two", "three"} {
		delivery := e.next(consumer)
		equal(e, string(delivery.Body), body)
		equal(e, delivery.Tag, uint64(i+1))
		equal(e, delivery.RoutingKey, e.queue)
		equal(e, delivery.ConsumerTag, consumer.Tag())
		check(e, delivery.Ack())
	}
	check(e, channel.Close())
	e.holds(e.channelOf(connection), 0)
}

func prefetch(e *env, _ *behaviour) {
	channel := e.declared()
	e.publish(channel, "one", "two", "three", "four")
	check(e, channel.Qos(e.ctx, 2))
	consumer := e.consume(channel)
	one := e.next(consumer)
	e.next(consumer)
	// An answer comes after what the broker would have delivered.
	e.holds(channel, 2)
	check(e, one.Ack())
	equal(e, string(e.next(consumer).Body), "three")
}

func requeued(e *env, _ *behaviour) {
	channel := e.declared()
	consumer := e.consume(channel)
	e.publish(channel, "one")
	delivery := e.next(consumer)
	equal(e, delivery.Redelivered, false)
	check(e, delivery.Reject(true))
	delivery = e.next(consumer)
	equal(e, delivery.Redelivered, true)
	check(e, delivery.Ack())
}

func cancel(e *env, _ *behaviour) {
	channel := e.declared()
	consumer := e.consume(channel)
	check(e, consumer.Cancel(e.ctx))
	e.publish(channel, "one")
	_, err := consumer.Next(e.ctx)
	is(e, err, io.EOF)
	check(e, consumer.Err())
	e.holds(channel, 1)
}

func cancelledByBroker(e *env, b *behaviour) {
	channel := e.declared()
	consumer := e.consume(channel)
	b.command(e, 0)
	_, err := consumer.Next(e.ctx)
	if !errors.Is(err, haigha.ErrConsumerCancelled) || !errors.Is(consumer.Err(), haigha.ErrConsumerCancelled) {
		e.Fatal(err)
	}
	equal(e, channel.State(), haigha.StateOpen)
	e.holds(channel, 0)
}

func notFound(e *env, _ *behaviour) {
	connection := e.connect()
	channel, other := e.channelOf(connection), e.channelOf(connection)
	_, err := channel.QueueDeclare(e.ctx, "nowhere", haigha.QueueOptions{Passive: true})
	var refused *haigha.Error
	if !errors.Is(err, haigha.NotFound) || !errors.Is(err, haigha.ErrChannelClosed) || !errors.As(err, &refused) {
		e.Fatal(err)
	}
	if !strings.Contains(refused.ReplyText, "NOT_FOUND") {
		e.Fatal(refused.ReplyText)
	}
	equal(e, refused.Method, "queue.declare")
	equal(e, refused.Channel, channel.Number())
	equal(e, refused.Status.String(), "HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER")
	equal(e, channel.State(), haigha.StateClosed)
	e.declare(other)
}

func connectionClosed(e *env, _ *behaviour) {
	connection := e.connect()
	_, err := e.channelOf(connection).QueueDeclare(e.ctx, "q")
	for _, err := range []error{err, connection.Err()} {
		var ended *haigha.Error
		if !errors.As(err, &ended) {
			e.Fatal(err)
		}
		equal(e, ended.ReplyCode, haigha.ConnectionForced)
		equal(e, ended.ReplyText, "CONNECTION_FORCED - by script")
	}
	equal(e, connection.State(), haigha.StateClosed)
}

func brokerKilledWhileWaiting(e *env, _ *behaviour) {
	connection := e.connect(haigha.Options{"rpc_timeout_ms": 3_600_000})
	_, err := e.channelOf(connection).QueueDeclare(e.ctx, "q")
	if !errors.Is(err, haigha.ErrIO) {
		e.Fatal(err)
	}
}

func answerInTime(e *env, _ *behaviour) {
	channel := e.channel()
	ctx, cancel := context.WithTimeout(e.ctx, 100*time.Millisecond)
	defer cancel()
	_, err := channel.QueueDeclare(ctx, "q")
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, haigha.ErrTimeout) {
		e.Fatal(err)
	}
}

func lateAnswer(e *env, b *behaviour) {
	channel := e.channel()
	type declared struct {
		queue haigha.Queue
		err   error
	}
	answer := make(chan declared, 1)
	go func() {
		queue, err := channel.QueueDeclare(e.ctx, "first")
		answer <- declared{queue, err}
	}()
	e.stub.fired()
	b.command(e, 0)
	got := <-answer
	check(e, got.err)
	equal(e, got.queue.Name, "first")
}

func reconnect(e *env, b *behaviour) {
	connection := e.connect(haigha.Options{"recovery": true, "recovery_delay_ms": 1})
	channel := e.channelOf(connection)
	e.declare(channel)
	consumer := e.consume(channel)
	b.command(e, 0)
	equal(e, event[haigha.RecoveryAttempt](e, connection).Number, 1)
	event[haigha.Recovered](e, connection)
	b.command(e, 1)
	equal(e, string(e.next(consumer).Body), "found")
}

func badPassword(e *env, _ *behaviour) {
	uri := strings.Replace(e.uri, "guest:guest", "guest:secret-word", 1)
	_, err := haigha.Connect(e.ctx, uri)
	if !errors.Is(err, haigha.ErrAuth) || !strings.Contains(err.Error(), "ACCESS_REFUSED") {
		e.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v", err, *err.(*haigha.Error)); strings.Contains(text, "secret-word") {
		e.Fatal(text)
	}
}

func blocked(e *env, b *behaviour) {
	connection := e.connect()
	b.command(e, 0)
	equal(e, event[haigha.Blocked](e, connection).Reason, "low on memory")
	b.command(e, 1)
	event[haigha.Unblocked](e, connection)
}

func badFrame(e *env, _ *behaviour) {
	_, err := e.channel().QueueDeclare(e.ctx, "q")
	if !errors.Is(err, haigha.ErrProtocol) {
		e.Fatal(err)
	}
	e.stub.do("wait connection.close 1 60000") // its code: ConformanceFrames of the library's tests
}

func directReply(e *env, _ *behaviour) {
	connection := e.connect()
	server, client := e.channelOf(connection), e.channelOf(connection)
	e.declare(server)
	requests := e.consume(server)
	go requests.Handle(e.ctx, func(ctx context.Context, request haigha.Delivery) error {
		properties := request.Properties()
		return server.Publish(ctx, haigha.Message{
			RoutingKey: properties.ReplyTo,
			Properties: &haigha.Properties{CorrelationID: properties.CorrelationID},
			Body:       request.Body,
		})
	})
	answers, err := client.Consume(e.ctx, "amq.rabbitmq.reply-to", haigha.ConsumeOptions{NoAck: true})
	check(e, err)
	check(e, client.Publish(e.ctx, haigha.Message{
		RoutingKey: e.queue,
		Properties: &haigha.Properties{ReplyTo: "amq.rabbitmq.reply-to", CorrelationID: "7"},
		Body:       []byte("ping"),
	}))
	answer := e.next(answers)
	equal(e, string(answer.Body), "ping")
	equal(e, answer.Properties().CorrelationID, "7")
	check(e, requests.Cancel(e.ctx))
}

func exitWithLiveConnection(e *env, _ *behaviour) {
	child := exec.CommandContext(e.ctx, os.Args[0])
	child.Env = append(os.Environ(), "HAIGHA_GO_CHILD="+e.uri)
	said, err := child.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		e.Fatalf("%v: %s", err, said)
	}
}

// The other process of exitWithLiveConnection.
func leaveWithLiveConnection(uri string) {
	ctx := context.Background()
	connection, err := haigha.Connect(ctx, uri)
	if err == nil {
		var channel *haigha.Channel
		if channel, err = connection.Channel(ctx); err == nil {
			if _, err = channel.QueueDeclare(ctx, "", haigha.QueueOptions{Exclusive: true}); err == nil {
				var consumer *haigha.Consumer
				if consumer, err = channel.Consume(ctx, ""); err == nil {
					go consumer.Next(ctx)
					os.Exit(7)
				}
			}
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func handlerFails(e *env, b *behaviour) {
	consumer := e.consume(e.declared())
	b.command(e, 0)
	b.command(e, 1)
	var seen []string
	handler := func(_ context.Context, delivery haigha.Delivery) error {
		seen = append(seen, string(delivery.Body))
		if len(seen) == 1 {
			panic("at " + seen[0])
		}
		if len(seen) == 3 {
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	err := consumer.Handle(e.ctx, handler)
	var panicked *haigha.PanicError
	if !errors.As(err, &panicked) || panicked.Value != "at one" || !bytes.Contains(panicked.Stack, []byte("handlerFails")) {
		e.Fatal(err)
	}
	// The consumer goes on: `two` is delivered, and `one` again.
	is(e, consumer.Handle(e.ctx, handler), io.ErrUnexpectedEOF)
	equal(e, len(seen), 3)
	equal(e, seen[1] == "two" || seen[2] == "two", true)
}

// The number, and the same number another way.
func numbered(number int) string {
	return strconv.Itoa(number) + " " + strconv.FormatUint(uint64(number)*0x9e3779b97f4a7c15, 10)
}

func hundredThousand(e *env, _ *behaviour) {
	count := 100_000
	if testing.Short() {
		count = 5_000
	}
	channel := e.declared()
	consumer := e.consume(channel)
	failed := make(chan error, 1)
	go func() {
		var confirmations []*haigha.Confirmation
		for number := 0; number < count; number++ {
			confirmation, err := channel.PublishAsync(e.ctx, haigha.Message{RoutingKey: e.queue,
				Body: []byte(numbered(number))})
			if err != nil {
				failed <- err
				return
			}
			confirmations = append(confirmations, confirmation)
		}
		for _, confirmation := range confirmations {
			if err := confirmation.Wait(e.ctx); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	for number := 0; number < count; number++ {
		delivery := e.next(consumer)
		equal(e, string(delivery.Body), numbered(number))
		check(e, delivery.Ack())
	}
	check(e, <-failed)
}

// The value that a field of headers.json stands for.
func headerValue(t testing.TB, letter string, value any) any {
	integer := func() int64 {
		number, err := strconv.ParseInt(fmt.Sprint(value), 10, 64)
		check(t, err)
		return number
	}
	switch letter {
	case "t", "V":
		return value
	case "b":
		return int8(integer())
	case "B":
		return uint8(integer())
	case "s":
		return int16(integer())
	case "u":
		return uint16(integer())
	case "I":
		return int32(integer())
	case "i":
		return uint32(integer())
	case "l":
		return integer()
	case "f", "d":
		number, err := value.(json.Number).Float64()
		check(t, err)
		if letter == "f" {
			return float32(number)
		}
		return number
	case "S":
		return value
	case "x":
		octets, err := hex.DecodeString(value.(map[string]any)["hex"].(string))
		check(t, err)
		return octets
	case "T":
		return time.Unix(integer(), 0).UTC()
	case "D":
		parts := value.(map[string]any)
		value = parts["unscaled"]
		unscaled := integer()
		value = parts["scale"]
		return haigha.Decimal{Scale: uint8(integer()), Value: int32(unscaled)}
	case "F":
		return headerTable(t, value.([]any))
	case "A":
		values := []any{}
		for _, one := range value.([]any) {
			element := one.(map[string]any)
			values = append(values, headerValue(t, element["type"].(string), element["value"]))
		}
		return values
	}
	t.Fatalf("a field of the type %s", letter)
	return nil
}

func headerTable(t testing.TB, fields []any) haigha.Table {
	table := haigha.Table{}
	for _, one := range fields {
		field := one.(map[string]any)
		table[field["name"].(string)] = headerValue(t, field["type"].(string), field["value"])
	}
	return table
}

func everyHeader(e *env, _ *behaviour) {
	var list struct {
		Valid []struct {
			Name       string
			Properties []struct{ Value any }
		}
	}
	text, err := os.ReadFile(projectFile("tests", "conformance", "headers.json"))
	check(e, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	check(e, decoder.Decode(&list))
	var headers haigha.Table
	for _, one := range list.Valid {
		if one.Name == "headers of every type" {
			headers = headerTable(e, one.Properties[0].Value.([]any))
		}
	}
	if len(headers) < 17 {
		e.Fatal(headers)
	}
	channel := e.declared()
	check(e, channel.Publish(e.ctx, haigha.Message{RoutingKey: e.queue,
		Properties: &haigha.Properties{Headers: headers}}))
	if got := e.headers(e.get(channel)); !reflect.DeepEqual(got, headers) {
		e.Fatalf("%#v, and not %#v", got, headers)
	}
}

func largeBody(e *env, _ *behaviour) {
	body := make([]byte, 1<<20)
	for i := range body {
		body[i] = byte(i * i >> 8)
	}
	channel := e.declared()
	check(e, channel.Publish(e.ctx, haigha.Message{RoutingKey: e.queue, Body: body}))
	if got := e.get(channel); !bytes.Equal(got.Body, body) {
		e.Fatal(len(got.Body))
	}
}
