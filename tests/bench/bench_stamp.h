/* What marks a benchmark's message, written by one end and checked by the other: its number in the
 * first eight octets and the number's complement in the last eight. A body that is lost, twice,
 * swapped, cut or shifted is seen, at a cost that no client's figures show. C and C++. */
#ifndef HAIGHA_TESTS_BENCH_STAMP_H
#define HAIGHA_TESTS_BENCH_STAMP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The smallest body that has room for it. */
#define BENCH_STAMP_SIZE 16
/* Between the two. */
#define BENCH_STAMP_FILLER 'x'

static inline void bench_stamp(void* body, size_t size, uint64_t number) {
    const uint64_t complement = ~number;
    memcpy(body, &number, sizeof number);
    memcpy((char*)body + size - sizeof complement, &complement, sizeof complement);
}

static inline int bench_stamped(const void* body, size_t size, uint64_t number) {
    uint64_t first = 0;
    uint64_t last = 0;
    if (size < BENCH_STAMP_SIZE) return 0;
    memcpy(&first, body, sizeof first);
    memcpy(&last, (const char*)body + size - sizeof last, sizeof last);
    if (first != number || last != ~number) return 0;
    return size == BENCH_STAMP_SIZE || ((const char*)body)[size / 2] == BENCH_STAMP_FILLER;
}

#endif
