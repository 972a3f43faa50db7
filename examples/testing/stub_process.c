/* examples/testing/stub_process.c: lines to its standard input, lines from its standard output. */
#include "stub_process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char* what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void read_line(stub_process* stub, char* line, int size) {
    if (fgets(line, size, stub->lines) == NULL) die("the stub broker has ended");
    line[strcspn(line, "\n")] = '\0';
}

void stub_start(stub_process* stub, const char* path) {
    int to[2], from[2];
    if (pipe(to) != 0 || pipe(from) != 0) die("no pipes");
    stub->pid = fork();
    if (stub->pid < 0) die("no process");
    if (stub->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        close(to[0]), close(to[1]), close(from[0]), close(from[1]);
        execl(path, path, (char*)NULL);
        _exit(127);
    }
    close(to[0]), close(from[1]);
    stub->commands = fdopen(to[1], "w");
    stub->lines = fdopen(from[0], "r");
    if (stub->commands == NULL || stub->lines == NULL) die("no streams");
    read_line(stub, stub->uri, sizeof stub->uri);
}

const char* stub_say(stub_process* stub, const char* line) {
    fprintf(stub->commands, "%s\n", line);
    fflush(stub->commands);
    do {
        read_line(stub, stub->answer, sizeof stub->answer);
    } while (strncmp(stub->answer, "fired ", 6) == 0); /* of a rule that was said before */
    if (strncmp(stub->answer, "ok", 2) != 0) die(stub->answer);
    return stub->answer[2] == ' ' ? stub->answer + 3 : "";
}

void stub_await_fired(stub_process* stub) {
    char line[1024];
    do {
        read_line(stub, line, sizeof line);
    } while (strncmp(line, "fired ", 6) != 0);
}

void stub_stop(stub_process* stub) {
    fclose(stub->commands); /* its input ends, and so does it */
    fclose(stub->lines);
    waitpid(stub->pid, NULL, 0);
}
