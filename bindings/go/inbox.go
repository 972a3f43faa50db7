package haigha

// #include "bridge.h"
import "C"

import (
	"os"
	"syscall"
	"unsafe"
)

// A queue of the library's that events are fetched from, and its descriptor in the runtime's poller.
type inbox struct {
	handle *C.haigha_inbox
	batch  *C.hg_batch
	file   *os.File
	raw    syscall.RawConn
}

func newInbox(capacity int) (*inbox, error) {
	result := C.hg_inbox_new(C.size_t(capacity))
	if err := failure(result); err != nil {
		return nil, err
	}
	b := &inbox{handle: (*C.haigha_inbox)(result.object)}
	// The inbox owns its descriptor, and a File closes the one it has.
	fd, err := duplicate(int(C.haigha_inbox_fd(b.handle)))
	if err == nil {
		b.file = os.NewFile(uintptr(fd), "haigha-inbox")
		b.raw, err = b.file.SyscallConn()
	}
	if err == nil {
		b.batch = (*C.hg_batch)(C.calloc(1, C.sizeof_hg_batch))
		return b, nil
	}
	b.free()
	return nil, err
}

func duplicate(fd int) (int, error) {
	made, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(made), nil
}

// Fetches what waits, into the batch; what the batch had is released.
func (b *inbox) poll() int { return int(C.hg_poll(b.handle, b.batch)) }

// Calls `done` at once, and whenever events have come, until it says so; an error when the inbox was
// closed meanwhile.
func (b *inbox) wait(done func() bool) error {
	return b.raw.Read(func(uintptr) bool { return done() })
}

// Ends those who wait, and waits until they have.
func (b *inbox) close() {
	if b.file != nil {
		b.file.Close()
	}
}

// Nobody polls any more, and nobody reads the batch.
func (b *inbox) free() {
	b.close()
	C.haigha_inbox_unref(b.handle)
	C.free(unsafe.Pointer(b.batch))
	b.handle, b.batch = nil, nil
}
