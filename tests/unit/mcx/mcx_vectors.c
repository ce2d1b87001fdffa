#include "tests/unit/mcx/mcx_vectors.h"

#include <string.h>

#include "base/text.h"

int mcx_vectors_open(void **state)
{
    *state = vec_load(POC_VECTORS "/mikey-sakke.json");
    return 0;
}

int mcx_vectors_close(void **state)
{
    json_decref(*state);
    return 0;
}

const json_t *mcx_messages(const json_t *vectors, const char *family)
{
    const json_t *list = json_object_get(json_object_get(vectors, family), "messages");
    assert_true(json_array_size(list) > 0);
    return list;
}

const json_t *mcx_message(const json_t *vectors, const char *family, const char *name)
{
    size_t i;
    json_t *m;
    json_array_foreach(mcx_messages(vectors, family), i, m)
    {
        if (strcmp(vec_text(m, "name"), name) == 0)
            return m;
    }
    fail_msg("no message %s", name);
    return NULL;
}

vec_bytes mcx_octets(const json_t *message)
{
    vec_bytes v;
    if (vec_has(message, "message"))
        return vec_hex(message, "message");
    assert_int_equal(poc_base64_get(v.b, sizeof(v.b), &v.n, mcx_text(message, "message_base64")), POC_OK);
    return v;
}

uint32_t mcx_number(const json_t *object, const char *name)
{
    const vec_bytes v = vec_hex(object, name);
    poc_rd rd = poc_rd_over(vec_span(&v), NULL);
    uint32_t number;
    assert_int_equal(v.n, 4);
    assert_int_equal(poc_rd_u32(&rd, &number), POC_OK);
    return number;
}

poc_secret *mcx_secret(const json_t *object, const char *name)
{
    const vec_bytes v = vec_hex(object, name);
    poc_secret *s;
    assert_int_equal(poc_secret_from(&s, v.b, v.n), POC_OK);
    return s;
}

static poc_err script_fill(void *ctx, void *out, size_t n)
{
    mcx_script *script = ctx;
    if (n > script->left)
        return POC_E_IO;
    memcpy(out, script->octets, n);
    script->octets += n;
    script->left -= n;
    return POC_OK;
}

poc_rng mcx_script_rng(mcx_script *script)
{
    return (poc_rng){ script_fill, script };
}
