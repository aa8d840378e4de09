/* SPDX-License-Identifier: Apache-2.0
 * Writes a log as a worker does, for tests that read it with other programs: its entries are told
 * from their index, and it goes on from wherever it is.
 *
 * usage: test_seal_write KEYFILE DIR SIZE
 */
#include "tests/seal_log.h"

int main(int argc, char **argv) {
    ps_signer signer;
    ps_seal_folder *folder = NULL;
    ps_error error = {{0}};
    char text[PS_KEY_TEXT_MAX + 1] = "";
    FILE *const file = argc == 4 ? fopen(argv[1], "r") : NULL;
    if (file == NULL || fgets(text, sizeof text, file) == NULL ||
        ps_signer_parse(text, strcspn(text, "\n"), &signer, &error) != PS_OK ||
        ps_seal_folder_open(argv[2], true, &folder, &error) != PS_OK) {
        (void)fprintf(stderr, "usage: test_seal_write KEYFILE DIR SIZE: %s\n", error.message);
        return 2;
    }
    (void)fclose(file);
    seal_log_grow(folder, &signer, strtoull(argv[3], NULL, 10));
    ps_seal_folder_close(folder);
    ps_signer_deinit(&signer);
    return 0;
}
