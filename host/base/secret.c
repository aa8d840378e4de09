/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* The leak checker reads its own process as a debugger does, which protection forbids. */
#if defined(__SANITIZE_ADDRESS__)
enum { WATCHED = 1 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { WATCHED = 1 };
#else
enum { WATCHED = 0 };
#endif
#else
enum { WATCHED = 0 };
#endif

bool ps_secret_is_in(const char *name) {
    static const char *const words[] = {"password", "passphrase", "secret", "key",
                                        "pem",      "jaas",       "token",  "oauthbearer.config"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(name, words[i]) != NULL) return true;
    return false;
}

char **ps_secret_arguments(int argc, char **argv) {
    static char **copies; /* the leak checker must find them at the end */
    copies = calloc((size_t)argc + 1, sizeof *copies);
    if (copies == NULL) return NULL;
    for (int i = 0; i < argc; i++) {
        copies[i] = strdup(argv[i]);
        if (copies[i] == NULL) return NULL;
        if (!ps_secret_is_in(argv[i])) continue;
        char *value = strpbrk(argv[i], "=:");
        if (value != NULL) memset(value + 1, 'x', strlen(value + 1));
    }
    return copies;
}

void ps_secret_protect(void) {
    const char *wanted = getenv("PS_DUMPABLE");
    if (WATCHED || (wanted != NULL && strcmp(wanted, "1") == 0)) return;
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
