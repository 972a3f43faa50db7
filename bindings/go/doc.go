// Package haigha is an AMQP 0-9-1 client over libhaigha, a C library that does the protocol, TLS,
// recovery and flow control on a thread of its own.
//
// A [Connection] has any number of [Channel]s. Every call that waits takes a context, which ends the
// wait and never leaves anything behind: what was asked for is forgotten, or undone, when its answer
// comes. Everything may be used by many goroutines at once.
//
// Nothing here is called back by C. What has happened waits in an inbox of the library's, whose
// descriptor is in the runtime's poller, and is fetched in batches, hundreds of messages a crossing.
// So a process may end at any moment, and a panic in a program's own goroutine is its own affair;
// [Consumer.Handle] has one returned as a *[PanicError].
//
// # Errors
//
// What the library or the broker refused is an *[Error], with the broker's code and text where it gave
// them. It is errors.Is one [Status] ([ErrTimeout], [ErrClosed], ...) and one [ReplyCode] ([NotFound],
// [AccessRefused], ...). A publish with confirms ends as nil, *[NackedError], *[ReturnedError],
// *[NotSentError], *[UnknownError] or, of a [ChannelPool], *[RefusedError].
package haigha

// #cgo pkg-config: haigha
// #include "bridge.h"
import "C"

import "fmt"

// Version is that of the library at run time, such as "0.1.0".
func Version() string { return C.GoString(C.haigha_version_string()) }

// The library may be another one than this package was built with.
func checkVersion() error {
	if number := uint32(C.haigha_version()); number/1000 != C.HAIGHA_VERSION/1000 {
		return fmt.Errorf("haigha: built for libhaigha %d.%d, and found %s",
			C.HAIGHA_VERSION_MAJOR, C.HAIGHA_VERSION_MINOR, Version())
	}
	return nil
}
