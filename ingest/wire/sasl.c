/* SPDX-License-Identifier: Apache-2.0
 * Who we are: SaslHandshake names the mechanism, SaslAuthenticate carries its messages, and what
 * the broker grants may end, so that all of it happens again on the same connection (KIP-368).
 * Sources: RFC 4616 (PLAIN), RFC 5802 and 7677 (SCRAM, see scram.h), RFC 7628 (OAUTHBEARER).
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "host/base/clock.h"
#include "ingest/wire/connection_parts.h"

enum { UNSUPPORTED_MECHANISM = 33, ILLEGAL_STATE = 34, REFUSED = 58 };
enum { AGAIN_AT = 85 }; /* per cent of a session's life */

static const char *const mechanisms[] = {"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512",
                                         "OAUTHBEARER"};

static bool is_scram(const ps_wire_connection *c) {
    return c->security.mechanism == PS_WIRE_SASL_SCRAM_256 ||
           c->security.mechanism == PS_WIRE_SASL_SCRAM_512;
}

void ps_wire_sasl_wipe(ps_wire_connection *c) {
    OPENSSL_cleanse(&c->scram, sizeof c->scram);
    OPENSSL_cleanse(c->ask, WIRE_ASK);
    if (c->auth != NULL) OPENSSL_cleanse(c->auth, WIRE_AUTH);
    c->auth_length = 0;
}

static ps_status put(ps_wire_connection *c, const void *bytes, size_t length, ps_error *error) {
    if (length > WIRE_AUTH - c->auth_length)
        return ps_fail(error, PS_BAD_CONFIG,
                       "name, password or token is too long: %d bytes at most",
                       PS_WIRE_TOKEN_BYTES);
    memcpy(c->auth + c->auth_length, bytes, length);
    c->auth_length += length;
    return PS_OK;
}

static ps_status say(ps_wire_connection *c, wire_sasl_step step, ps_error *error) {
    const ps_wire_sasl_authenticate_request request = {
        .auth_bytes = {c->auth, (uint32_t)c->auth_length}};
    c->sasl = step;
    return ps_wire_ask(c, PS_WIRE_SASL_AUTHENTICATE,
                       ps_wire_connection_version(c, PS_WIRE_SASL_AUTHENTICATE), &request, error);
}

static ps_status check_token(const ps_wire_connection *c, ps_error *error) {
    if (ps_wire_token_is_word(c->auth + WIRE_BEARER_BYTES, c->auth_length - WIRE_BEARER_BYTES))
        return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG, "%s is not a token: one word is wanted",
                   c->security.token != NULL ? "what is given" : "what the token's command prints");
}

ps_status ps_wire_sasl_introduce(ps_wire_connection *c, ps_error *error) {
    if (c->security.mechanism == PS_WIRE_SASL_OAUTHBEARER) PS_TRY(check_token(c, error));
    const char *name = mechanisms[c->security.mechanism];
    const ps_wire_sasl_handshake_request request = {
        .mechanism = {(const uint8_t *)name, (uint32_t)strlen(name)}};
    c->sasl = WIRE_SASL_HANDSHAKE;
    return ps_wire_ask(c, PS_WIRE_SASL_HANDSHAKE,
                       ps_wire_connection_version(c, PS_WIRE_SASL_HANDSHAKE), &request, error);
}

ps_status ps_wire_sasl_begin(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    c->again_at_ns = INT64_MAX;
    if (c->security.mechanism == PS_WIRE_SASL_NONE) {
        ps_wire_enter(c, PS_WIRE_READY, now_ns);
        return PS_OK;
    }
    PS_TRY(ps_wire_lacks(c, PS_WIRE_SASL_HANDSHAKE, 1, error));
    PS_TRY(ps_wire_lacks(c, PS_WIRE_SASL_AUTHENTICATE, 0, error));
    ps_wire_enter(c, PS_WIRE_AUTHENTICATING, now_ns);
    c->auth_length = 0;
    if (c->security.mechanism == PS_WIRE_SASL_OAUTHBEARER) {
        PS_TRY(put(c, WIRE_BEARER, WIRE_BEARER_BYTES, error));
        if (c->security.token == NULL) {
            c->sasl = WIRE_SASL_TOKEN;
            /* Two bytes end the message. */
            return ps_wire_token_begin(&c->token, c->security.token_command,
                                       c->auth + c->auth_length, WIRE_AUTH - 2 - c->auth_length,
                                       error);
        }
        PS_TRY(put(c, c->security.token, strlen(c->security.token), error));
    }
    return ps_wire_sasl_introduce(c, error);
}

/* The first message of each mechanism. A NUL parts PLAIN's words; a \1 ends those of OAUTHBEARER,
 * whose token was put before. */
