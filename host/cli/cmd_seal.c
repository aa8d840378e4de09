/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/base/secret.h"
#include "host/base/text.h"
#include "host/cli/commands.h"
#include "host/cli/seal.h"
#include "simd/dispatch.h"

static const ps_option options[] = {
    {.name = "key",
     .help = "verify, show, prove, rollup: the verifier key, as text or in a file, instead of the "
             "log's own `vkey`, which whoever changes a log can change too. Repeat it for several "
             "keys: a log takes the one that is named as its origin, or that this lies below.",
     .type = PS_OPTION_LIST,
     .at = offsetof(ps_seal_options, key)},
    {.name = "index",
     .help = "show, prove: which entry, from 0.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, index)},
    {.name = "output",
     .help = "keygen: where the secret key goes; prove: where the proof goes, else to stdout. Also "
             "-o.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, output)},
    {.name = "into",
     .help = "rollup: the directory of the roll-up log, made where it is missing; not below DIR.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, into)},
    {.name = "signer",
     .help = "rollup: the file with the secret key that signs the roll-up; its origin is the key's "
             "name and `/rollup`.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, signer)},
    {.name = "policy",
     .help = "rollup: a file with the witnesses to ask and the quorum without which nothing is "
             "published; verify: the quorum that a checkpoint must have.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, policy)},
    {.name = "wait",
     .preset = "30s",
     .help = "rollup: how long witnesses that do not answer are asked again.",
     .type = PS_OPTION_DURATION,
     .min = 0,
     .max = 86400e9,
     .at = offsetof(ps_seal_options, wait_ns)},
    {.name = "entry",
     .help = "verify proof: a file with the entry that it must be about.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, entry)},
    {.name = "leaf",
     .help = "verify proof: the leaf hash that it must be about, in hex, as tlog-leaf has it.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, leaf)},
    {.name = "listen",
     .preset = "127.0.0.1:8080",
     .help = "serve: address and port.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, listen)},
    {.name = "dir",
     .help =
         "verify topic, verify record: the log, or the directory that has TOPIC/PARTITION below "
         "it; a directory or a URL.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, dir)},
    {.name = "brokers",
     .help = "verify topic, verify record: HOST:PORT,… of the cluster that has the topic.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, brokers)},
    {.name = "pipeline",
     .help = "verify topic, verify record: a pipeline's file, whose source has brokers and "
             "properties, instead of --brokers.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, pipeline)},
    {.name = "property",
     .help = "verify topic, verify record: NAME=VALUE for the Kafka client, such as "
             "security.protocol=sasl_ssl; a secret may be file:/path. Once for each.",
     .type = PS_OPTION_LIST,
     .at = offsetof(ps_seal_options, property)},
    {.name = "partition",
     .help = "verify topic: this one alone; verify record: the record's.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, partition)},
    {.name = "offset",
     .help = "verify record: the record's.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, offset)},
    {.name = "from",
     .help = "verify topic: only entries and records from this offset on, say because the pipeline "
             "began there.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_options, from)},
    {.name = "json",
     .help = "verify, show: one JSON object a line.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_seal_options, json)},
    {.name = NULL}};

typedef struct verb {
    const char *name, *operands;
    uint32_t min, max;
    int (*run)(const ps_seal_job *job);
    const char *options; /* that it looks at, a blank around each */
    const char *summary;
} verb;

static const verb verbs[] = {
    {"keygen", "NAME -o FILE", 1, 1, ps_seal_keygen, " output ",
     "Makes a secret key in FILE, for its owner alone, and prints its verifier key. NAME is what\n"
     "the log will be called, such as example.org/audit."},
    {"rollup", "DIR --into DIR --signer FILE", 1, 1, ps_seal_rollup,
     " into signer policy wait key json ",
     "Adds the checkpoints of all logs below DIR to one log, and has that one cosigned."},
    {"show", "DIR, URL or FILE", 1, 1, ps_seal_show, " index key json ",
     "Puts a log's checkpoint, a file with a checkpoint or a proof, or an entry into words."},
    {"prove", "DIR|URL --index NUMBER [-o FILE]", 1, 1, ps_seal_prove, " index output key ",
     "Writes a proof of one entry, which is checked without the log."},
    {"verify", "DIR or URL", 1, 1, ps_seal_verify, " key policy json ",
     "Checks every byte of a log, or of every log below a directory. `verify topic`, `verify\n"
     "record`, `verify proof` and `verify consistency` check other things and have help of their "
     "own."},
    {"serve", "DIR", 1, 1, ps_seal_serve, " listen ",
     "Serves the files of all logs below DIR over HTTP, read only."}};

/* Behind `verify`; whatever is none of them is a directory. */
static const verb verifies[] = {
#ifdef PS_HAVE_KAFKA
    {"topic", "TOPIC --dir DIR|URL --brokers HOST:PORT", 1, 1, ps_seal_verify_topic,
     " dir brokers pipeline property partition from key json ",
     "Checks the logs of a topic's partitions, and every record of the topic against them."},
    {"record", "TOPIC --partition N --offset N --dir DIR|URL --brokers HOST:PORT", 1, 1,
     ps_seal_verify_record, " dir brokers pipeline property partition offset key json ",
     "Finds one record's entry, proves that it is in the log, and compares the two."},
#endif
    {"proof", "FILE", 1, 1, ps_seal_verify_proof, " key policy entry leaf json ",
     "Checks a proof that `prove` or anybody else has written, with nothing but the key."},
    {"consistency", "OLD NEW [DIR]", 2, 3, ps_seal_verify_consistency, " key json ",
     "Checks that the tree of checkpoint OLD is the beginning of NEW's; DIR has NEW's tiles where\n"
     "NEW is a file that does not lie in its log."}};
enum { VERBS = sizeof verbs / sizeof verbs[0], VERIFIES = sizeof verifies / sizeof verifies[0] };

static int write_key(const char *path, const ps_signer *signer) {
    char text[PS_KEY_TEXT_MAX + 1];
    /* Nobody else may read it, and no key is ever lost to a second one. */
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        ps_log(PS_LOG_ERROR, "seal", "%s: %s", path,
               errno == EEXIST ? "is there already: a key is not overwritten" : strerror(errno));
        return errno == EEXIST ? PS_EXIT_USAGE : PS_EXIT_FAILED;
    }
    (void)ps_signer_text(signer, text);
    const size_t length = strlen(text);
    text[length] = '\n';
    const bool done = write(fd, text, length + 1) == (ssize_t)length + 1 && fsync(fd) == 0;
    const int why = errno;
    explicit_bzero(text, sizeof text);
    if (close(fd) == 0 && done) return PS_EXIT_OK;
    ps_log(PS_LOG_ERROR, "seal", "%s: cannot be written: %s", path, strerror(why));
    (void)unlink(path);
    return PS_EXIT_FAILED;
}

int ps_seal_keygen(const ps_seal_job *job) {
    ps_signer signer;
    ps_error error;
    char vkey[PS_KEY_TEXT_MAX];
    if (job->chosen->output == NULL) {
        ps_log(PS_LOG_ERROR, "seal", "keygen: say with -o FILE where the secret key goes");
        return PS_EXIT_USAGE;
    }
    ps_secret_protect();
    const ps_status status = ps_signer_generate(job->operand[0], PS_KEY_ED25519, &signer, &error);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    const int code = write_key(job->chosen->output, &signer);
    if (code == PS_EXIT_OK) (void)printf("%s\n", ps_verifier_text(&signer.verifier, vkey));
    ps_signer_deinit(&signer);
    return code;
}

static int unknown_verb(const char *word) {
    ps_nearest nearest = ps_nearest_to(word);
    for (size_t i = 0; i < VERBS; i++) ps_nearest_offer(&nearest, verbs[i].name);
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_log(PS_LOG_ERROR, "seal", "cannot '%s'; did you mean '%s'?", word, meant);
    else
        ps_log(PS_LOG_ERROR, "seal", "cannot '%s': keygen, rollup, show, prove, verify or serve",
               word);
    return PS_EXIT_USAGE;
}

static const verb *find(const verb *all, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, word) == 0) return &all[i];
    return NULL;
}

/* Whether the words ask for help with one verb, which is then printed: `penstock seal verify topic
 * --help`. Without a verb it is the command's own help. */
static bool gave_help(int argc, char **argv) {
    bool asked = false;
    for (int i = 1; i < argc; i++)
        asked = asked || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    const verb *what = asked ? find(verbs, VERBS, argv[1]) : NULL;
    if (what == NULL) return false;
    const verb *more =
        what->run == ps_seal_verify && argc > 2 ? find(verifies, VERIFIES, argv[2]) : NULL;
    char name[64];
    ps_option chosen[sizeof options / sizeof options[0]];
    size_t count = 0;
    (void)snprintf(name, sizeof name, "seal %s%s%s", what->name, more == NULL ? "" : " ",
                   more == NULL ? "" : more->name);
    if (more != NULL) what = more;
    for (const ps_option *each = options; each->name != NULL; each++) {
        char word[40];
        (void)snprintf(word, sizeof word, " %s ", each->name);
        if (strstr(what->options, word) != NULL) chosen[count++] = *each;
    }
    chosen[count] = (ps_option){.name = NULL};
    const ps_command about = {
        .name = name, .operands = what->operands, .summary = what->summary, .options = chosen};
    ps_command_help(&about);
    return true;
}

static bool is_said(const ps_option *option, const ps_seal_options *chosen) {
    ps_seal_options preset = {0};
    ps_options_preset(options, &preset);
    const char *own = (const char *)chosen + option->at;
    switch (option->type) {
    case PS_OPTION_BOOL:
        return *(const bool *)own;
    case PS_OPTION_LIST:
        return ((const ps_string_list *)(const void *)own)->count > 0;
    case PS_OPTION_MAP:
        return ((const ps_string_map *)(const void *)own)->count > 0;
    case PS_OPTION_STRING:
        return memcmp(own, (const char *)&preset + option->at, sizeof(char *)) != 0;
    default:
        return memcmp(own, (const char *)&preset + option->at, sizeof(int64_t)) != 0;
    }
}

/* Whoever says --key to a verb that checks no signature would think that one was checked. */
static const ps_option *not_looked_at(const verb *what, const ps_seal_options *chosen) {
    for (const ps_option *each = options; each->name != NULL; each++) {
        char word[40];
        (void)snprintf(word, sizeof word, " %s ", each->name);
        if (strstr(what->options, word) == NULL && is_said(each, chosen)) return each;
    }
    return NULL;
}

static int dispatch(const ps_args *args, const ps_seal_options *chosen) {
    const char *word = args->operand[0];
    const verb *what = find(verbs, VERBS, word);
    ps_seal_job job = {chosen, args->operand + 1, args->count - 1, args->pool};
    ps_error error;
    if (what == NULL) return unknown_verb(word);
    if (what->run == ps_seal_verify && job.count > 0) {
        const verb *const more = find(verifies, VERIFIES, job.operand[0]);
        if (more != NULL) {
            what = more;
            job.operand++;
            job.count--;
        }
    }
    if (job.count < what->min || job.count > what->max) {
        ps_log(PS_LOG_ERROR, "seal", "%s%s wants %s; see penstock seal --help",
               job.operand > args->operand + 1 ? "verify " : "", what->name, what->operands);
        return PS_EXIT_USAGE;
    }
    const ps_option *idle = not_looked_at(what, chosen);
    if (idle != NULL) {
        const char *before = job.operand > args->operand + 1 ? "verify " : "";
        ps_log(PS_LOG_ERROR, "seal",
               "%s%s does not look at --%s: leave it out; see penstock seal %s%s --help", before,
               what->name, idle->name, before, what->name);
        return PS_EXIT_USAGE;
    }
    const ps_status status = ps_dispatch_init(&error);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    return what->run(&job);
}

static int seal(int argc, char **argv) {
    ps_seal_options chosen = {0};
    ps_args args;
    if (gave_help(argc, argv)) return PS_EXIT_OK;
    int code = ps_args_init(&args, &ps_command_seal, argc, argv, &chosen);
    if (code == PS_EXIT_GO_ON) code = dispatch(&args, &chosen);
    ps_args_deinit(&args);
    return code;
}

const ps_command ps_command_seal = {
    .name = "seal",
    .operands = "keygen|rollup|show|prove|verify|serve …",
    .summary =
        "Makes keys for sealed topics, shows their logs, proves and verifies what is in them.",
    .details =
        "  seal keygen NAME -o FILE                a secret key for FILE (0600); prints its vkey\n"
        "  seal show LOG|FILE [--index N]          a log's checkpoint, or an entry, in words\n"
        "  seal prove LOG --index N -o FILE        a proof of one entry that travels alone\n"
        "  seal verify LOG [--key VKEY]            every log below a directory, every byte of it\n"
        "  seal verify topic TOPIC …               every record of a topic against its log\n"
        "  seal verify record TOPIC …              one record, with the proof of its entry\n"
        "  seal verify proof FILE --key VKEY       a .tlog-proof, with nothing else at hand\n"
        "  seal verify consistency OLD NEW [LOG]   is checkpoint OLD the beginning of NEW? LOG "
        "has\n"
        "                                          NEW's tiles; without it, the one NEW lies in\n"
        "  seal serve DIR                          the files over HTTP, read only\n"
        "  seal rollup DIR --into DIR --signer FILE [--policy FILE]\n"
        "                                          adds the checkpoints of all logs below DIR to\n"
        "                                          one log, and has that one cosigned\n"
        "\n"
        "LOG is a directory or a URL. A topic is compared by\n"
        "  seal verify topic TOPIC --dir LOG --brokers HOST:PORT [--partition N] [--from OFFSET]\n"
        "  seal verify record TOPIC --partition N --offset N --dir LOG --brokers HOST:PORT\n"
        "where LOG may also be what has TOPIC/PARTITION below it; --property is for the client;\n"
        "--pipeline FILE in the place of --brokers takes both from a pipeline's source.\n"
        "\n"
        "Logs are C2SP's: tlog-tiles, tlog-checkpoint, tlog-proof. No worker has to run.\n"
        "verify exits with 0: all is well, 1: tampering was found, 2: usage, 3: cannot tell.",
    .options = options,
    .operands_min = 1,
    .operands_max = 5,
    .run = seal,
};
