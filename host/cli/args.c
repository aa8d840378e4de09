/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/args.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/check.h"
#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/term.h"

typedef struct common {
    uint32_t log;
    bool help;
} common;

/* What every command takes. */
static const ps_option common_options[] = {
    {.name = "log",
     .preset = "text",
     .help = "How messages on stderr look.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(common, log),
     .choices = "text|json"},
    {.name = "help", .help = "Show this.", .type = PS_OPTION_BOOL, .at = offsetof(common, help)},
    {.name = NULL}};

static const char *placeholder(const ps_option *option) {
    switch (option->type) {
    case PS_OPTION_BOOL:
        return "";
    case PS_OPTION_INTEGER:
    case PS_OPTION_NUMBER:
        return " N";
    case PS_OPTION_DURATION:
        return " TIME";
    case PS_OPTION_SIZE:
        return " SIZE";
    case PS_OPTION_CHOICE:
        return " WORD";
    default:
        return " TEXT";
    }
}

/* Whether an option of the command's stage is one of the command's too. */
static bool is_taken(const ps_command *command, const ps_option *option) {
    uint32_t index;
    return command->stage_without == NULL ||
           !ps_words_find(command->stage_without, option->name, &index);
}

/* The options of the command's stage; a table without rows where it has none. */
static const ps_option *stage_options(const ps_command *command) {
    static const ps_option none[] = {{.name = NULL}};
    return command->stage == NULL ? none : command->stage->options;
}

/* `command`: whose stage's option it is, or NULL. */
static const char *preset_of(const ps_option *option, const ps_command *command) {
    const char *const *at = command == NULL ? NULL : command->stage_presets;
    for (; at != NULL && *at != NULL; at += 2)
        if (strcmp(at[0], option->name) == 0) return at[1];
    return option->preset;
}

static void preset_stage(const ps_command *command, void *out) {
    void *const config = (uint8_t *)out + command->stage_at;
    ps_options_preset(stage_options(command), config);
    for (const char *const *at = command->stage_presets; at != NULL && *at != NULL; at += 2) {
        ps_error error;
        const ps_option *option = ps_option_find(stage_options(command), at[0]);
        PS_CHECK(ps_option_parse(option, at[1], config, &error) == PS_OK);
    }
}

static void print_options(const ps_option *options, const ps_command *command) {
    for (; options->name != NULL; options++) {
        if (command != NULL && !is_taken(command, options)) continue;
        char left[64], note[PS_OPTION_TEXT_MAX], accepts[PS_OPTION_TEXT_MAX];
        (void)snprintf(left, sizeof left, "--%s%s", options->name, placeholder(options));
        note[0] = '\0';
        const char *preset = preset_of(options, command);
        if (options->type == PS_OPTION_CHOICE)
            (void)snprintf(note, sizeof note, " One of %.300s%s%s.",
                           ps_option_accepts(options, accepts), preset == NULL ? "" : "; default ",
                           preset == NULL ? "" : preset);
        else if (preset != NULL)
            (void)snprintf(note, sizeof note, " Default %s.", preset);
        (void)printf("  %-22s %s%s%s\n", left, options->help, note,
                     options->type == PS_OPTION_LIST ? " May be repeated." : "");
    }
}

void ps_command_help(const ps_command *command) {
    const char *bold = ps_term_on(STDOUT_FILENO, PS_STYLE_BOLD), *off = ps_term_off(STDOUT_FILENO);
    (void)printf("%susage:%s penstock %s%s%s%s\n\n%s\n", bold, off, command->name,
                 command->operands[0] == '\0' ? "" : " ", command->operands,
                 command->options == NULL ? "" : " [OPTION]…", command->summary);
    if (command->details != NULL) (void)printf("\n%s\n", command->details);
    (void)printf("\n%soptions:%s\n", bold, off);
    if (command->options != NULL) print_options(command->options, NULL);
    print_options(stage_options(command), command);
    print_options(common_options, NULL);
}

typedef struct target {
    const ps_option *option;
    void *out;
} target;

static target find(const ps_command *command, void *out, common *shared, const char *name) {
    const ps_option *option =
        command->options == NULL ? NULL : ps_option_find(command->options, name);
    if (option != NULL) return (target){option, out};
    option = ps_option_find(stage_options(command), name);
    if (option != NULL && is_taken(command, option))
        return (target){option, (uint8_t *)out + command->stage_at};
    return (target){ps_option_find(common_options, name), shared};
}

/* How much of a word may be shown: perhaps an assignment that lacks its --set, and then what
 * follows is a value that may be secret. */
static int shown(const char *word) {
    return (int)strcspn(word, "=");
}

