/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/policy.h"

#include <stdio.h>
#include <string.h>

#include "host/seal/lines.h"

enum { NONE = PS_SEAL_POLICY_NAMES_MAX };

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

/* The next word of a line; no bytes at its end. */
static ps_bytes next_word(ps_bytes *rest) {
    while (rest->length > 0 && is_blank(rest->data[0])) rest->data++, rest->length--;
    ps_bytes word = {rest->data, 0};
    while (word.length < rest->length && !is_blank(rest->data[word.length])) word.length++;
    rest->data += word.length;
    rest->length -= word.length;
    return word;
}

static bool is_same(ps_bytes a, ps_bytes b) {
    return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

static bool is_word(ps_bytes a, const char *text) {
    return is_same(a, (ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)});
}

static int shown(ps_bytes name) {
    return (int)(name.length > 100 ? 100 : name.length);
}

/* NONE: nobody has that name. */
static uint32_t find(const ps_seal_policy *policy, ps_bytes name) {
    for (uint32_t i = 0; i < policy->names; i++)
        if (is_same(policy->name[i].name, name)) return i;
    return NONE;
}

/* The optional URL, and nothing behind it. */
static ps_status read_end(ps_bytes *rest, ps_bytes *url, ps_error *error) {
    *url = next_word(rest);
    if (next_word(rest).length == 0) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG, "a word too many");
}

static bool has_key(const ps_verifier *all, uint32_t count, const ps_verifier *one) {
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(all[i].key, one->key, PS_KEY_BYTES) == 0) return true;
    return false;
}

static ps_status read_key(ps_bytes *rest, uint8_t type, ps_verifier *out, ps_error *error) {
    const ps_bytes word = next_word(rest);
    PS_TRY(ps_verifier_parse((const char *)word.data, word.length, out, error));
    if (out->type == type) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "a log's key is of type 1, a witness' of type 4; this is %u", out->type);
}

static ps_status read_log(ps_seal_policy *policy, ps_bytes rest, ps_error *error) {
    if (policy->logs == PS_SEAL_POLICY_LOGS_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "too many logs");
    ps_verifier *const log = &policy->log[policy->logs];
    PS_TRY(read_key(&rest, PS_KEY_ED25519, log, error));
    PS_TRY(read_end(&rest, &policy->log_url[policy->logs], error));
    if (has_key(policy->log, policy->logs, log))
        return ps_fail(error, PS_BAD_CONFIG, "this log is in it twice");
    policy->logs++;
    return PS_OK;
}

/* The next name, for a witness or a group; it counts once the line is right. */
static ps_status read_name(ps_seal_policy *policy, ps_bytes *rest, ps_seal_policy_name **out,
                           ps_error *error) {
    const ps_bytes word = next_word(rest);
    if (policy->names == PS_SEAL_POLICY_NAMES_MAX)
        return ps_fail(error, PS_BAD_CONFIG, "too many witnesses and groups");
    if (word.length == 0) return ps_fail(error, PS_BAD_CONFIG, "a name is missing");
    if (is_word(word, "none") || find(policy, word) != NONE)
        return ps_fail(error, PS_BAD_CONFIG, "the name '%.*s' is taken", shown(word), word.data);
    *out = &policy->name[policy->names];
    **out = (ps_seal_policy_name){.name = word};
    return PS_OK;
}

static ps_status read_witness(ps_seal_policy *policy, ps_bytes rest, ps_error *error) {
    ps_seal_policy_name *name = NULL;
    PS_TRY(read_name(policy, &rest, &name, error));
    ps_verifier *const witness = &policy->witness[policy->witnesses];
    PS_TRY(read_key(&rest, PS_KEY_COSIGNATURE, witness, error));
    PS_TRY(read_end(&rest, &policy->witness_url[policy->witnesses], error));
    if (has_key(policy->witness, policy->witnesses, witness))
        return ps_fail(error, PS_BAD_CONFIG, "this witness is in it twice");
    name->verifier = policy->witnesses++;
    policy->names++;
    return PS_OK;
}

