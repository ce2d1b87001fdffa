#include "pf/io/config.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "pf/io/config_private.h"
#include "pf/io/options.h"

#define CONFIG_FILE_MAX     (32 << 20) /* a hundred thousand users with a line each */
#define CONFIG_CHANNELS_MAX 10000

typedef struct loader {
    config *c;
    const char *name; /* of the file */
    char *why;
} loader;

/* ---- errors ---- */

poc_err config_fail(char why[CONFIG_WHY_MAX], const char *name, int line, const char *fmt, ...)
{
    va_list args;
    int n =
        line > 0 ? snprintf(why, CONFIG_WHY_MAX, "%s:%d: ", name, line) : snprintf(why, CONFIG_WHY_MAX, "%s: ", name);
    if (n < 0 || (size_t)n >= CONFIG_WHY_MAX)
        return POC_E_INPUT;
    va_start(args, fmt);
    (void)vsnprintf(why + n, CONFIG_WHY_MAX - (size_t)n, fmt, args);
    va_end(args);
    return POC_E_INPUT;
}

static int line_of(const config_setting_t *s)
{
    return (int)config_setting_source_line(s);
}

static const char *file_of(const loader *l, const config_setting_t *s)
{
    const char *file = config_setting_source_file(s);
    return file != NULL ? file : l->name;
}

#define FAIL(l, s, ...) config_fail((l)->why, file_of(l, s), line_of(s), __VA_ARGS__)

static poc_err fail_type(loader *l, const option *o, const config_setting_t *s, const char *want)
{
    return FAIL(l, s, "%s.%s must be %s", o->group, o->name, want);
}

/** A name that has no row. The one that people look for gets its own answer. */
static poc_err fail_unknown(loader *l, const config_setting_t *s, const char *group, const char *name)
{
    if (strcasestr(name, "expel") != NULL || strcasestr(name, "expul") != NULL)
        return FAIL(l, s, "%s%s%s: an expulsion always rekeys, the option does not exist; remove the line", group,
                    group[0] == '\0' ? "" : ".", name);
    return FAIL(l, s, "%s%s%s is not an option; docs/options.md lists those that are", group,
                group[0] == '\0' ? "" : ".", name);
}

/* ---- paths ---- */

char *config_beside(const char *name, const char *path)
{
    const char *slash = strrchr(name, '/');
    char *out;
    if (path[0] == '/' || path[0] == '\0' || slash == NULL)
        return strdup(path);
    return asprintf(&out, "%.*s/%s", (int)(slash - name), name, path) < 0 ? NULL : out;
}

poc_err config_address(struct sockaddr_storage *out, const char *text)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL)
        return POC_E_INPUT;
    poc_span host = poc_span_of(text, (size_t)(colon - text));
    bool bracketed = host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (bracketed)
        host = poc_span_of(host.p + 1, host.n - 2);
    POC_TRY(poc_u64_get(&port, UINT16_MAX, poc_span_str(colon + 1)));
    POC_TRY(poc_addr_parse(out, host, (uint16_t)port));
    return bracketed == (out->ss_family == AF_INET6) ? POC_OK : POC_E_INPUT;
}

/* ---- one option ---- */

static void *field_of(void *base, const option *o)
{
    return (char *)base + o->offset;
}

static poc_err text_fits(loader *l, const option *o, const config_setting_t *s, const char *text)
{
    if (strlen(text) > (size_t)o->max && o->type != OPTION_TEXTS)
        return FAIL(l, s, "%s.%s is longer than %lld octets", o->group, o->name, (long long)o->max);
    if (text[0] == '\0' && o->need != OPTION_MANDATORY && o->type != OPTION_TEXTS)
        return POC_OK;
    if (text[0] == '\0')
        return FAIL(l, s, "%s.%s must not be empty", o->group, o->name);
    const char *want = o->check == NULL ? NULL : o->check(text);
    return want == NULL ? POC_OK : FAIL(l, s, "%s.%s = \"%.64s\" must be %s", o->group, o->name, text, want);
}

static poc_err take_bool(loader *l, const option *o, const config_setting_t *s, void *at)
{
    if (config_setting_type(s) != CONFIG_TYPE_BOOL)
        return fail_type(l, o, s, "true or false");
    *(bool *)at = config_setting_get_bool(s) != 0;
    return POC_OK;
}

