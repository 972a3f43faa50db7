/* examples/testing/stub_process.h: haigha-stub-broker as a child process of a test. */
#ifndef EXAMPLE_STUB_PROCESS_H
#define EXAMPLE_STUB_PROCESS_H

#include <stdio.h>
#include <sys/types.h>

typedef struct stub_process {
    pid_t pid;
    FILE* commands;
    FILE* lines;
    char uri[256];
    char answer[1024];
} stub_process;

/* Starts the program `path`, and reads its URI. Ends the test's program when that fails. */
void stub_start(stub_process* stub, const char* path);
/* Says a line of the script, and waits until the broker has taken it; or asks a question. The
 * answer without its `ok` is good until the next call. */
const char* stub_say(stub_process* stub, const char* line);
/* Waits until a rule of the script was followed. */
void stub_await_fired(stub_process* stub);
void stub_stop(stub_process* stub);

#endif
