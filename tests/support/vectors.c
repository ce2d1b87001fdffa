#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void stop(const char *what, const char *name)
{
    fprintf(stderr, "vectors: %s: %s\n", what, name);
    abort();
}

json_t *vec_load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        stop(error.text, path);
    return root;
}

const char *vec_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL)
        stop("no such text", name);
    return text;
}

vec_bytes vec_hex(const json_t *object, const char *name)
{
    vec_bytes v;
    if (poc_hex_get(v.b, sizeof(v.b), &v.n, poc_span_str(vec_text(object, name))) != POC_OK)
        stop("not hex", name);
    return v;
}

const json_t *vec_by_id(const json_t *list, const char *id)
{
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) if (strcmp(vec_text(entry, "id"), id) == 0) return entry;
    stop("no such id", id);
    return NULL;
}

bool vec_has(const json_t *object, const char *name)
{
    return json_object_get(object, name) != NULL;
}
