/* libhaigha: a log record as one line of text. Read the rules at the top of haigha.h first; they
 * hold here too. */
#ifndef HAIGHA_LOG_H
#define HAIGHA_LOG_H

#include "haigha.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Writes `record` as logfmt, which structured loggers read, without a newline:
 *
 *   time=2026-11-27T09:31:02.123456Z level=warn connection=1 subject=recovery
 *   event=recovery_attempt msg="attempt 2, to b:5672, in 40 ms, after: ..." attempt=2
 * next_host=b:5672
 *
 * in this order, and then the record's fields in theirs. A value with blanks, quotes, '=' or
 * control characters, or with nothing, is quoted; in quotes a backslash is before a backslash and a
 * quote, control characters are \n, \r, \t or \u00HH. In a name each of those is a '_'.
 * `connection` is left out when it is 0, and what is empty of subject and event. At most `capacity`
 * bytes go to `buffer` (may be NULL when that is 0); *size is how many there are. A line that does
 * not fit is cut off, between characters. Errors: ARGUMENT, STRUCT_VERSION, NO_MEMORY. Since: 0.1.
 */
HAIGHA_API HAIGHA_NONBLOCKING haigha_status haigha_log_logfmt(const haigha_log_record* record,
                                                              char* buffer, size_t capacity,
                                                              size_t* size, haigha_error** error);

#ifdef __cplusplus
}
#endif

#endif /* HAIGHA_LOG_H */
