/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/witness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "host/seal/http.h"
#include "host/seal/lines.h"

enum {
    URL_MAX = 2048,
    ATTEMPTS = 3, /* with other sizes, before an answer counts as none */
    REQUEST_MAX = 32 + PS_PROOF_MAX * PS_HASH_TEXT_MAX + PS_CHECKPOINT_MAX,
    /* A clock that goes wrong by more than this is one that auditors will not take. */
    AHEAD_S_MAX = 3600
};
static const int64_t wait_ns_max = 60 * PS_NS_PER_S;

struct ps_witnesses {
    const ps_seal_policy *policy;
    ps_seal_http *http; /* NULL: nobody is to be asked */
    uint32_t count;
    ps_tree tree;
    size_t own_length;
    char own[PS_CHECKPOINT_MAX]; /* the checkpoint as the log has signed it */
    char cosigned[PS_COSIGNED_MAX];
    char request[REQUEST_MAX];
    uint8_t answer[PS_WITNESS_ANSWER_MAX];
    ps_note note; /* of whatever is being read */
    ps_witness at[];
};

void ps_witnesses_close(ps_witnesses *witnesses) {
    if (witnesses == NULL) return;
    ps_seal_http_close(witnesses->http);
    free(witnesses);
}

/* The policy's own name for it. */
static ps_bytes name_of(const ps_seal_policy *policy, uint32_t verifier) {
    for (uint32_t i = 0; i < policy->names; i++)
        if (!policy->name[i].is_group && policy->name[i].verifier == verifier)
            return policy->name[i].name;
    return (ps_bytes){NULL, 0};
}