static poc_err take_number(loader *l, const option *o, const config_setting_t *s, void *at)
{
    long long v;
    if (config_setting_type(s) != CONFIG_TYPE_INT && config_setting_type(s) != CONFIG_TYPE_INT64)
        return fail_type(l, o, s, "a whole number");
    v = config_setting_get_int64(s);
    if (config_setting_type(s) == CONFIG_TYPE_INT)
        v = config_setting_get_int(s);
    if (v < o->min || v > o->max)
        return FAIL(l, s, "%s.%s = %lld is out of bounds; it goes from %lld to %lld%s%s", o->group, o->name, v,
                    (long long)o->min, (long long)o->max, o->unit[0] == '\0' ? "" : " ", o->unit);
    *(uint32_t *)at = (uint32_t)v;
    return POC_OK;
}

static poc_err take_text(loader *l, const option *o, const config_setting_t *s, void *at)
{
    char **field = (char **)at;
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        return fail_type(l, o, s, "a text in quotes");
    const char *text = config_setting_get_string(s);
    POC_TRY(text_fits(l, o, s, text));
    *field = o->type == OPTION_FILE ? config_beside(l->name, text) : strdup(text);
    return *field == NULL ? POC_E_NOMEM : POC_OK;
}

static bool is_sequence(const config_setting_t *s)
{
    return config_setting_type(s) == CONFIG_TYPE_ARRAY || config_setting_type(s) == CONFIG_TYPE_LIST;
}

static poc_err take_texts(loader *l, const option *o, const config_setting_t *s, void *at)
{
    config_texts *field = (config_texts *)at;
    if (!is_sequence(s))
        return fail_type(l, o, s, "a list of texts: [ \"...\", \"...\" ]");
    int n = config_setting_length(s);
    if (n < o->min || n > o->max)
        return FAIL(l, s, "%s.%s has %d elements; it takes %lld to %lld", o->group, o->name, n, (long long)o->min,
                    (long long)o->max);
    field->item = (char **)calloc((size_t)n + 1, sizeof(char *));
    if (field->item == NULL)
        return POC_E_NOMEM;
    for (int i = 0; i < n; i++) {
        const char *text = config_setting_get_string_elem(s, i);
        if (text == NULL)
            return fail_type(l, o, s, "a list of texts");
        POC_TRY(text_fits(l, o, s, text));
        if ((field->item[i] = strdup(text)) == NULL)
            return POC_E_NOMEM;
        field->count++;
    }
    return POC_OK;
}

/** The index of `text` among the words of `o`. */
static poc_err word_index(loader *l, const option *o, const config_setting_t *s, const char *text, int *out)
{
    char words[256];
    poc_wr list = poc_wr_into(words, sizeof(words));
    for (int i = 0; o->words[i] != NULL; i++) {
        poc_wr_fmt(&list, "%s\"%s\"", i == 0 ? "" : ", ", o->words[i]);
        if (text == NULL || strcmp(text, o->words[i]) != 0)
            continue;
        if ((o->words_built >> i & 1u) == 0)
            return FAIL(l, s, "%s.%s = \"%s\" is not built into this version; choose another", o->group, o->name, text);
        *out = i;
        return POC_OK;
    }
    (void)poc_wr_text(&list);
    return FAIL(l, s, "%s.%s must be one of %s", o->group, o->name, words);
}

static poc_err take_word(loader *l, const option *o, const config_setting_t *s, void *at)
{
    return word_index(l, o, s, config_setting_get_string(s), (int *)at);
}

static poc_err take_words(loader *l, const option *o, const config_setting_t *s, void *at)
{
    if (!is_sequence(s) || config_setting_length(s) == 0)
        return fail_type(l, o, s, "a list of one word or more: [ \"...\" ]");
    uint32_t set = 0;
    for (int i = 0; i < config_setting_length(s); i++) {
        int word = 0;
        POC_TRY(word_index(l, o, s, config_setting_get_string_elem(s, i), &word));
        set |= UINT32_C(1) << word;
    }
    *(uint32_t *)at = set;
    return POC_OK;
}

