/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal.h"
#include "host/seal/lines.h"
#include "host/seal/proof_file.h"

/* Names come from files that nobody has vouched for: nothing but text goes to a terminal. */
static const char *printable(ps_bytes bytes, char *text, size_t room) {
    char raw[PS_KEY_NAME_MAX];
    (void)snprintf(raw, sizeof raw, "%.*s", (int)bytes.length, (const char *)bytes.data);
    (void)ps_json_escape(raw, text, room);
    return text;
}

static const char *verdict(const ps_seal_log *log, uint32_t line) {
    ps_note one = {.text = log->note.text, .lines = 1, .line[0] = log->note.line[line]};
    if (!log->has_key) return "no key to check it with";
    switch (ps_note_verify(&one, &log->key, NULL)) {
    case PS_NOTE_SIGNED:
        return "good";
    case PS_NOTE_FORGED:
        return "forged";
    default:
        return "another key's";
    }
}

/* `proof`: NULL where it is a checkpoint alone. */
static void show_checkpoint(const ps_seal_log *log, const ps_proof_file *proof, bool json) {
    const ps_checkpoint *const c = &log->checkpoint;
    char name[2 * PS_KEY_NAME_MAX], root[PS_HASH_TEXT_MAX], count[PS_TEXT_NUMBER_MAX];
    (void)ps_hash_text(&c->tree.root, root);
    if (json) {
        (void)printf("{");
        if (proof != NULL)
            (void)printf("\"index\":%" PRIu64 ",\"hashes\":%u,", proof->index, proof->proof.count);
        (void)printf("\"origin\":\"%s\",\"size\":%" PRIu64 ",\"root\":\"%s\",\"signatures\":[",
                     printable(c->origin, name, sizeof name), c->tree.size, root);
        for (uint32_t i = 0; i < log->note.lines; i++)
            (void)printf("%s{\"name\":\"%s\",\"id\":\"%08x\",\"verdict\":\"%s\"}", i > 0 ? "," : "",
                         printable(log->note.line[i].name, name, sizeof name), log->note.line[i].id,
                         verdict(log, i));
        (void)printf("]}\n");
        return;
    }
    if (proof != NULL)
        (void)printf("proof     of entry %" PRIu64 ", %u hashes\n", proof->index,
                     proof->proof.count);
    (void)printf("origin    %s\n", printable(c->origin, name, sizeof name));
    (void)printf("entries   %s\nroot      %s\n", ps_text_from_count(c->tree.size, count), root);
    ps_bytes rest = c->extensions, line;
    while (ps_line_next(&rest, &line))
        (void)printf("extension %s\n", printable(line, name, sizeof name));
    for (uint32_t i = 0; i < log->note.lines; i++)
        (void)printf("signature %s+%08x: %s\n",
                     printable(log->note.line[i].name, name, sizeof name), log->note.line[i].id,
                     verdict(log, i));
}

static int show_entry(const ps_seal_job *job, const ps_seal_log *log) {
    uint8_t *bundle = NULL;
    uint64_t index = 0;
    ps_bytes entry;
    ps_error error;
    ps_status status = ps_seal_index(job->chosen, &index, &error);
    if (status == PS_OK) status = ps_seal_log_entry(log, index, &bundle, &entry, &error);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    (void)printf(job->chosen->json ? "{\"index\":%" PRIu64 : "index     %" PRIu64 "\n", index);
    ps_seal_print_entry(entry, job->chosen->json);
    if (job->chosen->json) (void)printf("}\n");
    free(bundle);
    return PS_EXIT_OK;
}

/* A checkpoint, or a proof with one at its end. */
static ps_status read_file(ps_seal_log *log, const ps_seal_job *job, ps_proof_file *file,
                           bool *is_proof, ps_error *error) {
    PS_TRY(ps_seal_file(job->operand[0], &log->bytes, &log->length, error));
    ps_bytes bytes = {log->bytes, (uint32_t)log->length};
    if (log->length > 8 && memcmp(log->bytes, "c2sp.org", 8) == 0) {
        PS_TRY(ps_proof_file_parse(bytes, file, error));
        *is_proof = true;
        bytes = file->checkpoint;
    }
    log->has_key = job->chosen->key.count > 0;
    if (log->has_key) PS_TRY(ps_seal_key(job->chosen->key.at[0], &log->key, error));
    ps_error why;
    ps_status status = ps_note_parse(bytes, &log->note, &why);
    if (status == PS_OK) status = ps_checkpoint_parse(log->note.text, &log->checkpoint, &why);
    if (status == PS_OK) return PS_OK;
    return ps_fail(error, status, "%s: is neither a checkpoint nor a proof: %.300s",
                   job->operand[0], why.message);
}

static int show(const ps_seal_job *job, ps_seal_log *log) {
    struct stat about;
    ps_proof_file file;
    bool is_proof = false;
    ps_error error;
    ps_status status = PS_OK;
    const bool is_folder = ps_seal_web_is_url(job->operand[0]) ||
                           (stat(job->operand[0], &about) == 0 && S_ISDIR(about.st_mode));
    if (is_folder)
        status = ps_seal_log_init(log, job->operand[0], job->chosen, &error);
    else
        status = read_file(log, job, &file, &is_proof, &error);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    if (job->chosen->index == NULL) {
        show_checkpoint(log, is_proof ? &file : NULL, job->chosen->json);
        return PS_EXIT_OK;
    }
    if (is_folder) return show_entry(job, log);
    ps_log(PS_LOG_ERROR, "seal", "%s: has no entries: --index wants a directory", job->operand[0]);
    return PS_EXIT_USAGE;
}

int ps_seal_show(const ps_seal_job *job) {
    ps_seal_log *const log = calloc(1, sizeof *log);
    if (log == NULL) return PS_EXIT_FAILED;
    const int code = show(job, log);
    ps_seal_log_deinit(log);
    free(log);
    return code;
}