static ps_status read_group(ps_seal_policy *policy, ps_bytes rest, ps_error *error) {
    ps_seal_policy_name *name = NULL;
    uint64_t needed = 0, members = 0;
    PS_TRY(read_name(policy, &rest, &name, error));
    const ps_bytes rule = next_word(&rest);
    for (ps_bytes word; (word = next_word(&rest)).length > 0; members++) {
        const uint32_t member = find(policy, word);
        if (member == NONE)
            return ps_fail(error, PS_BAD_CONFIG, "nothing before is named '%.*s'", shown(word),
                           word.data);
        if (policy->name[member].is_member)
            return ps_fail(error, PS_BAD_CONFIG, "'%.*s' is in a group already", shown(word),
                           word.data);
        policy->name[member].is_member = true;
        policy->name[member].group = policy->names;
    }
    if (is_word(rule, "all"))
        needed = members;
    else if (is_word(rule, "any"))
        needed = 1;
    else if (!ps_decimal_read(rule, &needed))
        return ps_fail(error, PS_BAD_CONFIG, "how many of the group: all, any or a number");
    if (needed == 0 || needed > members)
        return ps_fail(error, PS_BAD_CONFIG, "a group needs from 1 to all of its members");
    name->is_group = true;
    name->needed = (uint32_t)needed;
    policy->names++;
    return PS_OK;
}

static ps_status read_quorum(ps_seal_policy *policy, ps_bytes rest, ps_error *error) {
    const ps_bytes word = next_word(&rest);
    if (policy->has_quorum) return ps_fail(error, PS_BAD_CONFIG, "a second quorum");
    policy->quorum = find(policy, word);
    if (policy->quorum == NONE && !is_word(word, "none"))
        return ps_fail(error, PS_BAD_CONFIG, "nothing before is named '%.*s'", shown(word),
                       word.data);
    if (next_word(&rest).length > 0) return ps_fail(error, PS_BAD_CONFIG, "a word too many");
    policy->has_quorum = true;
    return PS_OK;
}

static ps_status read_line(ps_seal_policy *policy, ps_bytes line, ps_error *error) {
    for (uint32_t i = 0; i < line.length; i++)
        if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7F)
            return ps_fail(error, PS_BAD_CONFIG, "a control character");
    const ps_bytes word = next_word(&line);
    if (word.length == 0 || word.data[0] == '#') return PS_OK;
    if (is_word(word, "log")) return read_log(policy, line, error);
    if (is_word(word, "witness")) return read_witness(policy, line, error);
    if (is_word(word, "group")) return read_group(policy, line, error);
    if (is_word(word, "quorum")) return read_quorum(policy, line, error);
    return ps_fail(error, PS_BAD_CONFIG, "'%.*s' is none of log, witness, group, quorum",
                   shown(word), word.data);
}

ps_status ps_seal_policy_parse(ps_bytes text, ps_seal_policy *out, ps_error *error) {
    ps_bytes rest = text, line;
    memset(out, 0, sizeof *out);
    out->quorum = NONE;
    for (uint32_t number = 1; ps_line_next(&rest, &line); number++) {
        char where[24];
        const ps_status status = read_line(out, line, error);
        if (status == PS_OK) continue;
        (void)snprintf(where, sizeof where, "line %u", number);
        return ps_fail_in(error, status, where);
    }
    if (rest.length > 0) return ps_fail(error, PS_BAD_CONFIG, "its last line does not end");
    if (!out->has_quorum) return ps_fail(error, PS_BAD_CONFIG, "it has no quorum line");
    return PS_OK;
}

bool ps_seal_policy_has_quorum(const ps_seal_policy *policy, const ps_note *note) {
    uint32_t votes[PS_SEAL_POLICY_NAMES_MAX] = {0};
    if (policy->quorum == NONE) return true;
    /* Members come before their groups. */
    for (uint32_t i = 0; i < policy->names; i++) {
        const ps_seal_policy_name *const name = &policy->name[i];
        const bool witnessed =
            name->is_group
                ? votes[i] >= name->needed
                : ps_note_verify(note, &policy->witness[name->verifier], NULL) == PS_NOTE_SIGNED;
        if (i == policy->quorum) return witnessed;
        if (witnessed && name->is_member) votes[name->group]++;
    }
    return false;
}

ps_status ps_seal_policy_open(const ps_seal_policy *policy, ps_bytes bytes, ps_note *note,
                              ps_checkpoint *out, uint32_t *log, ps_error *error) {
    ps_status status = ps_fail(error, PS_TAMPERED, "the policy names no log");
    for (*log = 0; *log < policy->logs; (*log)++) {
        status = ps_checkpoint_open(bytes, &policy->log[*log], note, out, error);
        if (status == PS_OK) break;
    }
    if (status != PS_OK && policy->logs > 1)
        return ps_fail(error, PS_TAMPERED, "none of the policy's logs has signed this checkpoint");
    PS_TRY(status);
    if (ps_seal_policy_has_quorum(policy, note)) return PS_OK;
    return ps_fail(error, PS_TAMPERED, "too few of the policy's witnesses have cosigned it");
}