static poc_err take_hex(loader *l, const option *o, const config_setting_t *s, void *at)
{
    const char *text = config_setting_get_string(s);
    if (text == NULL || poc_hex_get_exact(at, (size_t)o->max, poc_span_str(text)) != POC_OK)
        return FAIL(l, s, "%s.%s must be %lld hex digits in quotes", o->group, o->name, (long long)o->max * 2);
    return POC_OK;
}

typedef poc_err take_fn(loader *l, const option *o, const config_setting_t *s, void *at);

static take_fn *const take[] = {
    [OPTION_BOOL] = take_bool,   [OPTION_NUMBER] = take_number, [OPTION_TEXT] = take_text,   [OPTION_FILE] = take_text,
    [OPTION_TEXTS] = take_texts, [OPTION_WORD] = take_word,     [OPTION_WORDS] = take_words, [OPTION_HEX] = take_hex,
};

/** Puts the default into its field. Words default to the first one; numbers and flags as the table writes them. */
static poc_err take_preset(const option *o, void *at)
{
    switch (o->type) {
    case OPTION_BOOL:
        *(bool *)at = strcmp(o->preset, "true") == 0;
        return POC_OK;
    case OPTION_NUMBER:
        *(uint32_t *)at = (uint32_t)strtoul(o->preset, NULL, 10);
        return POC_OK;
    case OPTION_TEXT:
    case OPTION_FILE:
        *(char **)at = strdup(o->preset);
        return *(char **)at == NULL ? POC_E_NOMEM : POC_OK;
    case OPTION_WORD:
        *(int *)at = o->preset == NULL ? 0 : -1;
        return POC_OK;
    case OPTION_WORDS:
        *(uint32_t *)at = 1;
        return POC_OK;
    case OPTION_HEX:
        return poc_hex_get_exact(at, (size_t)o->max, poc_span_str(o->preset));
    case OPTION_TEXTS:
        break;
    }
    return POC_OK;
}

/* ---- groups ---- */

poc_err config_refuse_unknown(char why[CONFIG_WHY_MAX], const char *file, const config_setting_t *s,
                              const config_element *element)
{
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *child = config_setting_get_elem(s, (unsigned)i);
        bool found = false;
        for (size_t k = 0; k < element->count; k++)
            found |= strcmp(config_setting_name(child), element->names[k]) == 0;
        if (!found)
            return config_fail(why, file, line_of(child), "%s.%s is not known; use %s", element->list,
                               config_setting_name(child), element->use);
    }
    return POC_OK;
}

/** Every name in a group of the file must be an option or a group of the table. */
static poc_err refuse_unknown(loader *l, const config_setting_t *s, const char *group)
{
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *child = config_setting_get_elem(s, (unsigned)i);
        const char *name = config_setting_name(child);
        const option *o = option_find(group, name);
        if (o == NULL && !option_is_group(group, name))
            return fail_unknown(l, child, group, name);
        if (o != NULL && o->need == OPTION_NOT_BUILT)
            return FAIL(l, child, "%s.%s is not built into this version; remove the line", group, name);
    }
    return POC_OK;
}

/** Fills the fields of one group; `s` is NULL when the file leaves the group out, `around` is what stands around it. */
static poc_err take_group(loader *l, const config_setting_t *s, const config_setting_t *around, const char *group,
                          void *base)
{
    if (s != NULL && config_setting_type(s) != CONFIG_TYPE_GROUP)
        return FAIL(l, s, "%s must be a group: { ... }", group);
    if (s != NULL)
        POC_TRY(refuse_unknown(l, s, group));
    for (size_t i = 0; i < option_count; i++) {
        const option *o = &options[i];
        if (strcmp(o->group, group) != 0 || o->need == OPTION_NOT_BUILT)
            continue;
        const config_setting_t *member = s == NULL ? NULL : config_setting_get_member(s, o->name);
        if (member != NULL)
            POC_TRY(take[o->type](l, o, member, field_of(base, o)));
        else if (o->need == OPTION_MANDATORY)
            return FAIL(l, s != NULL ? s : around, "%s.%s is missing: %s", group, o->name, o->sentence);
        else
            POC_TRY(take_preset(o, field_of(base, o)));
    }
    return POC_OK;
}

