/* SPDX-License-Identifier: Apache-2.0
 * TLS by OpenSSL over a descriptor that is never waited for. The bytes pass through a BIO of our
 * own, because OpenSSL's writes to a socket that was closed with SIGPIPE.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ingest/wire/connection_parts.h"

typedef struct shared {
    SSL_CTX *context;
    BIO_METHOD *method;
} shared;

static int bio_read(BIO *bio, char *to, int room) {
    ps_wire_connection *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t got = recv(c->fd, to, (size_t)room, MSG_DONTWAIT);
    if (got >= 0) {
        c->ended = got == 0;
        return (int)got;
    }
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_read(bio);
    else
        c->socket_errno = errno;
    return -1;
}

static int bio_write(BIO *bio, const char *from, int bytes) {
    ps_wire_connection *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t sent = send(c->fd, from, (size_t)bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return (int)sent;
    if (errno == EAGAIN || errno == EINTR)
        BIO_set_retry_write(bio);
    else
        c->socket_errno = errno;
    return -1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)number, (void)pointer;
    const ps_wire_connection *c = BIO_get_data(bio);
    if (command == BIO_CTRL_FLUSH) return 1;
    return command == BIO_CTRL_EOF ? c->ended : 0;
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *make_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "penstock");
    if (method == NULL) return NULL;
    if (BIO_meth_set_read(method, bio_read) == 1 && BIO_meth_set_write(method, bio_write) == 1 &&
        BIO_meth_set_ctrl(method, bio_control) == 1 && BIO_meth_set_create(method, bio_create) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* The innermost reason, which names what is wrong; those around it only where. */
static const char *reason_of(unsigned long code) {
    const char *const reason = ERR_reason_error_string(code);
    return reason != NULL           ? reason
           : ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                    : "no reason given";
}

static ps_status fail_file(ps_error *error, const char *what, const char *file) {
    const ps_status status = ps_fail(error, PS_BAD_CONFIG, "%s %s cannot be used: %s", what, file,
                                     reason_of(ERR_peek_error()));
    ERR_clear_error();
    return status;
}

/* Always there: without one, OpenSSL would ask whoever sits at the terminal. */
static int give_password(char *to, int room, int writing, void *password) {
    (void)writing;
    const size_t bytes = password != NULL ? strlen(password) : 0;
    if (bytes > (size_t)room) return -1;
    if (bytes > 0) memcpy(to, password, bytes);
    return (int)bytes;
}

static int load_authorities(SSL_CTX *context, const char *path) {
    struct stat about;
    const bool folder = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
    return folder ? SSL_CTX_load_verify_dir(context, path)
                  : SSL_CTX_load_verify_file(context, path);
}

static ps_status load_files(SSL_CTX *context, const ps_wire_security *security, ps_error *error) {
    if (security->ca_file == NULL) {
        if (SSL_CTX_set_default_verify_paths(context) != 1)
            return fail_file(error, "the system's store of certificates", "");
    } else if (load_authorities(context, security->ca_file) != 1) {
        return fail_file(error, "the authorities' file", security->ca_file);
    }
    SSL_CTX_set_default_passwd_cb(context, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, (void *)(uintptr_t)security->key_password);
    if (security->cert_file == NULL) return PS_OK;
    if (SSL_CTX_use_certificate_chain_file(context, security->cert_file) != 1)
        return fail_file(error, "the certificate", security->cert_file);
    const char *key = security->key_file != NULL ? security->key_file : security->cert_file;
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return fail_file(error, "the key", key);
    if (SSL_CTX_check_private_key(context) != 1)
        return fail_file(error, "the key (not the certificate's)", key);
    return PS_OK;
}

static void set_modes(SSL_CTX *context, bool verify) {
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* a call of the kernel's for a record, not two */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
}

ps_status ps_wire_tls_open(const ps_wire_security *security, void **out, ps_error *error) {
    shared *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for TLS");
    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->method = make_method();
    if (tls->context == NULL || tls->method == NULL) {
        ps_wire_tls_close(tls);
        return ps_fail(error, PS_NO_MEMORY, "no memory for TLS");
    }
    set_modes(tls->context, security->verify);
    const ps_status status = load_files(tls->context, security, error);
    if (status != PS_OK) {
        ps_wire_tls_close(tls);
        return status;
    }
    *out = tls;
    return PS_OK;
}