static ps_status begin(ps_wire_connection *c, ps_error *error) {
    const ps_wire_security *s = &c->security;
    size_t length = 0;
    if (s->mechanism == PS_WIRE_SASL_OAUTHBEARER) {
        PS_TRY(put(c, "\1\1", 2, error));
    } else if (s->mechanism == PS_WIRE_SASL_PLAIN) {
        PS_TRY(put(c, "", 1, error));
        PS_TRY(put(c, s->user, strlen(s->user) + 1, error));
        PS_TRY(put(c, s->password, strlen(s->password), error));
    } else {
        const bool wide = s->mechanism == PS_WIRE_SASL_SCRAM_512;
        PS_TRY(ps_scram_begin(&c->scram, wide, s->user, NULL, &length, error));
        PS_TRY(put(c, c->scram.text, length, error));
    }
    return say(c, WIRE_SASL_FIRST, error);
}

static ps_status take_handshake(ps_wire_connection *c, ps_error *error) {
    ps_wire_sasl_handshake_response answer;
    PS_TRY(ps_wire_answer(c, PS_WIRE_SASL_HANDSHAKE,
                          ps_wire_connection_version(c, PS_WIRE_SASL_HANDSHAKE), &answer, error));
    const char *name = mechanisms[c->security.mechanism];
    if (answer.error_code == UNSUPPORTED_MECHANISM) {
        char known[200] = "";
        size_t used = 0;
        for (int32_t i = 0; i < answer.mechanisms_count && used + 3 < sizeof known; i++) {
            if (i > 0) known[used++] = ' ';
            ps_wire_quote(answer.mechanisms[i], known + used, sizeof known - used);
            used += strlen(known + used);
        }
        return ps_fail(error, PS_BAD_CONFIG, "the broker does not authenticate by %s, but by: %s",
                       name, known);
    }
    if (answer.error_code == ILLEGAL_STATE)
        return ps_fail(error, PS_BAD_CONFIG, "this port does not authenticate: SASL is not for it");
    if (answer.error_code != 0)
        return ps_fail(error, PS_IO, "SASL %s: error %d", name, answer.error_code);
    ps_wire_connection_drop(c);
    return begin(c, error);
}

/* The name is told, for it may be the wrong one; passwords and tokens never are. */
static ps_status refused(const ps_wire_connection *c, const char *why, ps_error *error) {
    const char *name = mechanisms[c->security.mechanism];
    if (c->security.mechanism == PS_WIRE_SASL_OAUTHBEARER)
        return ps_fail(error, PS_BAD_CONFIG, "authentication by %s was refused: %s", name, why);
    return ps_fail(error, PS_BAD_CONFIG, "authentication of user %.64s by %s was refused: %s",
                   c->security.user, name, why);
}

static ps_status finish(ps_wire_connection *c, int64_t lifetime_ms, int64_t now_ns) {
    ps_wire_connection_drop(c);
    ps_wire_sasl_wipe(c);
    if (lifetime_ms > 0 && lifetime_ms < (INT64_MAX - now_ns) / PS_NS_PER_MS / AGAIN_AT)
        c->again_at_ns = now_ns + lifetime_ms * AGAIN_AT / 100 * PS_NS_PER_MS;
    ps_wire_enter(c, PS_WIRE_READY, now_ns);
    return PS_OK;
}

static ps_status reply(ps_wire_connection *c, const void *bytes, size_t length, wire_sasl_step step,
                       ps_error *error) {
    ps_wire_connection_drop(c);
    c->auth_length = 0;
    PS_TRY(put(c, bytes, length, error));
    return say(c, step, error);
}

static ps_status prove(ps_wire_connection *c, ps_bytes challenge, ps_error *error) {
    size_t length = 0;
    PS_TRY(ps_scram_prove(&c->scram, c->security.password, challenge, &length, error));
    return reply(c, c->scram.text, length, WIRE_SASL_PROOF, error);
}

ps_status ps_wire_sasl_answer(ps_wire_connection *c, int64_t now_ns, ps_error *error) {
    if (c->sasl == WIRE_SASL_HANDSHAKE) return take_handshake(c, error);
    ps_wire_sasl_authenticate_response answer;
    const int16_t version = ps_wire_connection_version(c, PS_WIRE_SASL_AUTHENTICATE);
    PS_TRY(ps_wire_answer(c, PS_WIRE_SASL_AUTHENTICATE, version, &answer, error));
    if (c->sasl == WIRE_SASL_REFUSED) return refused(c, c->refusal, error);
    if (answer.error_code == REFUSED) {
        ps_wire_quote(answer.error_message, c->refusal, sizeof c->refusal);
        return refused(c, c->refusal, error);
    }
    if (answer.error_code != 0)
        return ps_fail(error, PS_IO, "SASL %s: error %d", mechanisms[c->security.mechanism],
                       answer.error_code);
    if (is_scram(c) && c->sasl == WIRE_SASL_FIRST) return prove(c, answer.auth_bytes, error);
    if (is_scram(c)) PS_TRY(ps_scram_check(&c->scram, answer.auth_bytes, error));
    if (c->security.mechanism == PS_WIRE_SASL_OAUTHBEARER && answer.auth_bytes.length > 0) {
        ps_wire_quote(answer.auth_bytes, c->refusal, sizeof c->refusal);
        return reply(c, "\1", 1, WIRE_SASL_REFUSED, error);
    }
    return finish(c, answer.session_lifetime_ms, now_ns);
}
