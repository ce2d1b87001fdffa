#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pf/ctl/ctl.h"

int ctl_failed(poc_err err)
{
    ctl_complain("failed: %s", poc_err_name(err));
    return CTL_SOFTWARE;
}

static const ctl_option *option_find(const ctl_command *c, const char *name, size_t *index)
{
    for (*index = 0; *index < c->option_count; ++*index) {
        if (strcmp(c->options[*index].name, name) == 0)
            return &c->options[*index];
    }
    return NULL;
}

static int file_take(ctl_args *out, const ctl_command *c, const char *arg)
{
    if (!c->takes_file || out->file != NULL || (arg[0] == '-' && arg[1] != '\0')) {
        ctl_complain("%s %s: do not know what to do with '%s'", c->group, c->name, arg);
        return CTL_USAGE;
    }
    out->file = arg;
    return CTL_OK;
}

int ctl_options_parse(ctl_args *out, const ctl_command *command, int argc, char **argv)
{
    *out = (ctl_args){ .file = NULL };
    for (int i = 0; i < argc; i++) {
        size_t index;
        const ctl_option *o = option_find(command, argv[i], &index);
        if (o == NULL) {
            if (file_take(out, command, argv[i]) != CTL_OK)
                return CTL_USAGE;
            continue;
        }
        if (out->values[index] != NULL) {
            ctl_complain("%s stands there twice", o->name);
            return CTL_USAGE;
        }
        if (o->value != NULL && ++i == argc) {
            ctl_complain("%s wants a value (%s)", o->name, o->value);
            return CTL_USAGE;
        }
        out->values[index] = o->value == NULL ? "" : argv[i];
    }
    return CTL_OK;
}

bool ctl_hex(uint8_t *out, size_t *n, size_t min, size_t max, const char *name, const char *text)
{
    if (text == NULL) {
        ctl_complain("%s is missing", name);
        return false;
    }
    /* The value may be a key: it is not repeated in the complaint. */
    if (poc_hex_get(out, max, n, poc_span_str(text)) == POC_OK && *n >= min)
        return true;
    if (min == max)
        ctl_complain("%s wants %zu octets in hex", name, min);
    else
        ctl_complain("%s wants %zu to %zu octets in hex", name, min, max);
    return false;
}

bool ctl_secret(poc_secret **out, size_t n, const char *name, const char *text)
{
    uint8_t octets[POC_SECRET_MAX];
    size_t len = 0;
    bool good = ctl_hex(octets, &len, n, n, name, text);
    if (good && poc_secret_from(out, octets, n) != POC_OK) {
        ctl_complain("out of memory");
        good = false;
    }
    poc_wipe(octets, sizeof(octets));
    return good;
}

bool ctl_number(uint64_t *out, uint64_t otherwise, uint64_t max, const char *name, const char *text)
{
    *out = otherwise;
    if (text == NULL || poc_u64_get(out, max, poc_span_str(text)) == POC_OK)
        return true;
    ctl_complain("%s wants a decimal number of at most %llu", name, (unsigned long long)max);
    return false;
}

json_t *ctl_json_u32(uint32_t v)
{
    const uint8_t octets[] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
    return ctl_json_hex(true, poc_span_of(octets, sizeof(octets)));
}

json_t *ctl_json_text(poc_span text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            return json_null();
    }
    return json_stringn((const char *)text.p, text.n);
}

json_t *ctl_json_time(int64_t unix_s)
{
    char text[64];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    poc_time_put(&wr, unix_s);
    return poc_wr_text(&wr) == POC_OK ? json_string(text) : json_null();
}

json_t *ctl_json_hex(bool present, poc_span octets)
{
    char text[2 * 4096 + 1];
    poc_wr wr = poc_wr_into(text, sizeof(text));
    if (!present)
        return json_null();
    poc_hex_put(&wr, octets);
    json_t *value = poc_wr_text(&wr) == POC_OK ? json_string(text) : NULL;
    poc_wipe(text, wr.len);
    return value;
}

int ctl_json_print(json_t *object, int status)
{
    if (object == NULL || json_dumpf(object, stdout, JSON_INDENT(2)) != 0 || puts("") == EOF || fflush(stdout) != 0) {
        ctl_complain("cannot write the result");
        status = CTL_SOFTWARE;
    }
    json_decref(object);
    return status;
}
