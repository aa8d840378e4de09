/* SPDX-License-Identifier: Apache-2.0
 * A witness of the test's own, behind a socket: honest, as c2sp.org/tlog-witness has it, unless it
 * is told to answer otherwise.
 */
#ifndef TESTS_SEAL_FAKE_H
#define TESTS_SEAL_FAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "host/seal/witness.h"

typedef struct fake_witness fake_witness;

/* Writes a whole answer into `out`: its length; 0 closes the connection without one. */
typedef size_t fake_answer(fake_witness *fake, const char *body, char *out, size_t room);

struct fake_witness {
    ps_signer key;
    ps_verifier log;
    fake_answer *answer; /* NULL: honest */
    ps_tree seen;        /* what it has cosigned last */
    uint64_t time_s;     /* of its cosignatures; 0: now */
    atomic_uint asked;
    char body[16384]; /* what it was asked last */
    int listener;
    uint16_t port;
    atomic_bool stop;
    pthread_t thread;
};

enum { FAKE_ROOM = 200000 };

void fake_open(fake_witness *fake, const char *name, const ps_verifier *log);
void fake_close(fake_witness *fake);

/* Status line, length and body. */
size_t fake_put(char *out, unsigned code, const char *body, size_t length);

/* The checkpoint in a request, and its text. */
ps_bytes fake_checkpoint(const char *body);
ps_bytes fake_text(const char *body);

/* One cosignature line over a text. */
size_t fake_line(const ps_signer *key, ps_bytes text, uint64_t time_s, char *out);

size_t fake_honest(fake_witness *fake, const char *body, char *out, size_t room);

#endif