ps_status ps_witnesses_open(const ps_seal_policy *policy, uint32_t timeout_ms, ps_witnesses **out,
                            ps_error *error) {
    const uint32_t count = policy->witnesses;
    bool any_url = false;
    if (count > PS_WITNESSES_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "a policy of %u witnesses: a note holds %d", count,
                       PS_WITNESSES_MAX);
    ps_witnesses *const all = calloc(1, sizeof *all + count * sizeof all->at[0]);
    if (all == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for witnesses");
    all->policy = policy;
    all->count = count;
    for (uint32_t i = 0; i < count; i++) {
        all->at[i].key = &policy->witness[i];
        all->at[i].name = name_of(policy, i);
        all->at[i].url = policy->witness_url[i];
        any_url |= all->at[i].url.length > 0;
    }
    const ps_seal_http_rules rules = {.whole_ms = timeout_ms};
    const ps_status status = any_url ? ps_seal_http_open(&rules, &all->http, error) : PS_OK;
    if (status != PS_OK) {
        ps_witnesses_close(all);
        return status;
    }
    *out = all;
    return PS_OK;
}

void ps_witnesses_begin(ps_witnesses *witnesses, ps_bytes note, const ps_tree *tree) {
    PS_CHECK_OP(note.length, <, sizeof witnesses->own);
    memcpy(witnesses->own, note.data, note.length);
    witnesses->own[note.length] = '\0';
    witnesses->own_length = note.length;
    witnesses->tree = *tree;
    for (uint32_t i = 0; i < witnesses->count; i++) {
        ps_witness *const one = &witnesses->at[i];
        one->line_length = 0;
        if (one->verdict == PS_WITNESS_COSIGNED) one->verdict = PS_WITNESS_WAITING;
    }
}

/* The text that is signed, its last newline included. */
static ps_bytes own_text(const ps_witnesses *witnesses) {
    const char *const end = strstr(witnesses->own, "\n\n");
    PS_CHECK(end != NULL);
    return (ps_bytes){(const uint8_t *)witnesses->own, (uint32_t)(end + 1 - witnesses->own)};
}

static bool find_line(const ps_note *note, const ps_verifier *key, ps_witness *out, bool *forged) {
    ps_note one = {.text = note->text, .lines = 1};
    for (uint32_t i = 0; i < note->lines; i++) {
        one.line[0] = note->line[i];
        const ps_note_verdict verdict = ps_note_verify(&one, key, &out->time_s);
        *forged |= verdict == PS_NOTE_FORGED;
        if (verdict != PS_NOTE_SIGNED) continue;
        out->line_length = (size_t)snprintf(out->line, sizeof out->line, "\xE2\x80\x94 %s %.*s\n",
                                            key->name, (int)note->line[i].base64.length,
                                            (const char *)note->line[i].base64.data);
        return true;
    }
    return false;
}

static ps_status take_line(const ps_note *note, const ps_verifier *key, ps_witness *out,
                           ps_error *error) {
    bool forged = false;
    const uint64_t now_s = (uint64_t)(ps_clock_wall_ms() / 1000);
    if (find_line(note, key, out, &forged)) {
        if (out->time_s > 0 && out->time_s <= now_s + AHEAD_S_MAX) return PS_OK;
        return ps_fail(error, PS_TAMPERED,
                       "its cosignature says that it was made at second %" PRIu64
                       ", and it is %" PRIu64 " now: its clock is wrong, or this machine's",
                       out->time_s, now_s);
    }
    if (forged) return ps_fail(error, PS_TAMPERED, "its cosignature does not fit the checkpoint");
    return ps_fail(error, PS_TAMPERED,
                   "no cosignature of the key %.100s+%08x is in its answer, but one of %.*s+%08x: "
                   "is the policy's key the right one?",
                   key->name, key->id,
                   (int)(note->line[0].name.length > 100 ? 100 : note->line[0].name.length),
                   (const char *)note->line[0].name.data, note->line[0].id);
}

ps_status ps_witness_read(ps_bytes text, ps_bytes answer, const ps_verifier *key, ps_witness *out,
                          ps_error *error) {
    const size_t length = (size_t)text.length + 1 + answer.length;
    ps_note *const note = malloc(sizeof *note + length);
    if (note == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for an answer");
    uint8_t *const bytes = (uint8_t *)(note + 1);
    memcpy(bytes, text.data, text.length);
    bytes[text.length] = '\n';
    if (answer.length > 0) memcpy(bytes + text.length + 1, answer.data, answer.length);
    out->line_length = 0;
    ps_status status = ps_note_parse((ps_bytes){bytes, (uint32_t)length}, note, error);
    /* An empty line in the answer would put the end of the text elsewhere. */
    if (status == PS_OK && note->text.length != text.length)
        status = ps_fail(error, PS_TAMPERED, "not a signed note: an empty line");
    if (status == PS_OK) status = take_line(note, key, out, error);
    if (status != PS_OK) out->line_length = 0;
    free(note);
    return status;
}

void ps_witnesses_recall(ps_witnesses *witnesses, ps_bytes note, const ps_tree *tree) {
    ps_note *const read = &witnesses->note;
    if (ps_note_parse(note, read, NULL) != PS_OK) return;
    const ps_bytes text = witnesses->own_length > 0 ? own_text(witnesses) : (ps_bytes){NULL, 0};
    const bool is_this =
        text.length == read->text.length && memcmp(text.data, read->text.data, text.length) == 0;
    for (uint32_t i = 0; i < witnesses->count; i++) {
        ps_witness *const one = &witnesses->at[i];
        bool forged = false;
        if (!find_line(read, one->key, one, &forged)) continue;
        one->size_seen = tree->size;
        if (is_this)
            one->verdict = PS_WITNESS_COSIGNED;
        else
            one->line_length = 0;
    }
}

static ps_status write_request(ps_witnesses *witnesses, const ps_witness *one, ps_tiles *tiles,
                               ps_bytes *out, ps_error *error) {
    char hash[PS_HASH_TEXT_MAX], *const to = witnesses->request;
    ps_proof proof;
    ps_tree before = {.size = one->size_seen};
    PS_TRY(ps_proof_consistency(tiles, before.size, witnesses->tree.size, &proof, error));
    PS_TRY(ps_tiles_root(tiles, before.size, &before.root, error));
    /* A witness would call this a fork. */
    if (before.size > 0 && !ps_proof_extends(&proof, &before, &witnesses->tree))
        return ps_fail(error, PS_TAMPERED, "the tiles do not lead to the checkpoint's root");
    size_t used = (size_t)snprintf(to, REQUEST_MAX, "old %" PRIu64 "\n", one->size_seen);
    for (uint32_t i = 0; i < proof.count; i++)
        used += (size_t)snprintf(to + used, REQUEST_MAX - used, "%s\n",
                                 ps_hash_text(&proof.hash[i], hash));
    to[used++] = '\n';
    memcpy(to + used, witnesses->own, witnesses->own_length);
    *out = (ps_bytes){(const uint8_t *)to, (uint32_t)(used + witnesses->own_length)};
    return PS_OK;
}

static void settle(ps_witness *one, ps_witness_verdict verdict, const char *format, ...)
    PS_PRINTF(3, 4);
static void settle(ps_witness *one, ps_witness_verdict verdict, const char *format, ...) {
    va_list values;
    one->verdict = verdict;
    va_start(values, format);
    (void)vsnprintf(one->why, sizeof one->why, format, values);
    va_end(values);
}

/* The first line of what it says, as far as it can be shown. */
static const char *words(ps_bytes answer, char text[120]) {
    size_t used = 0;
    for (uint32_t i = 0; i < answer.length && answer.data[i] != '\n' && used < 100; i++)
        text[used++] =
            (char)(answer.data[i] >= 0x20 && answer.data[i] < 0x7F ? answer.data[i] : '?');
    text[used] = '\0';
    return text;
}

/* 409: the proof did not begin where the witness stands. True: it can begin there. */
static bool take_size(const ps_witnesses *witnesses, ps_witness *one, ps_bytes answer) {
    uint64_t size = 0;
    if (answer.length > 0 && answer.data[answer.length - 1] == '\n') answer.length--;
    const bool is_number = ps_decimal_read(answer, &size);
    if (one->size_seen == witnesses->tree.size && (!is_number || size == one->size_seen)) {
        settle(one, PS_WITNESS_FORKED,
               "has cosigned other %" PRIu64 " entries than these: two histories of this log are "
               "signed",
               one->size_seen);
        return false;
    }
    if (!is_number || size == one->size_seen) {
        settle(one, PS_WITNESS_BAD_ANSWER, "answers 409 without saying what size it has seen");
        return false;
    }
    if (size > witnesses->tree.size) {
        settle(one, PS_WITNESS_FORKED,
               "has cosigned %" PRIu64 " entries of this log, which has %" PRIu64
               " here: it was put back to an earlier state, or is written elsewhere, too",
               size, witnesses->tree.size);
        return false;
    }
    one->size_seen = size;
    return true;
}

static void take_refusal(const ps_witnesses *witnesses, ps_witness *one, uint32_t code,
                         ps_bytes answer) {
    char said[120];
    if (code == 404)
        settle(
            one, PS_WITNESS_REFUSED,
            "does not know this log (404): its operator must add the origin and the key in `vkey`");
    else if (code == 403)
        settle(one, PS_WITNESS_REFUSED,
               "does not know this log's key (403): which one was it given?");
    else if (code == 422 && one->size_seen > 0)
        settle(one, PS_WITNESS_FORKED,
               "does not take the proof (422): the %" PRIu64 " entries that it has cosigned are "
               "not the beginning of these %" PRIu64,
               one->size_seen, witnesses->tree.size);
    else if (code >= 500 || code == 429 || code == 408)
        settle(one, PS_WITNESS_NO_ANSWER, "answers %u: %s", code, words(answer, said));
    else
        settle(one, PS_WITNESS_REFUSED, "answers %u, which it must not: %s", code,
               words(answer, said));
}

static ps_status ask_once(ps_witnesses *witnesses, ps_witness *one, ps_tiles *tiles, bool *again,
                          ps_error *error) {
    char url[URL_MAX];
    ps_bytes request;
    ps_seal_http_answer answer;
    ps_error why;
    const char *const prefix = (const char *)one->url.data;
    const int length = (int)one->url.length - (prefix[one->url.length - 1] == '/');
    PS_TRY(write_request(witnesses, one, tiles, &request, error));
    (void)snprintf(url, sizeof url, "%.*s/add-checkpoint", length, prefix);
    *again = false;
    const ps_status status = ps_seal_http_ask(witnesses->http, url, request, witnesses->answer,
                                              sizeof witnesses->answer, &answer, &why);
    const ps_bytes bytes = {witnesses->answer, (uint32_t)answer.length};
    if (status != PS_OK)
        settle(one,
               status == PS_IO         ? PS_WITNESS_NO_ANSWER
               : status == PS_TAMPERED ? PS_WITNESS_BAD_ANSWER
                                       : PS_WITNESS_REFUSED,
               "%.200s", why.message);
    else if (answer.code == 409)
        *again = take_size(witnesses, one, bytes);
    else if (answer.code != 200)
        take_refusal(witnesses, one, answer.code, bytes);
    else if (ps_witness_read(own_text(witnesses), bytes, one->key, one, &why) != PS_OK)
        settle(one, PS_WITNESS_BAD_ANSWER, "%.250s", why.message);
    else
        one->verdict = PS_WITNESS_COSIGNED;
    return PS_OK;
}

static bool is_askable(const ps_witness *one) {
    return one->url.length > 0 && one->verdict != PS_WITNESS_COSIGNED &&
           one->verdict != PS_WITNESS_FORKED;
}

static ps_witness *choose(ps_witnesses *witnesses, int64_t now_ns) {
    ps_witness *best = NULL;
    for (uint32_t i = 0; i < witnesses->count; i++) {
        ps_witness *const one = &witnesses->at[i];
        if (!is_askable(one) || one->due_ns > now_ns) continue;
        if (best == NULL || one->failures < best->failures) best = one;
    }
    return best;
}

ps_status ps_witnesses_ask(ps_witnesses *witnesses, ps_tiles *tiles, int64_t now_ns,
                           ps_error *error) {
    ps_witness *const one = witnesses->own_length == 0 ? NULL : choose(witnesses, now_ns);
    if (one == NULL) return PS_END;
    bool again = true;
    for (int attempt = 0; again && attempt < ATTEMPTS; attempt++)
        PS_TRY(ask_once(witnesses, one, tiles, &again, error));
    if (again) settle(one, PS_WITNESS_BAD_ANSWER, "names another size whenever it is asked (409)");
    if (one->verdict == PS_WITNESS_COSIGNED) {
        one->size_seen = witnesses->tree.size;
        one->failures = 0;
        one->due_ns = 0;
        return PS_OK;
    }
    int64_t wait_ns = PS_NS_PER_S;
    for (uint32_t i = 0; i < one->failures && wait_ns < wait_ns_max; i++) wait_ns *= 2;
    one->failures++;
    one->due_ns = now_ns + (wait_ns < wait_ns_max ? wait_ns : wait_ns_max);
    return PS_OK;
}

int64_t ps_witnesses_due(const ps_witnesses *witnesses) {
    int64_t due_ns = INT64_MAX;
    for (uint32_t i = 0; i < witnesses->count; i++)
        if (is_askable(&witnesses->at[i]) && witnesses->at[i].due_ns < due_ns)
            due_ns = witnesses->at[i].due_ns;
    return due_ns;
}

uint32_t ps_witnesses_count(const ps_witnesses *witnesses) {
    return witnesses->count;
}

const ps_witness *ps_witnesses_at(const ps_witnesses *witnesses, uint32_t index) {
    PS_CHECK_OP(index, <, witnesses->count);
    return &witnesses->at[index];
}

ps_bytes ps_witnesses_note(ps_witnesses *witnesses) {
    size_t used = witnesses->own_length;
    memcpy(witnesses->cosigned, witnesses->own, used);
    for (uint32_t i = 0; i < witnesses->count; i++) {
        const ps_witness *const one = &witnesses->at[i];
        memcpy(witnesses->cosigned + used, one->line, one->line_length);
        used += one->line_length;
    }
    return (ps_bytes){(const uint8_t *)witnesses->cosigned, (uint32_t)used};
}

bool ps_witnesses_have_quorum(ps_witnesses *witnesses) {
    return ps_note_parse(ps_witnesses_note(witnesses), &witnesses->note, NULL) == PS_OK &&
           ps_seal_policy_has_quorum(witnesses->policy, &witnesses->note);
}