/** Texts that the kind of this channel has not are empty too. */
static poc_err fill_texts(config_channel *channel)
{
    for (size_t i = 0; i < option_count; i++) {
        const option *o = &options[i];
        if (!option_is_of_channel(o) || (o->type != OPTION_TEXT && o->type != OPTION_FILE))
            continue;
        char **text = (char **)field_of(channel, o);
        if (*text == NULL && (*text = strdup("")) == NULL)
            return POC_E_NOMEM;
    }
    return POC_OK;
}

/** One element of a list of channels, and the groups in it. */
static poc_err take_channel(loader *l, const config_setting_t *s, const char *list, config_channel *channel)
{
    const size_t n = strlen(list);
    POC_TRY(take_group(l, s, s, list, channel));
    for (size_t i = 0; i < option_group_count; i++) {
        const char *group = option_groups[i].name;
        if (!option_group_is_of(group, list) || group[n] == '\0')
            continue;
        const config_setting_t *inner = config_setting_get_member(s, group + n + 1);
        POC_TRY(take_group(l, inner, s, group, channel));
    }
    return fill_texts(channel);
}

static poc_err take_list(loader *l, const config_setting_t *s, const char *list, config_kind kind)
{
    config *c = l->c;
    if (s == NULL)
        return POC_OK;
    if (config_setting_type(s) != CONFIG_TYPE_LIST)
        return FAIL(l, s, "%s must be a list of groups: ( { ... }, { ... } )", list);
    const size_t n = (size_t)config_setting_length(s);
    if (n > CONFIG_CHANNELS_MAX)
        return FAIL(l, s, "more than %d %s", CONFIG_CHANNELS_MAX, list);
    config_channel *longer = (config_channel *)calloc(c->channel_count + n + 1, sizeof(*longer));
    if (longer == NULL)
        return POC_E_NOMEM;
    if (c->channel_count > 0)
        memcpy(longer, c->channels, c->channel_count * sizeof(*longer));
    free(c->channels);
    c->channels = longer;
    for (size_t i = 0; i < n; i++) {
        const config_setting_t *element = config_setting_get_elem(s, (unsigned)i);
        config_channel *channel = &c->channels[c->channel_count++];
        channel->kind = kind;
        channel->line = line_of(element);
        POC_TRY(take_channel(l, element, list, channel));
    }
    return POC_OK;
}

/** A group of the file itself: not a list of channels or a group in one. */
static bool is_top_group(const char *group)
{
    return !option_group_is_of(group, "channels") && !option_group_is_of(group, "mcx.musik");
}

static poc_err take_all(loader *l, const config_setting_t *root)
{
    POC_TRY(refuse_unknown(l, root, ""));
    for (size_t i = 0; i < option_group_count; i++) {
        const char *group = option_groups[i].name;
        if (is_top_group(group))
            POC_TRY(take_group(l, config_setting_get_member(root, group), root, group, l->c));
    }
    const config_setting_t *mcx = config_setting_get_member(root, "mcx");
    POC_TRY(take_list(l, config_setting_get_member(root, "channels"), "channels", CONFIG_MSK));
    if (mcx != NULL)
        POC_TRY(take_list(l, config_setting_get_member(mcx, "musik"), "mcx.musik", CONFIG_MUSIK));
    return config_check(l->c, l->name, l->why);
}

/* ---- from text or file ---- */

poc_err config_parse(config **out, const char *text, const char *name, char why[CONFIG_WHY_MAX])
{
    POC_OWNED(config, c, config_free);
    config_t lib;
    *out = NULL;
    why[0] = '\0';
    if ((c = (config *)calloc(1, sizeof(*c))) == NULL)
        return POC_E_NOMEM;
    loader l = { .c = c, .name = name, .why = why };
    config_init(&lib);
    poc_err err = config_read_string(&lib, text) == CONFIG_TRUE
                      ? take_all(&l, config_root_setting(&lib))
                      : config_fail(why, name, config_error_line(&lib), "%s", config_error_text(&lib));
    config_destroy(&lib);
    POC_TRY(err); // NOLINT(clang-analyzer-unix.Malloc): POC_OWNED frees it
    *out = (config *)POC_RELEASE(c);
    return POC_OK;
}

