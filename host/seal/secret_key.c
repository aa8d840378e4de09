/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/secret_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/secret.h"

static ps_status read_text(const char *path, int fd, char *text, size_t room, size_t *length,
                           ps_error *error) {
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return ps_fail(error, PS_BAD_CONFIG, "key: %s is not a file", path);
    if ((about.st_mode & 077) != 0)
        return ps_fail(error, PS_BAD_CONFIG,
                       "key: others may read or write %s (mode %03o), and whoever has the key can "
                       "sign another history: make it the worker's own with `chmod 600 %s`",
                       path, (unsigned)(about.st_mode & 0777), path);
    const ssize_t got = read(fd, text, room);
    if (got < 0)
        return ps_fail(error, PS_BAD_CONFIG, "key: %s cannot be read: %s", path, strerror(errno));
    *length = (size_t)got;
    while (*length > 0 && text[*length - 1] == '\n') --*length;
    return PS_OK;
}

ps_status ps_secret_key_read(const char *path, ps_signer *out, ps_error *error) {
    char text[PS_KEY_TEXT_MAX + 2];
    size_t length = 0;
    ps_error why;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ps_fail(error, PS_BAD_CONFIG,
                       "key: %s cannot be opened: %s; `penstock seal keygen NAME -o %s` makes one",
                       path, strerror(errno), path);
    ps_secret_protect();
    ps_status status = read_text(path, fd, text, sizeof text, &length, error);
    (void)close(fd);
    if (status == PS_OK && ps_signer_parse(text, length, out, &why) != PS_OK)
        status = ps_fail(error, PS_BAD_CONFIG,
                         "key: %s: %s; it must be what `penstock seal keygen` writes", path,
                         why.message);
    if (status == PS_OK && out->verifier.type != PS_KEY_ED25519)
        status = ps_fail(error, PS_BAD_CONFIG, "key: %s is a witness' key, not a log's", path);
    explicit_bzero(text, sizeof text);
    return status;
}
