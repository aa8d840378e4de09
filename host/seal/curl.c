/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { GLOBAL_DEFAULT = 3 };

static struct {
    pthread_once_t once;
    bool there;
    char why[PS_CURL_WHY_BYTES];
    ps_curl curl;
} state = {.once = PTHREAD_ONCE_INIT};

static void load(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) library = dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        (void)snprintf(state.why, sizeof state.why, "%s", dlerror());
        return;
    }
#define FIND(result, name, arguments)                                                       \
    {                                                                                       \
        void *at = dlsym(library, "curl_" #name);                                           \
        if (at == NULL) {                                                                   \
            (void)snprintf(state.why, sizeof state.why, "libcurl.so.4 has no curl_" #name); \
            return;                                                                         \
        }                                                                                   \
        memcpy(&state.curl.name, &at, sizeof at);                                           \
    }
    PS_CURL_FUNCTIONS(FIND)
#undef FIND
    state.there = state.curl.global_init(GLOBAL_DEFAULT) == PS_CURL_DONE;
    if (!state.there) (void)snprintf(state.why, sizeof state.why, "libcurl.so.4 does not start");
}

ps_status ps_curl_load(const ps_curl **out, ps_error *error) {
    (void)pthread_once(&state.once, load);
    if (!state.there)
        return ps_fail(error, PS_UNSUPPORTED,
                       "no HTTP without libcurl: install Debian's libcurl4 (%s)", state.why);
    *out = &state.curl;
    return PS_OK;
}
