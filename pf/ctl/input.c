/* A message as people have it at hand: a datagram, a hex dump, or the base64 of an SDP attribute. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pf/ctl/ctl.h"

#define FILE_MAX 16384u

static int file_read(char *out, size_t *n, const char *file)
{
    const bool is_stdin = file == NULL || strcmp(file, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(file, "rb");
    if (f == NULL) {
        ctl_complain("%s: %s", file, strerror(errno));
        return CTL_NOINPUT;
    }
    *n = fread(out, 1, FILE_MAX, f);
    const bool failed = ferror(f) != 0;
    if (!is_stdin)
        (void)fclose(f);
    if (failed) {
        ctl_complain("%s: cannot be read", is_stdin ? "standard input" : file);
        return CTL_NOINPUT;
    }
    return CTL_OK;
}

static bool all_of(poc_span text, const char *set)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == 0 || strchr(set, text.p[i]) == NULL)
            return false;
    }
    return text.n > 0;
}

static size_t squeeze(char *out, const char *in, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (in[i] == 0 || strchr(" \t\r\n", in[i]) == NULL)
            out[kept++] = in[i];
    }
    return kept;
}

#define HEX_DIGITS "0123456789abcdefABCDEF"
#define LETTERS    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

int ctl_input_read(uint8_t *out, size_t cap, size_t *n, const char *file)
{
    char octets[FILE_MAX], packed[FILE_MAX];
    size_t len;
    int status = file_read(octets, &len, file);
    if (status != CTL_OK)
        return status;
    /* No message is text: the first octet of each is the version, 1. */
    const poc_span text = poc_span_of(packed, squeeze(packed, octets, len));
    poc_err err = POC_OK;
    if (all_of(text, HEX_DIGITS)) {
        err = poc_hex_get(out, cap, n, text);
    } else if (all_of(text, LETTERS "0123456789+/=")) {
        err = poc_base64_get(out, cap, n, text);
    } else {
        *n = len < cap ? len : cap;
        memcpy(out, octets, *n);
    }
    if (err == POC_OK)
        return CTL_OK;
    ctl_complain(err == POC_E_LIMIT ? "offset %zu: message too long" : "offset 0: text is neither hex nor base64", cap);
    return CTL_DATA;
}
