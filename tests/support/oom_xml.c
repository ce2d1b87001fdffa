#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>

#include "tests/support/oom.h"

static void quiet(void *ctx, const char *format, ...)
{
    (void)ctx, (void)format;
}

static char *copy(const char *text)
{
    size_t n = strlen(text) + 1;
    char *to = malloc(n);
    return to == NULL ? NULL : memcpy(to, text, n);
}

bool oom_xml_begin(void)
{
    if (xmlMemSetup(free, malloc, realloc, copy) != 0)
        return false;
    xmlInitParser();
    xmlSetGenericErrorFunc(NULL, quiet);
    return true;
}

void oom_xml_end(void)
{
    xmlCleanupParser();
}
