// The benchmark's work with this package, as the drivers of tests/bench/peers have it.
//
// usage: haigha_go_driver URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
// prints "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"haigha"
)

const filler = 'x'

func giveUp(why any) {
	fmt.Fprintln(os.Stderr, "haigha_go_driver:", why)
	os.Exit(1)
}

func check(err error) {
	if err != nil {
		giveUp(err)
	}
}

func number(text string) uint64 {
	value, err := strconv.ParseUint(text, 10, 64)
	check(err)
	return value
}

// Measures from message warm+1 on.
type meter struct {
	count, warm uint64
	cpu         time.Duration
	wall        time.Time
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (m *meter) before(number uint64) {
	if number == m.warm+1 {
		m.cpu, m.wall = cpuTime(), time.Now()
	}
}

func (m *meter) report() {
	messages := float64(m.count - m.warm)
	fmt.Printf("%.6f %.0f\n", float64((cpuTime()-m.cpu).Nanoseconds())/1e3/messages,
		messages/time.Since(m.wall).Seconds())
}

// Without a window there are no confirms.
func publish(ctx context.Context, channel *haigha.Channel, queue string, size int, m *meter, window uint64) {
	body := make([]byte, size)
	for i := range body {
		body[i] = filler
	}
	confirmations := make([]*haigha.Confirmation, window)
	for number := uint64(1); number <= m.count; number++ {
		m.before(number)
		binary.LittleEndian.PutUint64(body, number)
		binary.LittleEndian.PutUint64(body[size-8:], ^number)
		confirmation, err := channel.PublishAsync(ctx, haigha.Message{RoutingKey: queue, Body: body})
		check(err)
		if window > 0 {
			oldest := &confirmations[number%window]
			if *oldest != nil {
				check((*oldest).Wait(ctx))
			}
			*oldest = confirmation
		}
	}
	for _, confirmation := range confirmations {
		if confirmation != nil {
			check(confirmation.Wait(ctx))
		}
	}
}

// With HAIGHA_GO_RELEASE in the environment bodies are released.
func consume(ctx context.Context, channel *haigha.Channel, queue string, size int, m *meter, ack bool) {
	release := os.Getenv("HAIGHA_GO_RELEASE") != ""
	consumer, err := channel.Consume(ctx, queue, haigha.ConsumeOptions{NoAck: !ack})
	check(err)
	for number := uint64(1); number <= m.count; number++ {
		m.before(number)
		delivery, err := consumer.Next(ctx)
		check(err)
		body := delivery.Body
		if delivery.Tag != number || len(body) != size || binary.LittleEndian.Uint64(body) != number ||
			binary.LittleEndian.Uint64(body[size-8:]) != ^number || (size > 16 && body[size/2] != filler) {
			giveUp("a delivery is not what was sent")
		}
		if ack {
			check(delivery.Ack())
		}
		if release {
			delivery.Release()
		}
	}
}

func main() {
	if len(os.Args) != 9 {
		giveUp("usage: haigha_go_driver URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE")
	}
	work, queue := os.Args[2], os.Args[8]
	size := int(number(os.Args[3]))
	m := &meter{count: number(os.Args[4]), warm: number(os.Args[5])}
	ctx := context.Background()

	connection, err := haigha.Connect(ctx, os.Args[1])
	check(err)
	confirms := work == "publish+confirm"
	channel, err := connection.Channel(ctx, haigha.ChannelOptions{WithoutConfirms: !confirms})
	check(err)
	prefetch := uint16(number(os.Args[7]))
	check(channel.Qos(ctx, prefetch))
	switch work {
	case "publish":
		publish(ctx, channel, queue, size, m, 0)
	case "publish+confirm":
		publish(ctx, channel, queue, size, m, number(os.Args[6]))
	default:
		consume(ctx, channel, queue, size, m, work == "consume+ack")
	}
	// A round trip: what was written is then read.
	check(channel.Qos(ctx, prefetch))
	m.report()
	check(connection.Close())
}
