/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal_policy.h"
#include "host/seal/entry.h"
#include "host/seal/lines.h"
#include "host/seal/proof_file.h"

enum { PATH_BYTES = 4096 };

static int write_proof(const char *path, const char *head, size_t head_length,
                       const ps_seal_log *log) {
    FILE *const file = path == NULL || strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    bool done = file != NULL && fwrite(head, 1, head_length, file) == head_length &&
                fwrite(log->bytes, 1, log->length, file) == log->length;
    if (file != NULL && file != stdout && fclose(file) != 0) done = false;
    if (done) return PS_EXIT_OK;
    ps_log(PS_LOG_ERROR, "seal", "%s: cannot be written: %s", path == NULL ? "stdout" : path,
           strerror(errno));
    return PS_EXIT_FAILED;
}

static int prove(const ps_seal_job *job, const ps_seal_log *log) {
    char head[PS_PROOF_FILE_MAX];
    uint8_t *bundle = NULL;
    uint64_t index = 0;
    ps_bytes entry = {NULL, 0};
    ps_proof proof;
    ps_error error;
    ps_status status = ps_seal_index(job->chosen, &index, &error);
    if (status == PS_OK) status = ps_seal_log_entry(log, index, &bundle, &entry, &error);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    status = ps_seal_log_prove(log, index, entry, &proof, &error);
    /* The entry goes along where it is short: who has the proof need not have the log. */
    if (entry.length > PS_PROOF_EXTRA_MAX) entry.length = 0;
    const size_t length = status == PS_OK ? ps_proof_file_write(index, &proof, entry, head) : 0;
    free(bundle);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    return write_proof(job->chosen->output, head, length, log);
}

int ps_seal_prove(const ps_seal_job *job) {
    ps_error error;
    ps_seal_log *const log = malloc(sizeof *log);
    if (log == NULL) return PS_EXIT_FAILED;
    const ps_status status = ps_seal_log_init(log, job->operand[0], job->chosen, &error);
    const int code =
        status == PS_OK ? prove(job, log) : ps_seal_failed(status, &error, PS_EXIT_FAILED);
    ps_seal_log_deinit(log);
    free(log);
    return code;
}

static bool read_hex(const char *text, ps_hash *out) {
    for (size_t i = 0; i < 2 * sizeof out->byte; i++) {
        const char *const digits = "0123456789abcdef";
        const bool upper = text[i] >= 'A' && text[i] <= 'F';
        const char *const digit =
            text[i] == '\0' ? NULL : strchr(digits, upper ? text[i] - 'A' + 'a' : text[i]);
        if (digit == NULL) return false;
        out->byte[i / 2] = (uint8_t)(out->byte[i / 2] << 4 | (digit - digits));
    }
    return text[2 * sizeof out->byte] == '\0';
}

