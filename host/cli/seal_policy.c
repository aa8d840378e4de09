/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/seal_policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/seal/lines.h"

ps_status ps_seal_policy_read(const ps_seal_options *chosen, ps_seal_policy **out,
                              ps_error *error) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    *out = NULL;
    if (chosen->policy == NULL) return PS_OK;
    if (ps_seal_file(chosen->policy, &bytes, &length, error) != PS_OK) return PS_BAD_CONFIG;
    if (length > PS_SEAL_POLICY_BYTES_MAX) {
        free(bytes);
        return ps_fail(error, PS_BAD_CONFIG, "%s: is larger than a policy can be", chosen->policy);
    }
    ps_seal_policy *const policy = malloc(sizeof *policy + length);
    ps_status status = ps_fail(error, PS_NO_MEMORY, "no memory for a policy");
    if (policy != NULL) {
        uint8_t *const text = (uint8_t *)(policy + 1);
        if (length > 0) memcpy(text, bytes, length);
        status = ps_seal_policy_parse((ps_bytes){text, (uint32_t)length}, policy, error);
        if (status != PS_OK) (void)ps_fail_in(error, status, chosen->policy);
    }
    free(bytes);
    if (status == PS_OK)
        *out = policy;
    else
        free(policy);
    return status;
}

static const char *printable(ps_bytes bytes, char *text, size_t room) {
    char raw[PS_KEY_NAME_MAX];
    (void)snprintf(raw, sizeof raw, "%.*s", (int)bytes.length, (const char *)bytes.data);
    (void)ps_json_escape(raw, text, room);
    return text;
}

static const char *time_text(uint64_t time_s, char text[32]) {
    const time_t seconds = (time_t)time_s;
    struct tm parts;
    if (time_s > UINT64_C(1) << 40 || gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(text, 32, "second %" PRIu64, time_s);
    return text;
}

void ps_seal_print_cosigned(const ps_seal_policy *policy, const ps_note *note, bool json) {
    char name[2 * PS_KEY_NAME_MAX], when[32];
    const char *comma = "";
    uint64_t time_s = 0;
    if (json) (void)printf(",\"cosigned\":[");
    for (uint32_t i = 0; i < policy->witnesses; i++) {
        const ps_verifier *const key = &policy->witness[i];
        if (ps_note_verify(note, key, &time_s) != PS_NOTE_SIGNED) continue;
        (void)ps_json_escape(key->name, name, sizeof name);
        if (json)
            (void)printf("%s{\"name\":\"%s\",\"time\":%" PRIu64 "}", comma, name, time_s);
        else
            (void)printf("cosigned  %s at %s\n", name, time_text(time_s, when));
        comma = ",";
    }
    if (json) (void)printf("]");
}

bool ps_seal_print_checkpoint(ps_bytes entry, bool json) {
    ps_checkpoint checkpoint;
    ps_note note;
    char name[2 * PS_KEY_NAME_MAX], root[PS_HASH_TEXT_MAX];
    if (ps_note_parse(entry, &note, NULL) != PS_OK ||
        ps_checkpoint_parse(note.text, &checkpoint, NULL) != PS_OK)
        return false;
    (void)printf(json ? ",\"origin\":\"%s\",\"size\":%" PRIu64 ",\"root\":\"%s\""
                      : "origin    %s\nentries   %" PRIu64 "\nroot      %s\n",
                 printable(checkpoint.origin, name, sizeof name), checkpoint.tree.size,
                 ps_hash_text(&checkpoint.tree.root, root));
    return true;
}
