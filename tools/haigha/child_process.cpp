#include "child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "failure.h"

extern char** environ;

namespace tool {

namespace {

[[noreturn]] void give_up(const std::string& doing, int error) {
    throw Failure(exit_failed, "cannot " + doing + ": " + std::strerror(error));
}

struct Actions {
    Actions() {
        posix_spawn_file_actions_init(&raw);
        posix_spawnattr_init(&attributes);
        // A terminal's Ctrl-C is for the tool, which lets the program end what it is at.
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        posix_spawnattr_setpgroup(&attributes, 0);
    }
    ~Actions() {
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&raw);
    }
    Actions(const Actions&) = delete;
    Actions& operator=(const Actions&) = delete;
    posix_spawn_file_actions_t raw;
    posix_spawnattr_t attributes;
};

// As long as it lives; what is written to it is there for who reads it from its beginning.
std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_of(std::string_view input) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
    if (!file || std::fwrite(input.data(), 1, input.size(), file.get()) != input.size() ||
        std::fflush(file.get()) != 0 || lseek(fileno(file.get()), 0, SEEK_SET) != 0) {
        give_up("keep what a program is to read", errno);
    }
    return file;
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, std::string_view input) {
    const auto file = file_of(input);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) give_up("make a pipe", errno);
    Actions actions;
    posix_spawn_file_actions_adddup2(&actions.raw, fileno(file.get()), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions.raw, ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& argument : command)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int failed = posix_spawnp(&child, arguments[0], &actions.raw, &actions.attributes,
                                    arguments.data(), environ);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        give_up("run " + command.front(), failed);
    }
    ChildResult result;
    char block[65536];
    ssize_t size = 0;
    while ((size = read(ends[0], block, sizeof block)) > 0 || (size < 0 && errno == EINTR)) {
        if (size > 0) result.output.append(block, static_cast<std::size_t>(size));
    }
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

}  // namespace tool
