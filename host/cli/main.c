/* SPDX-License-Identifier: Apache-2.0
 * penstock: one binary, one table of commands.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/check.h"
#include "host/base/log.h"
#include "host/base/secret.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/term.h"

/* jemalloc reads this at its start (other allocators never look): what is freed goes back to the
 * system within a second. By default it waits ten, and librdkafka's bursts of message headers leave
 * a fifth more memory resident; the CPU per event is the same within the noise. MALLOC_CONF, the
 * environment's, comes after this and wins. */
extern const char *malloc_conf;
const char *malloc_conf = "dirty_decay_ms:1000,muzzy_decay_ms:0";

static const ps_command *const commands[] = {
    &ps_command_run,        &ps_command_check, &ps_command_explain, &ps_command_devices,
#ifdef PS_HAVE_KAFKA
    &ps_command_quickstart,
#endif
    &ps_command_gen,        &ps_command_score,
#ifdef PS_HAVE_BENCH
    &ps_command_bench,
#endif
#ifdef PS_HAVE_SEAL
    &ps_command_seal,
#endif
#ifdef PS_HAVE_KAFKA
    &ps_command_dead,       &ps_command_reset,
#endif
    &ps_command_help_,
};

const ps_command *ps_command_at(uint32_t index) {
    return index < sizeof commands / sizeof commands[0] ? commands[index] : NULL;
}

void ps_overview_print(void) {
    const char *bold = ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), *off = ps_term_off(STDOUT_FILENO);
    (void)printf("penstock carries Kafka into vector hardware and back: hashes, anomaly scores, "
                 "exactly once.\n\n"
                 "%susage:%s penstock COMMAND [OPTION]…\n\n%scommands:%s\n",
                 bold, off, bold, off);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        (void)printf("  %-11s %s\n", commands[i]->name, commands[i]->summary);
    (void)printf("\n%sfirst steps:%s\n", bold, off);
#ifdef PS_HAVE_KAFKA
    (void)printf("  penstock quickstart          see it work, nothing to install or configure\n");
#endif
    (void)printf(
        "  penstock help synthetic      what a part can do; also: help source, help runtime, …\n"
        "  penstock check FILE          every fault of a pipeline file at once\n");
}

static int unknown_command(const char *name) {
    ps_nearest nearest = ps_nearest_to(name);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        ps_nearest_offer(&nearest, commands[i]->name);
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_log(PS_LOG_ERROR, NULL, "unknown command '%s'; did you mean '%s'?", name, meant);
    else
        ps_log(PS_LOG_ERROR, NULL, "unknown command '%s'; see penstock help", name);
    return PS_EXIT_USAGE;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        ps_overview_print();
        return PS_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        ps_overview_print();
        return PS_EXIT_OK;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        (void)printf("penstock %s\n", PS_VERSION);
        return PS_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i]->name, name) == 0) return commands[i]->run(argc - 1, argv + 1);
    return unknown_command(name);
}

int main(int argc, char **argv) {
    /* A reader that went away is an error to handle, not a reason to die in the middle of a commit.
     */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
    argv = ps_secret_arguments(argc, argv);
    if (argv == NULL) ps_no_memory_for("the command line");
    const int code = dispatch(argc, argv);
    /* A result that did not reach its reader is a failure, unless the reader wanted no more. */
    if (fflush(stdout) != 0 && code == PS_EXIT_OK) return PS_EXIT_FAILED;
    return code;
}
