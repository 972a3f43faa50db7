// The benchmark's work with amqp091-go.
//
// usage: amqp091_client URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE
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

	amqp "github.com/rabbitmq/amqp091-go"
)

const filler = 'x'

func check(err error) {
	if err != nil {
		giveUp(err.Error())
	}
}

func giveUp(why string) {
	fmt.Fprintln(os.Stderr, "amqp091_client:", why)
	os.Exit(1)
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
func publish(channel *amqp.Channel, queue string, size int, m *meter, window uint64) {
	body := make([]byte, size)
	for i := range body {
		body[i] = filler
	}
	var confirms chan amqp.Confirmation
	if window > 0 {
		check(channel.Confirm(false))
		confirms = channel.NotifyPublish(make(chan amqp.Confirmation, window))
	}
	var confirmed uint64
	await := func() {
		if confirm := <-confirms; !confirm.Ack {
			giveUp("no confirm")
		}
		confirmed++
	}
	ctx := context.Background()
	for number := uint64(1); number <= m.count; number++ {
		m.before(number)
		binary.LittleEndian.PutUint64(body, number)
		binary.LittleEndian.PutUint64(body[size-8:], ^number)
		check(channel.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{Body: body}))
		for window > 0 && number-confirmed >= window {
			await()
		}
	}
	for window > 0 && confirmed < m.count {
		await()
	}
}

func consume(channel *amqp.Channel, queue string, size int, m *meter, ack bool) {
	deliveries, err := channel.Consume(queue, "", !ack, false, false, false, nil)
	check(err)
	for number := uint64(1); number <= m.count; number++ {
		m.before(number)
		delivery, open := <-deliveries
		body := delivery.Body
		if !open || delivery.DeliveryTag != number || len(body) != size ||
			binary.LittleEndian.Uint64(body) != number ||
			binary.LittleEndian.Uint64(body[size-8:]) != ^number ||
			(size > 16 && body[size/2] != filler) {
			giveUp("a delivery is not what was sent")
		}
		if ack {
			check(delivery.Ack(false))
		}
	}
}

func main() {
	if len(os.Args) != 9 {
		giveUp("usage: amqp091_client URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE")
	}
	work, queue := os.Args[2], os.Args[8]
	size := int(number(os.Args[3]))
	m := &meter{count: number(os.Args[4]), warm: number(os.Args[5])}

	connection, err := amqp.Dial(os.Args[1])
	check(err)
	channel, err := connection.Channel()
	check(err)
	prefetch := int(number(os.Args[7]))
	check(channel.Qos(prefetch, 0, false))
	switch work {
	case "publish":
		publish(channel, queue, size, m, 0)
	case "publish+confirm":
		publish(channel, queue, size, m, number(os.Args[6]))
	default:
		consume(channel, queue, size, m, work == "consume+ack")
	}
	// A round trip: what was written is then read.
	check(channel.Qos(prefetch, 0, false))
	m.report()
	check(connection.Close())
}
