/* The configuration loader on any text: either a whole configuration comes out, or none and a reason with a place. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pf/io/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[CONFIG_WHY_MAX];
    config *c = NULL;
    if (memchr(data, '\0', size) != NULL || memmem(data, size, "@include", 8) != NULL)
        return 0; /* config_load refuses both before this */
    char *text = (char *)malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    poc_err err = config_parse(&c, text, "fuzz.cfg", why);
    if ((err == POC_OK) != (c != NULL) || (err == POC_E_INPUT && strncmp(why, "fuzz.cfg:", 9) != 0))
        abort();
    config_free(c);
    free(text);
    return 0;
}
