/* libhaigha: for the tests of programs that use it. A loop's clock that goes when the test says so;
 * beside it the program haigha-stub-broker, a broker that fails as a script has it, which needs no
 * header. Read the rules at the top of haigha.h first; they hold here too. */
#ifndef HAIGHA_TESTING_H
#define HAIGHA_TESTING_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the virtual clock --------------------------------------------------------------------- */

/* A loop whose clock was stopped has a time of its own, which stands still until
 * haigha_loop_advance moves it. By that time go all that the library does by itself on the loop:
 * heartbeats, sent and missed; the deadlines of operations (connection_timeout, rpc_timeout_ms,
 * close_timeout_ms, a call's timeout_ms); the back-off between attempts to connect and recovery's
 * deadlines; the lifetime of tokens; warnings of deliveries that stay open; the second address of a
 * host.
 *
 * What stays real: sockets (a connection still needs a peer, who has the real time, and what he
 * sends comes when it comes), resolving names, the age of certificates and of TLS sessions, the
 * times of log records, and the patience of threads: haigha_inbox_poll, and the timeout_ms of a
 * blocking form as far as its own thread waits. Of a blocking form's two deadlines, the loop's and
 * the thread's, the first one counts; the thread's is a little later where they are the same.
 *
 * So a jump makes old whatever a peer has not answered before it: go to the timer that is waited
 * for and no further, wait for what comes of it, and then go on. The event RECOVERY, for one, has
 * the wait before an attempt to connect (delay_ms); an attempt that is jumped over has timed out.
 * And since a peer's own heartbeats come in real time, give the connection heartbeat 0 unless it is
 * heartbeats that are tested. */

/* Stops the clock of a loop, owned or attached, on which no connection was made yet. There is no
 * way back. Errors: ARGUMENT (a connection was made), FORKED. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_loop_stop_clock(haigha_loop* loop,
                                                                   haigha_error** error);

/* Moves the clock forward. On the loop's thread, from timer to timer: the clock is set to the time
 * of the next one that is due, this one fires, and those of the same time, in the order they were
 * set; then the loop makes at least one whole turn, in which what came of it is written, what has
 * come on a socket is read, and callbacks run; then the next. A timer that is set meanwhile is one
 * of them, if it is due. So nothing is skipped, and everything sees the time at which it was due.
 * `then` is told by a REPLY when all that is done and the clock is there; what peers answer may
 * come later. Calls take their turns. milliseconds: 0 (what is due now) to 2^40. Errors: ARGUMENT
 * (also for a loop whose clock was not stopped), CLOSED, FORKED, NO_MEMORY; in the REPLY: CLOSED.
 * Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_loop_advance(haigha_loop* loop,
                                                                int64_t milliseconds,
                                                                const haigha_then* then,
                                                                haigha_error** error);
/* The same, waiting until the clock is there. Blocks: up to timeout_ms of real time; -1: 30
 * seconds. Errors: also TIMEOUT (is the loop running, or does a callback keep it?), WRONG_THREAD.
 */
HAIGHA_API HAIGHA_BLOCKING haigha_status haigha_loop_advance_wait(haigha_loop* loop,
                                                                  int64_t milliseconds,
                                                                  int64_t timeout_ms,
                                                                  haigha_error** error);

/* How far the clock has been moved since it was stopped, in milliseconds; -1 for a loop whose clock
 * was not, and for NULL. In a callback: when it was due. Since: 0.1. */
HAIGHA_API HAIGHA_NONBLOCKING int64_t haigha_loop_advanced(haigha_loop* loop);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_TESTING_H */