static ps_status read_carried(const ps_proof_file *file, uint8_t **entry, size_t *length,
                              ps_error *error) {
    const size_t room = PS_BASE64_BYTES((size_t)file->extra.length);
    *entry = malloc(room);
    if (*entry == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for an entry");
    if (ps_base64_read((const char *)file->extra.data, file->extra.length, *entry, room, length))
        return PS_OK;
    return ps_fail(error, PS_TAMPERED, "the entry in the proof is not base64");
}

/* Where it was said what the proof must be about, what it carries proves nothing, but an entry of
 * ours that is another than that was changed. Others may let a proof carry whatever they like. */
static ps_status compare_carried(const ps_proof_file *file, const ps_hash *leaf, ps_error *error) {
    uint8_t *carried = NULL;
    size_t length = 0;
    ps_hash other;
    if (file->extra.length == 0) return PS_OK;
    ps_status status = read_carried(file, &carried, &length, error);
    if (status == PS_OK) {
        ps_hash_leaf(carried, length, &other);
        if (!ps_hash_is(&other, leaf) && length == PS_SEAL_ENTRY_BYTES)
            status = ps_fail(error, PS_TAMPERED,
                             "the entry that the proof carries is not the one it was to be about");
        else if (!ps_hash_is(&other, leaf))
            ps_log(PS_LOG_WARNING, "seal",
                   "what the proof carries is not the entry: nobody has signed it");
    }
    free(carried);
    return status;
}

/* What the proof must be about: --leaf, --entry, else the entry that it carries. */
static ps_status find_leaf(const ps_seal_options *chosen, const ps_proof_file *file,
                           uint8_t **entry, size_t *length, ps_hash *leaf, ps_error *error) {
    *entry = NULL;
    if (chosen->leaf != NULL) {
        if (read_hex(chosen->leaf, leaf)) return PS_OK;
        return ps_fail(error, PS_BAD_CONFIG, "--leaf: 64 hex digits are wanted");
    }
    if (chosen->entry != NULL) {
        if (ps_seal_file(chosen->entry, entry, length, error) != PS_OK) return PS_BAD_CONFIG;
    } else if (file->extra.length > 0) {
        PS_TRY(read_carried(file, entry, length, error));
    } else {
        return ps_fail(
            error, PS_UNKNOWN_NAME,
            "the proof does not carry its entry: say with --entry or --leaf what it must "
            "be about");
    }
    ps_hash_leaf(*entry, *length, leaf);
    return PS_OK;
}

/* The log's key: one of --key, else the policy's for the origin that the checkpoint names. */
static ps_status find_log_key(const ps_seal_options *chosen, const ps_seal_policy *policy,
                              const ps_proof_file *file, ps_verifier *out, ps_error *error) {
    ps_note note;
    ps_checkpoint checkpoint;
    if (chosen->key.count > 0) return ps_seal_key_for(chosen, file->checkpoint, out, error);
    if (policy->logs == 0)
        return ps_fail(error, PS_UNKNOWN_NAME, "the policy has no log's key: say --key");
    PS_TRY(ps_note_parse(file->checkpoint, &note, error));
    PS_TRY(ps_checkpoint_parse(note.text, &checkpoint, error));
    const ps_verifier *const named =
        ps_seal_key_of(policy->log, policy->logs, &note, checkpoint.origin);
    if (named == NULL)
        return ps_fail(error, PS_TAMPERED, "its checkpoint is of none of the policy's logs");
    *out = *named;
    return PS_OK;
}

static ps_status check_quorum(const ps_seal_policy *policy, const ps_proof_file *file,
                              ps_error *error) {
    ps_note note;
    PS_TRY(ps_note_parse(file->checkpoint, &note, error));
    if (ps_seal_policy_has_quorum(policy, &note)) return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "too few of the policy's witnesses have cosigned its checkpoint");
}

typedef struct proven {
    const ps_seal_policy *policy; /* or NULL */
    ps_proof_file file;
    ps_verifier key;
    ps_tree tree;
} proven;

static void tell_proof(const ps_seal_options *chosen, const proven *p, ps_bytes entry) {
    char name[2 * PS_KEY_NAME_MAX], count[PS_TEXT_NUMBER_MAX];
    ps_note note;
    const bool cosigned =
        p->policy != NULL && ps_note_parse(p->file.checkpoint, &note, NULL) == PS_OK;
    if (!chosen->json) {
        (void)printf("entry %" PRIu64 " of the log of %s entries that %s has signed\n",
                     p->file.index, ps_text_from_count(p->tree.size, count), p->key.name);
        if (cosigned) ps_seal_print_cosigned(p->policy, &note, false);
        if (entry.data != NULL) ps_seal_print_entry(entry, false);
        return;
    }
    (void)ps_json_escape(p->key.name, name, sizeof name);
    (void)printf("{\"result\":\"ok\",\"origin\":\"%s\",\"index\":%" PRIu64 ",\"size\":%" PRIu64,
                 name, p->file.index, p->tree.size);
    if (cosigned) ps_seal_print_cosigned(p->policy, &note, true);
    if (entry.data != NULL) ps_seal_print_entry(entry, true);
    (void)printf("}\n");
}

