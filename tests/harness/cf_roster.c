#include "tests/harness/cf_roster.h"

static void row_write(poc_wr *wr, const cf_row *row, const char *state)
{
    poc_wr_fmt(wr, "<user entity=\"%s\" state=\"%s\"><endpoint entity=\"%s;cf\" state=\"full\"><status>%s</status>",
               row->user, state, row->user, row->status);
    if (row->method != NULL)
        poc_wr_fmt(wr, "<disconnection-method>%s</disconnection-method>", row->method);
    if (row->by != NULL)
        poc_wr_fmt(wr, "<disconnection-info><by>%s</by></disconnection-info>", row->by);
    poc_wr_fmt(wr, "</endpoint></user>\n");
}

void cf_roster_write(poc_wr *wr, const char *entity, const char *state, uint32_t version, const cf_row *rows, size_t n,
                     size_t user_count)
{
    poc_wr_fmt(
        wr,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" "
        "entity=\"%s\" state=\"%s\" version=\"%u\">\n",
        entity, state, version);
    if (n > 0 || state[0] == 'f') {
        if (state[0] == 'f')
            poc_wr_fmt(wr, "<conference-description/>\n");
        poc_wr_fmt(wr, "<conference-state><user-count>%zu</user-count></conference-state>\n<users state=\"%s\">\n",
                   user_count, state);
        for (size_t i = 0; i < n; i++)
            row_write(wr, &rows[i], state);
        poc_wr_fmt(wr, "</users>\n");
    }
    poc_wr_fmt(wr, "</conference-info>\n");
    (void)poc_wr_text(wr);
}
