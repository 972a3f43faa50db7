package haigha

// #include "bridge.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
)

// Status is a number of the library's for a kind of failure. As an error it is what an [*Error] is
// compared with: errors.Is(err, haigha.ErrTimeout).
type Status int32

// What a Status may be. From ErrArgument on nothing was sent and nothing taken; from ErrTimeout on it
// was tried and failed.
const (
	ErrArgument        Status = C.HAIGHA_ERR_ARGUMENT
	ErrWouldBlock      Status = C.HAIGHA_ERR_WOULD_BLOCK
	ErrWrongThread     Status = C.HAIGHA_ERR_WRONG_THREAD
	ErrClosed          Status = C.HAIGHA_ERR_CLOSED
	ErrStale           Status = C.HAIGHA_ERR_STALE
	ErrNoMemory        Status = C.HAIGHA_ERR_NO_MEMORY
	ErrStructVersion   Status = C.HAIGHA_ERR_STRUCT_VERSION
	ErrChannelLimit    Status = C.HAIGHA_ERR_CHANNEL_LIMIT
	ErrForked          Status = C.HAIGHA_ERR_FORKED
	ErrUnsupported     Status = C.HAIGHA_ERR_UNSUPPORTED
	ErrMalformed       Status = C.HAIGHA_ERR_MALFORMED
	ErrRecovering      Status = C.HAIGHA_ERR_RECOVERING
	ErrTimeout         Status = C.HAIGHA_ERR_TIMEOUT
	ErrIO              Status = C.HAIGHA_ERR_IO
	ErrTLS             Status = C.HAIGHA_ERR_TLS
	ErrProtocol        Status = C.HAIGHA_ERR_PROTOCOL
	ErrAuth            Status = C.HAIGHA_ERR_AUTH
	ErrChannelClosed   Status = C.HAIGHA_ERR_CHANNEL_CLOSED_BY_BROKER
	ErrConnectionEnded Status = C.HAIGHA_ERR_CONNECTION_CLOSED_BY_BROKER
	ErrResolve         Status = C.HAIGHA_ERR_RESOLVE
	ErrHeartbeat       Status = C.HAIGHA_ERR_HEARTBEAT
	ErrReturned        Status = C.HAIGHA_ERR_RETURNED
	ErrInternal        Status = C.HAIGHA_ERR_INTERNAL
)

// String is the library's name of it, such as "HAIGHA_ERR_TIMEOUT".
func (s Status) String() string { return C.GoString(C.haigha_status_name(C.haigha_status(s))) }

func (s Status) Error() string { return "haigha: " + s.String() }

// ReplyCode is a number of the protocol's by which a broker says why it closes a channel or a
// connection. As an error it is what an [*Error] is compared with: errors.Is(err, haigha.NotFound).
type ReplyCode uint16

// The reply codes of AMQP 0-9-1.
const (
	ContentTooLarge    ReplyCode = 311
	NoRoute            ReplyCode = 312
	NoConsumers        ReplyCode = 313
	ConnectionForced   ReplyCode = 320
	InvalidPath        ReplyCode = 402
	AccessRefused      ReplyCode = 403
	NotFound           ReplyCode = 404
	ResourceLocked     ReplyCode = 405
	PreconditionFailed ReplyCode = 406
	FrameError         ReplyCode = 501
	SyntaxError        ReplyCode = 502
	CommandInvalid     ReplyCode = 503
	ChannelError       ReplyCode = 504
	UnexpectedFrame    ReplyCode = 505
	ResourceError      ReplyCode = 506
	NotAllowed         ReplyCode = 530
	NotImplemented     ReplyCode = 540
	InternalError      ReplyCode = 541
)

func (c ReplyCode) Error() string {
	return fmt.Sprintf("haigha: the broker's reply code %d", uint16(c))
}

// Error is what the library or the broker refused, or how something ended.
type Error struct {
	Status    Status
	Message   string    // one sentence; never a password
	ReplyCode ReplyCode // the broker's, or 0
	ReplyText string    // the broker's, word for word
	Method    string    // what the broker blames, such as "queue.declare"
	Stage     string    // of a connection: "resolve", "connect", "tls", "handshake", "open", "ready"
	Channel   int       // its number, or 0 when it is not about one channel
	Host      string    // "host:port" as configured
	Errno     int       // the operating system's, or 0
}

func (e *Error) Error() string { return "haigha: " + e.Message }

// Is tells whether target is this error's Status or ReplyCode.
func (e *Error) Is(target error) bool {
	switch wanted := target.(type) {
	case Status:
		return e.Status == wanted
	case ReplyCode:
		return e.ReplyCode == wanted
	}
	return false
}

// ErrConsumerCancelled is why a consumer ended that the broker cancelled: its queue was deleted, or its
// node has gone. The [*Error] is the same error's.
var ErrConsumerCancelled = errors.New("haigha: the broker has cancelled the consumer")

type cancelledError struct{ cause *Error }

func (e *cancelledError) Error() string {
	return ErrConsumerCancelled.Error() + ": " + e.cause.Message
}
func (e *cancelledError) Unwrap() error        { return e.cause }
func (e *cancelledError) Is(target error) bool { return target == ErrConsumerCancelled }

// A context has ended a wait.
type waitError struct {
	what  string
	cause error
}

func (e *waitError) Error() string { return "haigha: " + e.what + ": " + e.cause.Error() }
func (e *waitError) Unwrap() error { return e.cause }
func (e *waitError) Is(target error) bool {
	return target == ErrTimeout && errors.Is(e.cause, context.DeadlineExceeded)
}

func goString(view C.haigha_str) string {
	return C.GoStringN(view.data, C.int(view.size))
}

// A copy; nil for NULL.
func readError(from *C.haigha_error) *Error {
	if from == nil {
		return nil
	}
	read := C.hg_error_read(from)
	return &Error{
		Status:    Status(read.status),
		Message:   C.GoString(read.message),
		ReplyCode: ReplyCode(read.reply_code),
		ReplyText: goString(read.reply_text),
		Method:    C.GoString(read.method),
		Stage:     C.GoString(read.stage),
		Channel:   int(read.channel_id),
		Host:      goString(read.host),
		Errno:     int(read.os_errno),
	}
}

// The error of a call that was refused, which is freed; nil for one that was not.
func failure(result C.hg_result) error {
	if result.status == C.HAIGHA_OK {
		return nil
	}
	if result.error == nil {
		status := Status(result.status)
		return &Error{Status: status, Message: "the call was refused: " + status.String()}
	}
	err := readError(result.error)
	C.haigha_error_free(result.error)
	return err
}

func closedError(what string) *Error {
	return &Error{Status: ErrClosed, Message: what + " is closed"}
}
