/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/token.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "ingest/wire/connection.h"

enum { NOT_FOUND = 127, NOT_RUNNABLE = 126, LOOK_MS = 2, WAIT_MS = 20 };

extern char **environ;

/* Signals as a shell expects them, whatever this thread blocks; a group of its own, so that all of
 * it can be ended. */
static int start(const char *command, int output, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    char shell[] = "sh", option[] = "-c";
    char *const words[] = {shell, option, (char *)(uintptr_t)command, NULL};
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawn_file_actions_init(&files) != 0) return ENOMEM;
    if (posix_spawnattr_init(&how) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    (void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                             POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setsigmask(&how, &none);
    (void)posix_spawnattr_setsigdefault(&how, &all);
    (void)posix_spawnattr_setpgroup(&how, 0);
    int result = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (result == 0) result = posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    if (result == 0) result = posix_spawn(pid, "/bin/sh", &files, &how, words, environ);
    (void)posix_spawnattr_destroy(&how);
    (void)posix_spawn_file_actions_destroy(&files);
    return result;
}

ps_status ps_wire_token_begin(ps_wire_token *token, const char *command, uint8_t *to, size_t room,
                              ps_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ps_fail(error, PS_IO, "no pipe for the token's command: %s", strerror(errno));
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *token = (ps_wire_token){.fd = ends[0], .text = to, .room = room};
    const int result = start(command, ends[1], &token->pid);
    (void)close(ends[1]);
    if (result == 0) return PS_OK;
    token->pid = 0;
    return ps_fail(error, PS_IO, "the token's command does not start: %s", strerror(result));
}

/* Gone or going: it does not ignore what it is sent. */
void ps_wire_token_end(ps_wire_token *token) {
    if (token->fd >= 0) (void)close(token->fd);
    token->fd = -1;
    if (token->pid == 0) return;
    (void)kill(-token->pid, SIGKILL);
    while (waitpid(token->pid, NULL, 0) < 0 && errno == EINTR) {}
    token->pid = 0;
}

static ps_status judge(ps_wire_token *token, int fate, ps_error *error) {
    if (WIFSIGNALED(fate))
        return ps_fail(error, PS_IO, "the token's command was killed by signal %d", WTERMSIG(fate));
    const int code = WEXITSTATUS(fate);
    if (code != 0)
        return ps_fail(error, code == NOT_FOUND || code == NOT_RUNNABLE ? PS_BAD_CONFIG : PS_IO,
                       "the token's command failed with exit code %d", code);
    while (token->used > 0 && token->text[token->used - 1] <= ' ') token->used--;
    return PS_OK;
}

/* Its output is closed; a moment later it is gone. Whoever takes all children for himself hides its
 * exit code: then the token has to do. */
static ps_status bury(ps_wire_token *token, int64_t now_ns, bool *done, ps_error *error) {
    int fate = 0;
    const pid_t gone = waitpid(token->pid, &fate, WNOHANG);
    token->look_ns = now_ns + LOOK_MS * PS_NS_PER_MS;
    if (gone == 0 || (gone < 0 && errno == EINTR)) return PS_OK;
    token->pid = 0;
    *done = true;
    return judge(token, gone < 0 ? 0 : fate, error);
}

ps_status ps_wire_token_read(ps_wire_token *token, int64_t now_ns, bool *done, ps_error *error) {
    while (token->fd >= 0) {
        const size_t room = token->room - token->used;
        if (room == 0)
            return ps_fail(error, PS_BAD_CONFIG, "the token's command prints over %d bytes",
                           PS_WIRE_TOKEN_BYTES);
        const ssize_t got = read(token->fd, token->text + token->used, room);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return PS_OK;
        if (got < 0) return ps_fail(error, PS_IO, "the token's command: %s", strerror(errno));
        token->used += (size_t)got;
        if (got > 0) continue;
        (void)close(token->fd);
        token->fd = -1;
    }
    return bury(token, now_ns, done, error);
}

/* A \1 in it would end it. */
bool ps_wire_token_is_word(const uint8_t *text, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] >= 127) return false;
    return length > 0;
}

static ps_status wait_for(ps_wire_token *token, int64_t until_ns, ps_error *error) {
    bool done = false;
    for (;;) {
        const int64_t now_ns = ps_clock_ns();
        PS_TRY(ps_wire_token_read(token, now_ns, &done, error));
        if (done) return PS_OK;
        if (now_ns >= until_ns) return ps_fail(error, PS_IO, "the token's command takes too long");
        struct pollfd output = {.fd = token->fd, .events = POLLIN};
        (void)poll(&output, 1, token->fd >= 0 ? WAIT_MS : LOOK_MS);
    }
}

ps_status ps_wire_token_fetch(const char *command, int64_t timeout_ns, uint8_t *to, size_t room,
                              size_t *length, ps_error *error) {
    ps_wire_token token = {.fd = -1};
    ps_status status = ps_wire_token_begin(&token, command, to, room, error);
    if (status == PS_OK) status = wait_for(&token, ps_clock_ns() + timeout_ns, error);
    ps_wire_token_end(&token);
    *length = token.used;
    if (status != PS_OK || ps_wire_token_is_word(to, token.used)) return status;
    return ps_fail(error, PS_BAD_CONFIG,
                   "what the token's command prints is not a token: one word is wanted");
}
