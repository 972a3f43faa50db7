package haigha

import (
	"sync"
	"sync/atomic"
)

const guardClosed = -1 << 40

// guard has a handle of C's released once it is closed and no call uses it any more.
type guard struct {
	users   int64
	closed  sync.Once
	once    sync.Once
	release func()
}

// enter is for a call on the handle; false: it is closed. Otherwise leave has to follow.
func (g *guard) enter() bool {
	if atomic.AddInt64(&g.users, 1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *guard) leave() {
	if atomic.AddInt64(&g.users, -1) == guardClosed {
		g.once.Do(g.release)
	}
}

func (g *guard) close() {
	g.closed.Do(func() {
		if atomic.AddInt64(&g.users, guardClosed) == guardClosed {
			g.once.Do(g.release)
		}
	})
}
