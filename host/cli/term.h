/* SPDX-License-Identifier: Apache-2.0
 * Whether a stream is a person's terminal, and the few colours that go there. NO_COLOR and pipes
 * get plain text.
 */
#ifndef PS_HOST_CLI_TERM_H
#define PS_HOST_CLI_TERM_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ps_style {
    PS_STYLE_BOLD,
    PS_STYLE_DIM,
    PS_STYLE_RED,
    PS_STYLE_GREEN,
    PS_STYLE_CYAN
} ps_style;

bool ps_term_is(int fd);                        /* a terminal that can move its cursor */
uint32_t ps_term_columns(int fd);               /* its width, 80 where unknown */
const char *ps_term_on(int fd, ps_style style); /* "" without colour */
const char *ps_term_off(int fd);

#endif
