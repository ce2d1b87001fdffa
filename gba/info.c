/* BootstrappingInfo (TS 24.109 Annex C): what the BSF tells a UE in the body of the last answer on Ub. */
#include "gba/private.h"

#include <string.h>

poc_err gba_info_encode(poc_wr *wr, const char *btid, int64_t expires_s)
{
    poc_wr_fmt(wr,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BootstrappingInfo xmlns=\"uri:3gpp-gba\">\n"
               "<btid>%s</btid>\n<lifetime>",
               btid);
    poc_time_put(wr, expires_s);
    poc_wr_fmt(wr, "</lifetime>\n</BootstrappingInfo>\n");
    return poc_wr_done(wr);
}

/* An opening tag of this name, under any prefix. */
static bool local_name_is(poc_span tag, const char *name)
{
    if (tag.p[0] == '/')
        return false;
    for (size_t i = 0; i < tag.n; i++)
        if (tag.p[i] == ' ' || tag.p[i] == '\t' || tag.p[i] == '\r' || tag.p[i] == '\n')
            tag.n = i;
    const uint8_t *colon = tag.n > 0 ? memchr(tag.p, ':', tag.n) : NULL;
    if (colon != NULL)
        tag = poc_span_of(colon + 1, tag.n - (size_t)(colon + 1 - tag.p));
    return poc_span_eq_str(tag, name);
}

/* xs:dateTime allows a fraction of a second, which a key's end does not need. */
static poc_err lifetime_get(int64_t *out, poc_span text)
{
    char plain[24];
    poc_span whole = poc_split(&text, '.');
    if (whole.n > 20)
        return POC_E_INPUT;
    bool cut = whole.n == 19;
    POC_TRY(gba_text_copy(plain, sizeof(plain), whole));
    if (cut && (text.n < 2 || text.p[text.n - 1] != 'Z'))
        return POC_E_INPUT;
    if (cut)
        memcpy(plain + 19, "Z", 2);
    return poc_time_get(out, poc_span_str(plain));
}

static poc_err btid_get(char out[POC_BTID_MAX + 1], poc_span text)
{
    if (text.n == 0 || text.n > POC_BTID_MAX || memchr(text.p, '@', text.n) == NULL || !gba_is_quotable(text))
        return POC_E_INPUT;
    return gba_text_copy(out, POC_BTID_MAX + 1, text);
}

/* The document is flat and its two texts hold no entity, so a walk from tag to tag is all it takes. Declarations
 * (`<!`) are refused: nothing here needs them. */
poc_err gba_info_decode(char btid[POC_BTID_MAX + 1], int64_t *expires_s, poc_span body)
{
    bool have_btid = false, have_lifetime = false;
    if (body.n > GBA_BODY_MAX)
        return POC_E_INPUT;
    poc_split(&body, '<');
    while (body.n > 0) {
        poc_span element = poc_split(&body, '<');
        poc_span tag = poc_split(&element, '>'), text = poc_trim(element);
        if (tag.n == 0 || tag.p[0] == '!')
            return POC_E_INPUT;
        bool is_btid = local_name_is(tag, "btid"), is_lifetime = local_name_is(tag, "lifetime");
        if ((is_btid && have_btid) || (is_lifetime && have_lifetime))
            return POC_E_INPUT;
        if (is_btid)
            POC_TRY(btid_get(btid, text));
        if (is_lifetime)
            POC_TRY(lifetime_get(expires_s, text));
        have_btid |= is_btid;
        have_lifetime |= is_lifetime;
    }
    return have_btid && have_lifetime ? POC_OK : POC_E_INPUT;
}