poc_err config_file_text(char **out, const char *path, char why[CONFIG_WHY_MAX])
{
    struct stat st;
    FILE *f = fopen(path, "re");
    if (f == NULL || fstat(fileno(f), &st) != 0) {
        poc_err why_not = config_fail(why, path, 0, "cannot be read: %s", strerror(errno));
        if (f != NULL)
            (void)fclose(f);
        return why_not;
    }
    poc_err err = POC_OK;
    if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_FILE_MAX)
        err = config_fail(why, path, 0, "is not a file of at most %d octets", CONFIG_FILE_MAX);
    char *text = err == POC_OK ? (char *)calloc(1, (size_t)st.st_size + 1) : NULL;
    if (err == POC_OK && text == NULL)
        err = POC_E_NOMEM;
    if (err == POC_OK && fread(text, 1, (size_t)st.st_size, f) != (size_t)st.st_size)
        err = config_fail(why, path, 0, "changed while it was read");
    if (err == POC_OK && strlen(text) != (size_t)st.st_size)
        err = config_fail(why, path, 0, "contains a zero octet: not a text file");
    (void)fclose(f);
    if (err != POC_OK) {
        free(text);
        return err;
    }
    *out = text;
    return POC_OK;
}

/** True when `text` has an @include line: includes are refused, so that one file and line explain every setting. */
static int include_line(const char *text)
{
    int line = 1;
    // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): config_fail never says POC_OK, so there is a text
    for (const char *p = text; *p != '\0'; line++) {
        const char *start = p + strspn(p, " \t");
        if (strncmp(start, "@include", 8) == 0)
            return line;
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    return 0;
}

poc_err config_load(config **out, const char *path, char why[CONFIG_WHY_MAX])
{
    char *text = NULL;
    *out = NULL;
    POC_TRY(config_file_text(&text, path, why));
    int line = include_line(text);
    poc_err err = line > 0
                      ? config_fail(why, path, line, "@include is not used here: write the settings into this file")
                      : config_parse(out, text, path, why);
    free(text);
    return err;
}

/* ---- comparing, freeing ---- */

bool config_same_texts(const config_texts *a, const config_texts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->item[i], b->item[i]) != 0)
            return false;
    return true;
}

bool config_same(const option *o, const config *a, const config *b)
{
    const char *at_a = (const char *)a + o->offset, *at_b = (const char *)b + o->offset;
    if (o->need == OPTION_NOT_BUILT)
        return true;
    switch (o->type) {
    case OPTION_TEXT:
    case OPTION_FILE:
        return strcmp(*(char *const *)at_a, *(char *const *)at_b) == 0;
    case OPTION_TEXTS:
        return config_same_texts((const config_texts *)at_a, (const config_texts *)at_b);
    case OPTION_BOOL:
        return *(const bool *)at_a == *(const bool *)at_b;
    case OPTION_NUMBER:
    case OPTION_WORD:
    case OPTION_WORDS:
        return memcmp(at_a, at_b, sizeof(uint32_t)) == 0;
    case OPTION_HEX:
        return memcmp(at_a, at_b, (size_t)o->max) == 0;
    }
    return true;
}

static void free_texts(config_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->item[i]);
    free(texts->item);
    *texts = (config_texts){ 0 };
}

/** Leaves empty fields: two kinds of channels have some of them in common. */
static void free_fields(void *base, bool of_channel)
{
    for (size_t i = 0; i < option_count; i++) {
        const option *o = &options[i];
        if (option_is_of_channel(o) != of_channel || o->need == OPTION_NOT_BUILT)
            continue;
        if (o->type == OPTION_TEXTS)
            free_texts((config_texts *)field_of(base, o));
        if (o->type != OPTION_TEXT && o->type != OPTION_FILE)
            continue;
        char **text = (char **)field_of(base, o);
        free(*text);
        *text = NULL;
    }
}

void config_free(config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->channel_count; i++) {
        free_fields(&c->channels[i], true);
        free(c->channels[i].musik.area_ids);
    }
    free(c->channels);
    free_fields(c, false);
    free(c);
}
