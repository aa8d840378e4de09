/* SPDX-License-Identifier: Apache-2.0
 * The checker for a job with every hash: reads lines of a record's key, its headers as kcat prints
 * them (name=text,…) and its value, set apart by tabs, and says whether ps-<hash> of the value and
 * ps-key_<hash> of the key are what plain_hashes.c makes of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/client.h"
#include "tests/integration/plain_hashes.h"

/* Whether the headers hold `ps-<prefix><hash>=<digits>`, to the comma. */
static int header_is(const char *headers, const char *prefix, const char *hash,
                     const char *digits) {
    char whole[64 + PLAIN_HEX_MAX];
    const int size = snprintf(whole, sizeof whole, "ps-%s%s=%s", prefix, hash, digits);
    for (const char *at = headers; (at = strstr(at, whole)) != NULL; at++)
        if ((at == headers || at[-1] == ',') && (at[size] == ',' || at[size] == 0)) return 1;
    return 0;
}

static unsigned wrong_hashes(const char *headers, const char *prefix, const char *bytes,
                             unsigned *told) {
    char digits[PLAIN_HEX_MAX];
    unsigned wrong = 0;
    for (int i = 0; i < PLAIN_HASHES; i++) {
        if (!plain_hash(i, (const uint8_t *)bytes, strlen(bytes), digits)) continue;
        (*told)++;
        if (header_is(headers, prefix, plain_hash_names[i], digits)) continue;
        wrong++;
        (void)fprintf(stderr, "%s%s of '%.60s' is not %s: %s\n", prefix, plain_hash_names[i], bytes,
                      digits, headers);
    }
    return wrong;
}

int main(void) {
    char *line = NULL;
    size_t capacity = 0;
    unsigned records = 0, told = 0, wrong = 0;
    for (ssize_t size; wrong < 5 && (size = getline(&line, &capacity, stdin)) > 0;) {
        if (line[size - 1] == '\n') line[size - 1] = 0;
        char *const headers = strchr(line, '\t');
        char *const value = headers ? strchr(headers + 1, '\t') : NULL;
        if (!value) client_die("a line is not KEY, HEADERS and VALUE: %.80s", line);
        *headers = *value = 0;
        wrong += wrong_hashes(headers + 1, "", value + 1, &told);
        wrong += wrong_hashes(headers + 1, "key_", line, &told);
        records++;
    }
    free(line);
    (void)printf("{\"records\":%u,\"hashes\":%u,\"wrong\":%u}\n", records, told, wrong);
    return records > 0 && wrong == 0 ? 0 : 1;
}
