/* Which session is whose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pf/io/shell_private.h"

static bool key_of(char key[SHELL_KEY_MAX], const char *channel, const char *user)
{
    int n = snprintf(key, SHELL_KEY_MAX, "%s %s", channel, user); /* neither has a space */
    return n > 0 && (size_t)n < SHELL_KEY_MAX;
}

shell_member *shell_member_of(const shell *s, const char *channel, const char *user)
{
    char key[SHELL_KEY_MAX];
    if (!key_of(key, channel, user))
        return NULL;
    return (shell_member *)poc_table_get(&s->members, poc_span_str(key));
}

poc_err shell_member_put(shell *s, const char *channel, const char *user, sip_session *session)
{
    shell_member *m = (shell_member *)calloc(1, sizeof(*m));
    if (m == NULL)
        return POC_E_NOMEM;
    m->session = session;
    poc_err err = key_of(m->key, channel, user) ? poc_table_put(&s->members, poc_span_str(m->key), m) : POC_E_LIMIT;
    if (err != POC_OK)
        free(m);
    return err;
}

void shell_member_remove(shell *s, shell_member *m)
{
    (void)poc_table_remove(&s->members, poc_span_str(m->key));
    free(m);
}

void shell_members_forget(shell *s)
{
    shell_member *m;
    for (size_t at = 0; (m = (shell_member *)poc_table_next(&s->members, &at)) != NULL;)
        shell_member_remove(s, m);
}

void shell_members_free(shell *s)
{
    shell_members_forget(s);
    poc_table_done(&s->members);
}