static ps_status verify_proof(const ps_seal_options *chosen, const ps_seal_policy *policy,
                              ps_bytes bytes, ps_error *error) {
    proven p = {.policy = policy};
    ps_hash leaf = {{0}};
    uint8_t *entry = NULL;
    size_t length = 0;
    PS_TRY(ps_proof_file_parse(bytes, &p.file, error));
    PS_TRY(find_log_key(chosen, policy, &p.file, &p.key, error));
    ps_status status = find_leaf(chosen, &p.file, &entry, &length, &leaf, error);
    if (status == PS_OK) status = ps_proof_file_verify(&p.file, &leaf, &p.key, &p.tree, error);
    if (status == PS_OK && (chosen->leaf != NULL || chosen->entry != NULL))
        status = compare_carried(&p.file, &leaf, error);
    if (status == PS_OK && policy != NULL) status = check_quorum(policy, &p.file, error);
    if (status == PS_OK) tell_proof(chosen, &p, (ps_bytes){entry, (uint32_t)length});
    free(entry);
    return status;
}

int ps_seal_verify_proof(const ps_seal_job *job) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    ps_error error;
    ps_seal_policy *policy = NULL;
    if (job->chosen->key.count == 0 && job->chosen->policy == NULL) {
        ps_log(PS_LOG_ERROR, "seal", "whose log is it? say --key VKEY, or --policy FILE");
        return PS_EXIT_USAGE;
    }
    ps_status status = ps_seal_policy_read(job->chosen, &policy, &error);
    if (status == PS_OK) status = ps_seal_file(job->operand[0], &bytes, &length, &error);
    if (status == PS_OK) {
        status = verify_proof(job->chosen, policy, (ps_bytes){bytes, (uint32_t)length}, &error);
        free(bytes);
        if (status != PS_OK && status != PS_BAD_CONFIG)
            (void)ps_fail_in(&error, status, job->operand[0]);
    }
    free(policy);
    return status == PS_OK ? PS_EXIT_OK : ps_seal_refuted(job->chosen, status, &error);
}

/* The log that a checkpoint's path or URL is in. */
static void folder_of(const char *given, char folder[PATH_BYTES]) {
    const char *const slash = strrchr(given, '/');
    (void)snprintf(folder, PATH_BYTES, "%.*s", slash == NULL ? 1 : (int)(slash - given) + 1,
                   slash == NULL ? "." : given);
}

static bool is_checkpoint_url(const char *given) {
    const char *const slash = strrchr(given, '/');
    return ps_seal_web_is_url(given) && strcmp(slash, "/checkpoint") == 0;
}

/* The log whose tiles prove it, and its checkpoint where NEW is a log. */
static ps_status open_new(const ps_seal_job *job, ps_seal_log *log, ps_error *error) {
    char folder[PATH_BYTES];
    const char *const given = job->count > 2 ? job->operand[2] : job->operand[1];
    folder_of(given, folder);
    if (is_checkpoint_url(given)) return ps_seal_log_init(log, folder, job->chosen, error);
    const ps_status status = ps_seal_log_init(log, given, job->chosen, error);
    const bool is_there = log->place.folder != NULL || log->place.web != NULL;
    if (job->count > 2 || status != PS_IO || is_there) return status;
    return ps_seal_log_init(log, folder, job->chosen, error); /* NEW is a file: its directory */
}

static ps_status read_url(const char *url, uint8_t **bytes, size_t *length, ps_error *error) {
    char folder[PATH_BYTES];
    ps_seal_place place;
    folder_of(url, folder);
    PS_TRY(ps_seal_place_open(is_checkpoint_url(url) ? folder : url, &place, error));
    *bytes = malloc(PS_NOTE_BYTES_MAX);
    ps_status status = *bytes == NULL ? ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint")
                                      : place.source.read(place.source.context, "checkpoint",
                                                          *bytes, PS_NOTE_BYTES_MAX, length, error);
    ps_seal_place_close(&place);
    if (status != PS_OK) free(*bytes);
    return status;
}

