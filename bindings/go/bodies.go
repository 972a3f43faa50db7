package haigha

// #include "bridge.h"
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// What a block of bodies has at most.
const blockBytes = 16 << 10

// block is memory for many small bodies, so that the garbage collector has one object for all of them. One
// whose bodies were all released is used again.
type block struct {
	memory []byte
	open   int32 // atomic: bodies, from when their number is known; before minus those that were released
}

var spareBlocks = sync.Pool{New: func() any { return &block{memory: make([]byte, blockBytes)} }}

func (b *block) add(bodies int32) {
	if atomic.AddInt32(&b.open, bodies) == 0 {
		spareBlocks.Put(b)
	}
}

// bodies copies the bodies of a batch into as few blocks as there need be: what comes alone has just what
// it needs.
type bodies struct {
	batch  int    // octets of it that are to be copied yet
	room   []byte // what is left of the block
	block  *block // nil: none that is used again
	copied int32  // bodies in it
}

func (b *bodies) begin() {
	if b.block != nil {
		b.block.add(b.copied)
	}
	b.block, b.copied = nil, 0
	if b.batch >= blockBytes/4 { // what is left of it serves the next batch
		b.block = spareBlocks.Get().(*block)
		b.room = b.block.memory
	} else {
		b.room = make([]byte, b.batch)
	}
}

func (b *bodies) of(view C.haigha_str) ([]byte, *block) {
	size := int(view.size)
	if size == 0 || size > C.HG_SHARED {
		return goBytes(view), nil
	}
	if size > len(b.room) {
		b.begin()
	}
	body := b.room[:size:size]
	b.room = b.room[size:]
	b.batch -= size
	b.copied++
	copy(body, unsafe.Slice((*byte)(unsafe.Pointer(view.data)), size))
	return body, b.block
}

// Release says that nobody uses the body any more, which a later delivery may be written over. There is
// no need to; but a consumer that releases each of its small bodies, once, leaves next to nothing to the
// garbage collector. Copies of a Delivery share its body: one of them all is to be released, or other bodies
// are written over.
func (d *Delivery) Release() {
	released := d.block
	d.Body, d.block = nil, nil
	if released != nil {
		released.add(-1)
	}
}
