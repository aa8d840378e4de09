/* SPDX-License-Identifier: Apache-2.0
 * The checker for a file job: lines PARTITION INPUT OUTPUT… says whether the output files follow
 * from the input file, which has no bad line, with the fields and stages of the scenario `files`.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/integration/ledger.h"

typedef void feed(ledger *ledger, const record *record);

static void read_lines(ledger *l, const char *name, int32_t partition, int64_t *offset, feed *to) {
    char *line = NULL;
    size_t capacity = 0;
    FILE *in = fopen(name, "re");
    if (!in) client_die("%s cannot be read", name);
    for (;;) {
        const ssize_t length = getline(&line, &capacity, in);
        if (length <= 0) break;
        const size_t size = (size_t)length - (line[length - 1] == '\n');
        const record next = {.partition = partition,
                             .offset = (*offset)++,
                             .timestamp_ms = -1,
                             .value = {(const uint8_t *)line, size}};
        to(l, &next);
    }
    free(line);
    (void)fclose(in);
}

int main(int argc, char **argv) {
    if (argc < 4) client_die("lines PARTITION INPUT OUTPUT…");
    const ledger_config config = {.topic = "files",
                                  .field = "cpu",
                                  .series = "host",
                                  .keep_score_above = NAN,
                                  .json = true,
                                  .sha256 = true,
                                  .same_partitions = true,
                                  .detector = {2.0 / 289.0, 30, 6.0f}};
    ledger *l = ledger_open(&config);
    const int32_t partition = (int32_t)strtol(argv[1], NULL, 10);
    int64_t offset = 0;
    read_lines(l, argv[2], partition, &offset, ledger_source);
    offset = 0;
    for (int i = 3; i < argc; i++) read_lines(l, argv[i], partition, &offset, ledger_output);
    ledger_finish(l);
    const bool clean = ledger_report(l, -1, stdout);
    ledger_close(l);
    return clean ? 0 : 1;
}
