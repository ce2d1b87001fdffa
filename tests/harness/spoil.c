#include "tests/harness/spoil.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* The client reads another group everywhere, listens to it, and answers with it. */
static void edit_group(char *sdp)
{
    for (char *at = sdp; (at = strstr(at, "IN IP4 2")) != NULL; at++) {
        char *digit = at + 9; /* the last one of the first octet */
        unsigned long octet = strtoul(at + 7, NULL, 10);
        if (octet >= 224 && octet <= 239)
            *digit = *digit == '0' ? '1' : (char)(*digit - 1);
    }
}

/* Only lines that are on. */
static void edit_port(char *sdp)
{
    char *media = NULL;
    for (char *line = sdp; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "m=", 2) == 0)
            media = strchr(line, ' ');
        unsigned long octet = strncmp(line, "c=IN IP4 ", 9) == 0 ? strtoul(line + 9, NULL, 10) : 0;
        if (media == NULL || octet < 224 || octet > 239 || strtoul(media, NULL, 10) == 0)
            continue;
        char *digit = strchr(media + 1, ' ') - 1;
        *digit = *digit == '9' ? '7' : (char)(*digit + 1);
    }
}

/* The client says that it wants to send to the group. */
static void edit_direction(char *sdp)
{
    for (char *at = sdp; (at = strstr(at, "a=recvonly")) != NULL; at++)
        memcpy(at, "a=sendonly", 10);
}

/* The key message ends with its MAC: to the client it looks like one under another MUK. */
static void edit_key(char *sdp)
{
    char *line = strstr(sdp, "a=key-mgmt:mikey ");
    size_t n = line == NULL ? 0 : strcspn(line, "\r\n");
    if (n > 32)
        line[n - 8] = line[n - 8] == 'A' ? 'B' : 'A';
}

static const struct {
    const char *word;
    bool in_answer;
    void (*edit)(char *sdp);
} ways[] = {
    { "other_group", false, edit_group },
    { "other_port", false, edit_port },
    { "other_direction", true, edit_direction },
    { "wrong_key", false, edit_key },
};

bool spoil_knows(const char *word)
{
    for (size_t i = 0; i < POC_COUNT(ways); i++)
        if (strcmp(ways[i].word, word) == 0)
            return true;
    return word[0] == '\0';
}

void spoil_sdp(const char *word, bool is_answer, char *sdp)
{
    for (size_t i = 0; i < POC_COUNT(ways); i++)
        if (strcmp(ways[i].word, word) == 0 && ways[i].in_answer == is_answer)
            ways[i].edit(sdp);
}
