/* Any octets as a path and a body at the operator's door: up to the first NUL the path, then the body. */
#include <stdlib.h>
#include <string.h>

#include "pf/io/admin_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(poc_span body, const char *field, bool may_lack_it)
{
    char why[ADMIN_WHY_MAX] = "";
    json_t *object;
    poc_err err = admin_body_read(&object, body, field, may_lack_it, why);
    if (err != POC_OK && (object != NULL || why[0] == '\0'))
        abort();
    if (err == POC_OK && field != NULL && (!may_lack_it || json_object_size(object) > 0) &&
        json_string_value(json_object_get(object, field)) == NULL)
        abort();
    if (err == POC_OK && field == NULL && json_object_size(object) != 0)
        abort();
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[256], segment[ADMIN_SEGMENT_MAX];
    size_t n = strnlen((const char *)data, size), fits = 0;
    if (n >= sizeof(path))
        return 0;
    memcpy(path, data, n);
    path[n] = '\0';
    for (size_t i = 0; i < admin_route_count; i++)
        fits += admin_path_fits(admin_routes[i].pattern, path, segment);
    if (fits > 1)
        abort(); /* no path may be two routes */
    poc_span body = n < size ? poc_span_of(data + n + 1, size - n - 1) : poc_span_of(data, 0);
    read_body(body, "user", false);
    read_body(body, "user", true);
    read_body(body, NULL, false);
    return 0;
}
