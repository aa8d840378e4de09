/* SPDX-License-Identifier: Apache-2.0
 * Writes a log as a worker does, for tests that read it with other programs: its entries are told
 * from their index, or come from stdin, 118 bytes each from the first one on; and it goes on from
 * wherever it is.
 *
 * usage: test_seal_write KEYFILE DIR SIZE|-
 */
#include "tests/seal_log.h"

static void grow_from_stdin(ps_seal_folder *folder, const ps_signer *signer) {
    uint8_t bytes[PS_SEAL_ENTRY_BYTES];
    const ps_bytes entry = {bytes, sizeof bytes};
    ps_appender *appender = NULL;
    ps_error error;
    if (ps_appender_open(folder, signer, sizeof bytes, &appender, &error) != PS_OK)
        fail_msg("%s", error.message);
    const uint64_t there = ps_appender_frontier(appender)->size;
    for (uint64_t i = 0; fread(bytes, 1, sizeof bytes, stdin) == sizeof bytes; i++)
        if (i >= there && ps_appender_add(appender, &entry, 1, &error) != PS_OK)
            fail_msg("%s", error.message);
    if (ps_appender_publish(appender, &error) != PS_OK) fail_msg("%s", error.message);
    ps_appender_close(appender);
}

int main(int argc, char **argv) {
    ps_signer signer;
    ps_seal_folder *folder = NULL;
    ps_error error = {{0}};
    char text[PS_KEY_TEXT_MAX + 1] = "";
    FILE *const file = argc == 4 ? fopen(argv[1], "r") : NULL;
    if (file == NULL || fgets(text, sizeof text, file) == NULL ||
        ps_signer_parse(text, strcspn(text, "\n"), &signer, &error) != PS_OK ||
        ps_seal_folder_open(argv[2], true, &folder, &error) != PS_OK) {
        (void)fprintf(stderr, "usage: test_seal_write KEYFILE DIR SIZE|-: %s\n", error.message);
        return 2;
    }
    (void)fclose(file);
    if (strcmp(argv[3], "-") == 0)
        grow_from_stdin(folder, &signer);
    else
        seal_log_grow(folder, &signer, strtoull(argv[3], NULL, 10));
    ps_seal_folder_close(folder);
    ps_signer_deinit(&signer);
    return 0;
}
