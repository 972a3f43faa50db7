package haigha_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haigha"
)

// What is waited for comes long before; a test that waits for as long has failed.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if uri := os.Getenv("HAIGHA_GO_CHILD"); uri != "" {
		leaveWithLiveConnection(uri)
	}
	os.Exit(m.Run())
}

// A file of the project's.
func projectFile(names ...string) string {
	return filepath.Join(append([]string{"..", ".."}, names...)...)
}

// ---- the stub broker ---------------------------------------------------------------------------

type stub struct {
	t     testing.TB
	uri   string
	input io.WriteCloser
	lines chan string
}

// startStub has it follow the script from the first connection on.
func startStub(t testing.TB, script []string, options ...string) *stub {
	t.Helper()
	program := os.Getenv("HAIGHA_STUB_BROKER")
	if program == "" {
		program = "haigha-stub-broker"
	}
	command := exec.Command(program, options...)
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	check(t, err)
	output, err := command.StdoutPipe()
	check(t, err)
	check(t, command.Start())
	s := &stub{t: t, input: input, lines: make(chan string, 1000)}
	go func() {
		defer close(s.lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			s.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		input.Close()
		for range s.lines {
		}
		command.Wait()
	})
	s.uri = s.line()
	for _, line := range script {
		s.do(line)
	}
	return s
}

func (s *stub) line() string {
	s.t.Helper()
	select {
	case line, open := <-s.lines:
		if !open {
			s.t.Fatal("the stub broker has ended")
		}
		return line
	case <-time.After(patience):
		s.t.Fatal("the stub broker says nothing")
	}
	return ""
}

// do says a command, and gives the answer's value. What was fired before is passed over.
func (s *stub) do(command string) string {
	s.t.Helper()
	_, err := fmt.Fprintln(s.input, command)
	check(s.t, err)
	for {
		line := s.line()
		if strings.HasPrefix(line, "fired ") {
			continue
		}
		if line != "ok" && !strings.HasPrefix(line, "ok ") {
			s.t.Fatalf("%s: %s", command, line)
		}
		return strings.TrimPrefix(strings.TrimPrefix(line, "ok"), " ")
	}
}

// fired waits until a rule of the script is followed.
func (s *stub) fired() {
	s.t.Helper()
	if line := s.line(); !strings.HasPrefix(line, "fired ") {
		s.t.Fatalf("%q where a rule was to be followed", line)
	}
}

// ---- a test's broker, stub or real -------------------------------------------------------------

type env struct {
	*testing.T
	ctx   context.Context
	uri   string
	stub  *stub // nil: a real broker
	queue string
}

func newEnv(t *testing.T, uri string, s *stub) *env {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	name := strings.NewReplacer("/", ".", " ", "-").Replace(t.Name())
	return &env{t, ctx, uri, s, fmt.Sprintf("go.%s.%d", name, os.Getpid())}
}

func stubEnv(t *testing.T, script ...string) *env {
	s := startStub(t, script)
	e := newEnv(t, s.uri, s)
	e.queue = "q"
	return e
}

// realEnv has the real broker; without one the test is skipped.
func realEnv(t *testing.T) *env {
	uri := os.Getenv("HAIGHA_TEST_URI")
	if uri == "" {
		t.Skip("HAIGHA_TEST_URI names no broker")
	}
	return newEnv(t, uri, nil)
}

func (e *env) connect(options ...haigha.Options) *haigha.Connection {
	e.Helper()
	connection, err := haigha.Connect(e.ctx, e.uri, options...)
	check(e, err)
	e.Cleanup(func() { connection.Close() })
	return connection
}

func (e *env) channelOf(connection *haigha.Connection, options ...haigha.ChannelOptions) *haigha.Channel {
	e.Helper()
	channel, err := connection.Channel(e.ctx, options...)
	check(e, err)
	return channel
}

func (e *env) channel(options ...haigha.ChannelOptions) *haigha.Channel {
	e.Helper()
	return e.channelOf(e.connect(), options...)
}

// declared is a channel with the test's queue.
func (e *env) declared() *haigha.Channel {
	e.Helper()
	channel := e.channel()
	e.declare(channel)
	return channel
}

func (e *env) declare(channel *haigha.Channel) {
	e.Helper()
	queue, err := channel.QueueDeclare(e.ctx, e.queue, haigha.QueueOptions{Exclusive: e.stub == nil})
	check(e, err)
	equal(e, queue.Name, e.queue)
}

func (e *env) publish(channel *haigha.Channel, bodies ...string) {
	e.Helper()
	for _, body := range bodies {
		check(e, channel.Publish(e.ctx, haigha.Message{RoutingKey: e.queue, Body: []byte(body)}))
	}
}

func (e *env) consume(channel *haigha.Channel, options ...haigha.ConsumeOptions) *haigha.Consumer {
	e.Helper()
	consumer, err := channel.Consume(e.ctx, e.queue, options...)
	check(e, err)
	return consumer
}

func (e *env) next(consumer *haigha.Consumer) haigha.Delivery {
	e.Helper()
	delivery, err := consumer.Next(e.ctx)
	check(e, err)
	return delivery
}

func (e *env) get(channel *haigha.Channel) *haigha.Delivery {
	e.Helper()
	delivery, err := channel.Get(e.ctx, e.queue, true)
	check(e, err)
	return delivery
}

func (e *env) headers(delivery *haigha.Delivery) haigha.Table {
	e.Helper()
	headers, err := delivery.Headers()
	check(e, err)
	return headers
}

// holds checks how many messages are ready in the test's queue.
func (e *env) holds(channel *haigha.Channel, wanted int) {
	e.Helper()
	queue, err := channel.QueueDeclare(e.ctx, e.queue, haigha.QueueOptions{Passive: true})
	check(e, err)
	equal(e, queue.Messages, wanted)
}

// event waits for one of a type.
func event[T haigha.Event](e *env, connection *haigha.Connection) (found T) {
	e.Helper()
	for {
		select {
		case one, open := <-connection.Events():
			if !open {
				e.Fatalf("the connection is closed, and there was no %T", found)
			}
			if wanted, is := one.(T); is {
				return wanted
			}
		case <-e.ctx.Done():
			e.Fatalf("there is no %T", found)
		}
	}
}

// ---- checks ------------------------------------------------------------------------------------

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%v, and not %v", err, target)
	}
}

func equal[T comparable](t testing.TB, is, wanted T) {
	t.Helper()
	if is != wanted {
		t.Fatalf("%v, and not %v", is, wanted)
	}
}

// same is equal where types are not known before.
func same(t testing.TB, is, wanted any) {
	t.Helper()
	if is != wanted {
		t.Fatalf("%#v, and not %#v", is, wanted)
	}
}

func jsonFile(t testing.TB, into any, names ...string) {
	t.Helper()
	text, err := os.ReadFile(projectFile(names...))
	check(t, err)
	check(t, json.Unmarshal(text, into))
}
