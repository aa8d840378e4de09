/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/seal_fake.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/base/clock.h"
#include "host/seal/lines.h"

size_t fake_put(char *out, unsigned code, const char *body, size_t length) {
    const int head = snprintf(out, FAKE_ROOM,
                              "HTTP/1.1 %u Whatever\r\nContent-Length: %zu\r\n"
                              "Connection: close\r\n\r\n",
                              code, length);
    memcpy(out + head, body, length);
    return (size_t)head + length;
}

ps_bytes fake_checkpoint(const char *body) {
    const char *const at = strstr(body, "\n\n");
    if (at == NULL) return (ps_bytes){NULL, 0};
    return (ps_bytes){(const uint8_t *)at + 2, (uint32_t)strlen(at + 2)};
}

ps_bytes fake_text(const char *body) {
    const ps_bytes note = fake_checkpoint(body);
    const char *const end = strstr((const char *)note.data, "\n\n");
    return (ps_bytes){note.data, (uint32_t)(end + 1 - (const char *)note.data)};
}

size_t fake_line(const ps_signer *key, ps_bytes text, uint64_t time_s, char *out) {
    size_t length = 0;
    if (ps_note_sign(text, key, time_s, out, &length, NULL) != PS_OK) abort();
    return length;
}

/* Old size and proof, by the specification's text; false: they are none. */
static bool read_head(const char *body, uint64_t *old, ps_proof *proof) {
    ps_bytes rest = {(const uint8_t *)body, (uint32_t)strlen(body)}, line, number;
    if (!ps_line_next(&rest, &line) || !ps_line_word(line, "old", &number) ||
        !ps_decimal_read(number, old))
        return false;
    for (proof->count = 0; ps_line_next(&rest, &line) && line.length > 0; proof->count++)
        if (proof->count == 63 || !ps_hash_read(line, &proof->hash[proof->count])) return false;
    return true;
}

size_t fake_honest(fake_witness *fake, const char *body, char *out, size_t room) {
    char text[PS_NOTE_LINE_MAX];
    ps_note note;
    ps_checkpoint checkpoint;
    ps_proof proof;
    uint64_t old = 0;
    (void)room;
    if (!read_head(body, &old, &proof)) return fake_put(out, 400, "head\n", 5);
    if (ps_checkpoint_open(fake_checkpoint(body), &fake->log, &note, &checkpoint, NULL) != PS_OK)
        return fake_put(out, 403, "key\n", 4);
    if (old > checkpoint.tree.size) return fake_put(out, 400, "old\n", 4);
    if (old != fake->seen.size ||
        (old == checkpoint.tree.size && !ps_hash_is(&fake->seen.root, &checkpoint.tree.root))) {
        (void)snprintf(text, sizeof text, "%llu\n", (unsigned long long)fake->seen.size);
        return fake_put(out, 409, text, strlen(text));
    }
    if (old == 0 ? proof.count > 0 : !ps_proof_extends(&proof, &fake->seen, &checkpoint.tree))
        return fake_put(out, 422, "proof\n", 6);
    fake->seen = checkpoint.tree;
    const uint64_t now_s = (uint64_t)(ps_clock_wall_ms() / 1000);
    return fake_put(
        out, 200, text,
        fake_line(&fake->key, note.text, fake->time_s > 0 ? fake->time_s : now_s, text));
}

/* The request up to the end of its body. */
static bool receive(fake_witness *fake, int fd) {
    char bytes[sizeof fake->body];
    size_t used = 0, wanted = sizeof bytes;
    while (used < wanted) {
        const ssize_t got = read(fd, bytes + used, sizeof bytes - 1 - used);
        if (got <= 0) return false;
        used += (size_t)got;
        bytes[used] = '\0';
        const char *const end = strstr(bytes, "\r\n\r\n");
        const char *const length = strcasestr(bytes, "content-length: ");
        if (end == NULL || length == NULL) continue;
        wanted = (size_t)(end + 4 - bytes) + strtoul(length + 16, NULL, 10);
    }
    if (strncmp(bytes, "POST /prefix/add-checkpoint HTTP/1.1\r\n", 38) != 0) return false;
    (void)snprintf(fake->body, sizeof fake->body, "%s", strstr(bytes, "\r\n\r\n") + 4);
    return true;
}

static void serve(fake_witness *fake, int fd, char *out) {
    if (!receive(fake, fd)) return;
    atomic_fetch_add(&fake->asked, 1);
    fake_answer *const answer = fake->answer == NULL ? fake_honest : fake->answer;
    const size_t length = answer(fake, fake->body, out, FAKE_ROOM);
    for (size_t put = 0; put < length;) {
        const ssize_t some = send(fd, out + put, length - put, MSG_NOSIGNAL);
        if (some <= 0) return;
        put += (size_t)some;
    }
}

static void *run(void *context) {
    fake_witness *const fake = context;
    char *const out = malloc(FAKE_ROOM);
    while (!atomic_load(&fake->stop)) {
        struct pollfd wait = {.fd = fake->listener, .events = POLLIN};
        if (poll(&wait, 1, 1000) <= 0) continue;
        const int fd = accept(fake->listener, NULL, NULL);
        if (fd < 0) continue;
        serve(fake, fd, out);
        (void)close(fd);
    }
    free(out);
    return NULL;
}

void fake_open(fake_witness *fake, const char *name, const ps_verifier *log) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    memset(fake, 0, sizeof *fake);
    assert_int_equal(ps_signer_generate(name, PS_KEY_COSIGNATURE, &fake->key, NULL), PS_OK);
    fake->log = *log;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fake->listener, 16), 0);
    assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&at, &length), 0);
    fake->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&fake->thread, NULL, run, fake), 0);
}

void fake_close(fake_witness *fake) {
    atomic_store(&fake->stop, true);
    (void)shutdown(fake->listener, SHUT_RDWR); /* ends the wait */
    (void)pthread_join(fake->thread, NULL);
    (void)close(fake->listener);
}
