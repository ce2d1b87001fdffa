#include "pf/io/subscribers.h"

#include <errno.h>
#include <libconfig.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pf/io/config_private.h"

typedef struct reader {
    gba_bsf *bsf;
    const char *name;
    char *why;
} reader;

#define FAIL(r, s, ...) config_fail((r)->why, (r)->name, (int)config_setting_source_line(s), __VA_ARGS__)

static const char *const names[] = { "impi", "k", "opc", "op", "amf", "sqn", "impus" };
static const config_element element = { "subscribers", names, POC_COUNT(names), "impi, k, opc or op, amf, sqn, impus" };

/** A member of `n` octets in hex; `preset` when it is left out, NULL: it must be there. */
static poc_err take_hex(reader *r, const config_setting_t *s, const char *name, const char *preset, uint8_t *out,
                        size_t n)
{
    const config_setting_t *member = config_setting_get_member(s, name);
    const char *text = member == NULL ? preset : config_setting_get_string(member);
    if (text == NULL || poc_hex_get_exact(out, n, poc_span_str(text)) != POC_OK)
        return FAIL(r, member != NULL ? member : s, "subscribers.%s must be %zu hex digits in quotes", name, 2 * n);
    return POC_OK;
}

static poc_err take_opc(reader *r, const config_setting_t *s, gba_subscriber *out)
{
    uint8_t op[16];
    bool has_opc = config_setting_get_member(s, "opc") != NULL, has_op = config_setting_get_member(s, "op") != NULL;
    if (has_opc == has_op)
        return FAIL(r, s, "a subscriber needs either opc or op");
    if (has_opc)
        return take_hex(r, s, "opc", NULL, out->opc, sizeof(out->opc));
    poc_err err = take_hex(r, s, "op", NULL, op, sizeof(op));
    if (err == POC_OK)
        err = gba_opc(out->opc, out->k, op);
    poc_wipe(op, sizeof(op));
    return err;
}

static poc_err take_impus(reader *r, const config_setting_t *s, gba_subscriber *out)
{
    const config_setting_t *list = config_setting_get_member(s, "impus");
    int n = list == NULL ? 0 : config_setting_length(list);
    char uri[POC_URI_MAX];
    if (n < 1 || n > (int)GBA_IMPUS_MAX)
        return FAIL(r, s, "subscribers.impus must be a list of 1 to %u SIP URIs", GBA_IMPUS_MAX);
    for (int i = 0; i < n; i++) {
        const char *text = config_setting_get_string_elem(list, i);
        if (text == NULL || poc_uri_canonical(uri, poc_span_str(text)) != POC_OK)
            return FAIL(r, list, "subscribers.impus: element %d is not a SIP URI", i + 1);
        out->impus[out->impu_count++] = poc_span_str(text);
    }
    return POC_OK;
}

static poc_err take_fields(reader *r, const config_setting_t *s, gba_subscriber *out)
{
    uint8_t sqn[6] = { 0 };
    const char *impi = NULL;
    POC_TRY(config_refuse_unknown(r->why, r->name, s, &element));
    if (config_setting_lookup_string(s, "impi", &impi) != CONFIG_TRUE || impi[0] == '\0' || strlen(impi) > GBA_IMPI_MAX)
        return FAIL(r, s, "subscribers.impi must be a text of 1 to %u octets", GBA_IMPI_MAX);
    out->impi = poc_span_str(impi);
    POC_TRY(take_hex(r, s, "k", NULL, out->k, sizeof(out->k)));
    POC_TRY(take_opc(r, s, out));
    POC_TRY(take_hex(r, s, "amf", "8000", out->amf, sizeof(out->amf)));
    POC_TRY(take_hex(r, s, "sqn", "000000000000", sqn, sizeof(sqn)));
    for (size_t i = 0; i < sizeof(sqn); i++)
        out->sqn = out->sqn << 8 | sqn[i];
    return take_impus(r, s, out);
}

static poc_err take_one(reader *r, const config_setting_t *s)
{
    gba_subscriber subscriber = { 0 };
    if (config_setting_type(s) != CONFIG_TYPE_GROUP)
        return FAIL(r, s, "subscribers must be a list of groups: ( { impi = ...; }, ... )");
    poc_err err = take_fields(r, s, &subscriber);
    if (err == POC_OK && (err = gba_bsf_add(r->bsf, &subscriber)) == POC_E_STATE)
        err = FAIL(r, s, "this impi stands in the list already");
    poc_wipe(&subscriber, sizeof(subscriber));
    return err;
}

static poc_err take_all(reader *r, const config_t *lib)
{
    const config_setting_t *list = config_lookup(lib, "subscribers");
    if (list == NULL || config_setting_type(list) != CONFIG_TYPE_LIST)
        return config_fail(r->why, r->name, 1, "a list \"subscribers\" is missing");
    for (int i = 0; i < config_setting_length(list); i++)
        POC_TRY(take_one(r, config_setting_get_elem(list, (unsigned)i)));
    return POC_OK;
}

/** libconfig keeps what it read in its own heap: overwritten here, in place, before it is freed. */
static void wipe_texts(config_setting_t *s)
{
    const char *text = config_setting_get_string(s);
    if (text != NULL)
        poc_wipe((void *)(uintptr_t)text, strlen(text));
    for (int i = 0; i < config_setting_length(s); i++)
        wipe_texts(config_setting_get_elem(s, (unsigned)i));
}

poc_err subscribers_load(gba_bsf *bsf, const char *path, char why[CONFIG_WHY_MAX])
{
    reader r = { bsf, path, why };
    struct stat st;
    config_t lib;
    if (stat(path, &st) != 0)
        return config_fail(why, path, 0, "gba.subscribers cannot be read: %s", strerror(errno));
    config_init(&lib);
    (void)mallopt(M_PERTURB, 0xA5); /* overwrites the scanner's buffers when they are freed */
    poc_err err = config_read_file(&lib, path) == CONFIG_TRUE
                      ? take_all(&r, &lib)
                      : config_fail(why, path, config_error_line(&lib), "%s", config_error_text(&lib));
    wipe_texts(config_root_setting(&lib));
    config_destroy(&lib);
    (void)mallopt(M_PERTURB, 0);
    return err;
}