static int unknown_option(const ps_command *command, const char *name, const char *written) {
    ps_nearest nearest = ps_nearest_to(name);
    for (const ps_option *option = command->options; option != NULL && option->name != NULL;
         option++)
        ps_nearest_offer(&nearest, option->name);
    for (const ps_option *option = stage_options(command); option->name != NULL; option++)
        if (is_taken(command, option)) ps_nearest_offer(&nearest, option->name);
    for (const ps_option *option = common_options; option->name != NULL; option++)
        ps_nearest_offer(&nearest, option->name);
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        ps_log(PS_LOG_ERROR, command->name, "unknown option '%.*s'; did you mean '--%s'?",
               shown(written), written, meant);
    else
        ps_log(PS_LOG_ERROR, command->name, "unknown option '%.*s'; see penstock %s --help",
               shown(written), written, command->name);
    return PS_EXIT_USAGE;
}

static void append(ps_args *args, ps_string_list *list, const char *text) {
    const char **at = ps_pool_take(args->pool, (list->count + 1) * sizeof *at);
    for (uint32_t i = 0; i < list->count; i++) at[i] = list->at[i];
    at[list->count] = text;
    *list = (ps_string_list){at, list->count + 1};
}

static int store(ps_args *args, const char *command, target to, const char *text) {
    ps_error error;
    if (to.option->type == PS_OPTION_LIST) {
        append(args, (ps_string_list *)(void *)((uint8_t *)to.out + to.option->at), text);
        return PS_EXIT_GO_ON;
    }
    if (ps_option_parse(to.option, text, to.out, &error) == PS_OK) return PS_EXIT_GO_ON;
    ps_log(PS_LOG_ERROR, command, "--%s: %s", to.option->name, error.message);
    return PS_EXIT_USAGE;
}

/* One `--name value`, `--name=value` or `--flag`; `*i` moves over what it took. */
static int read_option(ps_args *args, const ps_command *command, int argc, char **argv, int *i,
                       void *out, common *shared) {
    const char *written = argv[*i];
    const char *name = strcmp(written, "-h") == 0   ? "help"
                       : strcmp(written, "-o") == 0 ? "output"
                       : written[1] == '-'          ? written + 2
                                                    : written + 1;
    const char *equals = strchr(name, '=');
    if (equals != NULL) name = ps_pool_text(args->pool, name, (size_t)(equals - name));
    const target to = find(command, out, shared, name);
    if (to.option == NULL) return unknown_option(command, name, written);
    if (to.option->type == PS_OPTION_BOOL && equals == NULL)
        return store(args, command->name, to, "true");
    if (equals != NULL) return store(args, command->name, to, equals + 1);
    if (*i + 1 >= argc) {
        char accepts[PS_OPTION_TEXT_MAX];
        ps_log(PS_LOG_ERROR, command->name, "--%s wants a value: %s", name,
               ps_option_accepts(to.option, accepts));
        return PS_EXIT_USAGE;
    }
    *i += 1;
    return store(args, command->name, to, argv[*i]);
}

static int check_count(const ps_args *args, const ps_command *command) {
    if (args->count < command->operands_min) {
        ps_log(PS_LOG_ERROR, command->name, "wants %s; usage: penstock %s %s", command->operands,
               command->name, command->operands);
        return PS_EXIT_USAGE;
    }
    if (args->count > command->operands_max) {
        const char *extra = args->operand[command->operands_max];
        ps_log(PS_LOG_ERROR, command->name,
               "'%.*s' is one argument too many%s; see penstock %s --help", shown(extra), extra,
               strchr(extra, '=') != NULL ? ", unless --set stands before it" : "", command->name);
        return PS_EXIT_USAGE;
    }
    return PS_EXIT_GO_ON;
}

int ps_args_init(ps_args *args, const ps_command *command, int argc, char **argv, void *out) {
    common shared = {0};
    *args = (ps_args){.pool = ps_pool_open()};
    args->operand = ps_pool_take(args->pool, (size_t)argc * sizeof *args->operand);
    if (command->options != NULL) ps_options_preset(command->options, out);
    preset_stage(command, out);
    ps_options_preset(common_options, &shared);
    int code = PS_EXIT_GO_ON;
    bool only_operands = false;
    for (int i = 1; i < argc && code == PS_EXIT_GO_ON; i++) {
        if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0')
            args->operand[args->count++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            only_operands = true;
        else
            code = read_option(args, command, argc, argv, &i, out, &shared);
    }
    ps_log_init(PS_LOG_INFO, shared.log == 1);
    if (shared.help) {
        ps_command_help(command);
        return PS_EXIT_OK;
    }
    return code == PS_EXIT_GO_ON ? check_count(args, command) : code;
}

void ps_args_deinit(ps_args *args) {
    ps_pool_close(args->pool);
}