static ps_status read_checkpoint(const char *path, uint8_t **bytes, size_t *length,
                                 ps_error *error) {
    char inside[PATH_BYTES];
    if (ps_seal_web_is_url(path)) return read_url(path, bytes, length, error);
    (void)snprintf(inside, sizeof inside, "%s/checkpoint", path);
    if (ps_seal_file(inside, bytes, length, error) == PS_OK) return PS_OK;
    return ps_seal_file(path, bytes, length, error);
}

/* A checkpoint in a file, a log's directory or behind a URL, signed by the log's key. */
static ps_status read_tree(const ps_seal_log *log, const ps_seal_options *chosen, const char *path,
                           ps_tree *out, ps_error *error) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    ps_checkpoint checkpoint;
    ps_verifier key = log->key;
    PS_TRY(read_checkpoint(path, &bytes, &length, error));
    const ps_bytes text = {bytes, (uint32_t)length};
    ps_note *const note = malloc(sizeof *note);
    ps_status status =
        note == NULL ? ps_fail(error, PS_NO_MEMORY, "no memory for a checkpoint") : PS_OK;
    /* The older one may be signed by a key that was replaced. */
    if (status == PS_OK && chosen->key.count > 0)
        status = ps_seal_key_for(chosen, text, &key, error);
    if (status == PS_OK) status = ps_checkpoint_open(text, &key, note, &checkpoint, error);
    if (status == PS_OK) *out = checkpoint.tree;
    free(note);
    free(bytes);
    return status == PS_OK ? status : ps_fail_in(error, status, path);
}

static ps_status compare(const ps_seal_log *log, const ps_tree *before, const ps_tree *after,
                         ps_error *error) {
    ps_proof proof;
    if (before->size > after->size)
        return ps_fail(error, PS_TAMPERED,
                       "OLD has %" PRIu64 " entries and NEW has %" PRIu64 ": the log was cut",
                       before->size, after->size);
    if (before->size == 0) return PS_OK; /* every log begins so */
    if (after->size > log->checkpoint.tree.size)
        return ps_fail(error, PS_UNKNOWN_NAME, "the tiles reach to %" PRIu64 " entries only",
                       log->checkpoint.tree.size);
    ps_tiles *const tiles = malloc(sizeof *tiles);
    if (tiles == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for tiles");
    ps_tiles_init(tiles, &log->place.source, log->checkpoint.tree.size);
    const ps_status status = ps_proof_consistency(tiles, before->size, after->size, &proof, error);
    free(tiles);
    PS_TRY(status);
    if (ps_proof_extends(&proof, before, after)) return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "both are signed, but OLD with %" PRIu64 " entries is not the beginning of NEW "
                   "with %" PRIu64 ": the log was rewritten, or its tiles were changed",
                   before->size, after->size);
}

int ps_seal_verify_consistency(const ps_seal_job *job) {
    ps_error error;
    ps_tree before = {0}, after = {0};
    char old_count[PS_TEXT_NUMBER_MAX], new_count[PS_TEXT_NUMBER_MAX];
    ps_seal_log *const log = malloc(sizeof *log);
    if (log == NULL) return PS_EXIT_CANNOT_TELL;
    ps_status status = open_new(job, log, &error);
    if (status == PS_OK && !log->has_key)
        status = ps_fail(&error, PS_UNKNOWN_NAME, "no key to check the signatures with: say --key");
    if (status == PS_OK) status = read_tree(log, job->chosen, job->operand[0], &before, &error);
    if (status == PS_OK) status = read_tree(log, job->chosen, job->operand[1], &after, &error);
    if (status == PS_OK) status = compare(log, &before, &after, &error);
    ps_seal_log_deinit(log);
    free(log);
    if (status != PS_OK) return ps_seal_refuted(job->chosen, status, &error);
    if (job->chosen->json)
        (void)printf("{\"result\":\"ok\",\"before\":%" PRIu64 ",\"after\":%" PRIu64 "}\n",
                     before.size, after.size);
    else
        (void)printf("the first %s entries are the beginning of all %s\n",
                     ps_text_from_count(before.size, old_count),
                     ps_text_from_count(after.size, new_count));
    return PS_EXIT_OK;
}
