/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/term.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool ps_term_is(int fd) {
    const char *term = getenv("TERM");
    return isatty(fd) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

uint32_t ps_term_columns(int fd) {
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

static bool has_color(int fd) {
    const char *no_color = getenv("NO_COLOR");
    return ps_term_is(fd) && (no_color == NULL || no_color[0] == '\0');
}

const char *ps_term_on(int fd, ps_style style) {
    static const char *const codes[] = {"\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[36m"};
    return has_color(fd) ? codes[style] : "";
}

const char *ps_term_off(int fd) {
    return has_color(fd) ? "\033[0m" : "";
}