void ps_wire_tls_close(void *tls) {
    shared *const each = tls;
    if (each == NULL) return;
    SSL_CTX_free(each->context);
    BIO_meth_free(each->method);
    free(each);
}

static bool is_address(const char *host) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool name_host(SSL *ssl, const char *host, bool any_host) {
    X509_VERIFY_PARAM *const rules = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(host)) return any_host || X509_VERIFY_PARAM_set1_ip_asc(rules, host) == 1;
    return (any_host || X509_VERIFY_PARAM_set1_host(rules, host, 0) == 1) &&
           SSL_set_tlsext_host_name(ssl, host) == 1;
}

ps_status ps_wire_tls_begin(ps_wire_connection *c, ps_error *error) {
    const shared *const tls = c->recipe.tls;
    if (c->host[0] == '\0' && c->security.verify && !c->security.any_host)
        return ps_fail(error, PS_BAD_CONFIG, "no host name to verify its certificate by");
    ERR_clear_error();
    c->ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->method);
    if (c->ssl == NULL || bio == NULL ||
        (c->host[0] != '\0' && !name_host(c->ssl, c->host, c->security.any_host))) {
        BIO_free(bio);
        return ps_fail(error, PS_NO_MEMORY, "no memory for TLS");
    }
    BIO_set_data(bio, c);
    SSL_set_bio(c->ssl, bio, bio);
    SSL_set_connect_state(c->ssl);
    return PS_OK;
}

void ps_wire_tls_end(ps_wire_connection *c) {
    SSL_free(c->ssl);
    c->ssl = NULL;
    ERR_clear_error();
}

/* An alert about what we are, or a peer that speaks something else: asking again changes nothing.
 */
static bool is_for_good(unsigned long code) {
    switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

/* What OpenSSL could not do, as one of: not now, closed, refused. */
static ps_status trouble(ps_wire_connection *c, int result, short *wants, ps_error *error) {
    const int kind = SSL_get_error(c->ssl, result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        *wants = kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
        return PS_AGAIN;
    }
    const char *const hint =
        c->phase == PS_WIRE_SECURING ? " during the TLS handshake: does this port speak TLS?" : "";
    const long verdict = SSL_get_verify_result(c->ssl);
    if (c->security.verify && verdict != X509_V_OK)
        return ps_fail(error, PS_BAD_CONFIG, "its certificate is not trusted: %s",
                       X509_verify_cert_error_string(verdict));
    if (c->socket_errno != 0) return ps_fail(error, PS_IO, "%s%s", strerror(c->socket_errno), hint);
    if (c->ended || kind == SSL_ERROR_ZERO_RETURN)
        return ps_fail(error, PS_IO, "closed the connection%s", hint);
    const unsigned long code = ERR_peek_last_error();
    return ps_fail(
        error, is_for_good(code) ? PS_BAD_CONFIG : PS_IO, "TLS failed: %s%s", reason_of(code),
        ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER ? ": this port does not speak it" : "");
}

ps_status ps_wire_tls_shake(ps_wire_connection *c, bool *done, ps_error *error) {
    ERR_clear_error();
    const int result = SSL_do_handshake(c->ssl);
    *done = result == 1;
    if (*done) return PS_OK;
    const ps_status status = trouble(c, result, &c->read_wants, error);
    return status == PS_AGAIN ? PS_OK : status;
}

static ssize_t outcome(ps_wire_connection *c, int result, short *wants) {
    ps_error error;
    const ps_status status = trouble(c, result, wants, &error);
    if (status == PS_AGAIN) return 0;
    if (c->failed == PS_OK) c->failed = status, c->failure = error;
    return -1;
}

ssize_t ps_wire_tls_read(ps_wire_connection *c, void *to, size_t room) {
    size_t got = 0;
    ERR_clear_error();
    c->read_wants = POLLIN;
    const int result = SSL_read_ex(c->ssl, to, room, &got);
    return result == 1 ? (ssize_t)got : outcome(c, result, &c->read_wants);
}

ssize_t ps_wire_tls_write(ps_wire_connection *c, const void *from, size_t bytes) {
    size_t sent = 0;
    ERR_clear_error();
    c->write_wants = POLLOUT;
    const int result = SSL_write_ex(c->ssl, from, bytes, &sent);
    return result == 1 ? (ssize_t)sent : outcome(c, result, &c->write_wants);
}
