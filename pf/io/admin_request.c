#include "pf/io/admin_request.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool admin_path_fits(const char *pattern, const char *path, char segment[ADMIN_SEGMENT_MAX])
{
    poc_span want = poc_span_str(pattern), have = poc_span_str(path);
    segment[0] = '\0';
    while (want.n > 0 && have.n > 0) {
        poc_span form = poc_split(&want, '/'), name = poc_split(&have, '/');
        bool is_open = form.n > 0 && form.p[0] == '(';
        if (!is_open && !poc_span_eq(form, name))
            return false;
        if (is_open && (name.n == 0 || name.n >= ADMIN_SEGMENT_MAX))
            return false;
        if (is_open)
            (void)snprintf(segment, ADMIN_SEGMENT_MAX, "%.*s", (int)name.n, (const char *)name.p);
    }
    return want.n == 0 && have.n == 0 && path[strlen(path) - 1] != '/';
}

static poc_err fail(char why[ADMIN_WHY_MAX], const char *what, const char *which)
{
    (void)snprintf(why, ADMIN_WHY_MAX, what, which);
    return POC_E_INPUT;
}

static poc_err check_fields(json_t *object, const char *field, bool is_needed, char why[ADMIN_WHY_MAX])
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return fail(why, "the body is not a JSON %s", "object");
    json_object_foreach(object, name, value)
    {
        if (field == NULL || strcmp(name, field) != 0)
            return fail(why, "unknown field \"%.64s\"", name);
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            return fail(why, "\"%s\" is not a text", name);
    }
    if (is_needed && json_object_size(object) == 0)
        return fail(why, "\"%s\" is missing", field);
    return POC_OK;
}

poc_err admin_body_read(json_t **out, poc_span body, const char *field, bool may_lack_it, char why[ADMIN_WHY_MAX])
{
    bool is_needed = field != NULL && !may_lack_it;
    json_error_t error;
    *out = NULL;
    if (body.n == 0)
        return !is_needed ? POC_OK : fail(why, "\"%s\" is missing", field);
    json_t *object = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, &error);
    if (object == NULL)
        return fail(why, "not JSON: %.100s", error.text);
    poc_err err = check_fields(object, field, is_needed, why);
    if (err == POC_OK)
        *out = object;
    else
        json_decref(object);
    return err;
}
