#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

/* By arithmetic, not by table: HA1 is as good as the password, and a table look-up would leave a cache trace. */
static uint8_t hex_digit(unsigned v)
{
    return (uint8_t)(v + '0' + ((9u - v) >> 8 & 1u) * ('a' - '0' - 10u));
}

void poc_hex_put(poc_wr *wr, poc_span in)
{
    uint8_t *at = poc_wr_room(wr, 2 * in.n);
    for (size_t i = 0; at != NULL && i < in.n; i++, at += 2) {
        at[0] = hex_digit(in.p[i] >> 4);
        at[1] = hex_digit(in.p[i] & 15);
    }
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

poc_err poc_hex_get(void *out, size_t cap, size_t *out_len, poc_span text)
{
    uint8_t *to = out;
    if (text.n % 2 != 0)
        return POC_E_INPUT;
    if (text.n / 2 > cap)
        return POC_E_LIMIT;
    for (size_t i = 0; i < text.n; i += 2) {
        int high = hex_value(text.p[i]), low = hex_value(text.p[i + 1]);
        if (high < 0 || low < 0)
            return POC_E_INPUT;
        to[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out_len = text.n / 2;
    return POC_OK;
}

poc_err poc_hex_get_exact(void *out, size_t n, poc_span text)
{
    size_t len;
    return text.n == 2 * n ? poc_hex_get(out, n, &len, text) : POC_E_INPUT;
}

/* Alphabet by arithmetic, not by table: passwords are base64 of keys, and a table look-up would leave a cache trace. In
 * octets and without a condition, so that the compiler does it for a register of them at a time. */
static uint8_t base64_char(uint8_t v)
{
    const uint8_t lower = (uint8_t) - (v > 25), digit = (uint8_t) - (v > 51);
    const uint8_t plus = (uint8_t) - (v > 61), slash = (uint8_t) - (v > 62);
    return (uint8_t)(v + 'A' + (lower & 6) - (digit & 75) - (plus & 15) + (slash & 3));
}

/* Three octets in fours of six bits each; what a last group lacks is zero. */
static void base64_spread(uint8_t out[4], const uint8_t *in, size_t n)
{
    const unsigned v = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);
    out[0] = (uint8_t)(v >> 18);
    out[1] = (uint8_t)(v >> 12 & 63);
    out[2] = (uint8_t)(v >> 6 & 63);
    out[3] = (uint8_t)(v & 63);
}

static void base64_name(uint8_t *at, size_t n)
{
    enum { STEP = 32 }; /* constant, for the compiler */
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (size_t j = 0; j < STEP; j++)
            at[i + j] = base64_char(at[i + j]);
    for (; i < n; i++)
        at[i] = base64_char(at[i]);
}

void poc_base64_put(poc_wr *wr, poc_span in)
{
    const size_t rest = in.n % 3, len = POC_BASE64_LEN(in.n), padding = rest > 0 ? 3 - rest : 0;
    uint8_t *at = poc_wr_room(wr, len);
    if (at == NULL)
        return;
    for (size_t i = 0; i + 3 <= in.n; i += 3)
        base64_spread(at + i / 3 * 4, in.p + i, 3);
    if (rest > 0)
        base64_spread(at + len - 4, in.p + in.n - rest, rest);
    base64_name(at, len - padding);
    memset(at + len - padding, '=', padding);
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

poc_err poc_base64_get(void *out, size_t cap, size_t *out_len, poc_span text)
{
    uint8_t *to = out;
    size_t pad = 0, n = 0;
    if (text.n % 4 != 0)
        return POC_E_INPUT;
    while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
        pad++;
    if (text.n / 4 * 3 - pad > cap)
        return POC_E_LIMIT;
    for (size_t i = 0; i < text.n; i += 4) {
        size_t digits = i + 4 == text.n ? 4 - pad : 4;
        unsigned v = 0;
        for (size_t j = 0; j < digits; j++) {
            int d = base64_value(text.p[i + j]);
            if (d < 0)
                return POC_E_INPUT;
            v |= (unsigned)d << (18 - 6 * j);
        }
        for (size_t j = 0; j + 1 < digits; j++)
            to[n++] = (uint8_t)(v >> (16 - 8 * j));
        unsigned stray = digits == 2 ? v & 0xFFFF : digits == 3 ? v & 0xFF : 0;
        if (stray != 0)
            return POC_E_INPUT;
    }
    *out_len = n;
    return POC_OK;
}

void poc_dec_put(poc_wr *wr, uint64_t v)
{
    char text[20]; /* the largest has as many digits */
    size_t at = sizeof(text);
    do {
        text[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    poc_wr_put(wr, text + at, sizeof(text) - at);
}

poc_err poc_u64_get(uint64_t *out, uint64_t max, poc_span text)
{
    uint64_t v = 0;
    if (text.n == 0)
        return POC_E_INPUT;
    for (size_t i = 0; i < text.n; i++) {
        if (!isdigit(text.p[i]))
            return POC_E_INPUT;
        uint64_t digit = text.p[i] - (uint64_t)'0';
        if (v > (UINT64_MAX - digit) / 10)
            return POC_E_LIMIT;
        v = v * 10 + digit;
    }
    if (v > max)
        return POC_E_LIMIT;
    *out = v;
    return POC_OK;
}

poc_span poc_split(poc_span *rest, char sep)
{
    const uint8_t *at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
    poc_span head = *rest;
    if (at == NULL) {
        *rest = poc_span_of(rest->n > 0 ? rest->p + rest->n : rest->p, 0);
        return head;
    }
    head.n = (size_t)(at - rest->p);
    *rest = poc_span_of(at + 1, rest->n - head.n - 1);
    return head;
}

bool poc_line_next(poc_span *rest, poc_span *line)
{
    if (rest->n == 0)
        return false;
    *line = poc_split(rest, '\n');
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

poc_span poc_trim(poc_span text)
{
    while (text.n > 0 && is_blank(text.p[0])) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && is_blank(text.p[text.n - 1]))
        text.n--;
    return text;
}

static bool is_unreserved(int c)
{
    return isalnum(c) || (c != 0 && strchr("-_.!~*'()", c) != NULL);
}

/* The user part, escapes of unreserved characters resolved (RFC 3261 19.1.4). */
static poc_err uri_user_put(poc_wr *wr, poc_span user)
{
    for (size_t i = 0; i < user.n; i++) {
        uint8_t c = user.p[i];
        if (c <= ' ' || c == 0x7F || c == '<' || c == '>' || c == '"')
            return POC_E_INPUT;
        if (c != '%') {
            poc_wr_u8(wr, c);
            continue;
        }
        int high = i + 1 < user.n ? hex_value(user.p[i + 1]) : -1;
        int low = i + 2 < user.n ? hex_value(user.p[i + 2]) : -1;
        if (high < 0 || low < 0)
            return POC_E_INPUT;
        if (is_unreserved(high << 4 | low))
            poc_wr_u8(wr, (uint8_t)(high << 4 | low));
        else
            poc_wr_fmt(wr, "%%%02X", (unsigned)(high << 4 | low));
        i += 2;
    }
    return POC_OK;
}

static poc_err uri_host_put(poc_wr *wr, poc_span host)
{
    if (host.n == 0)
        return POC_E_INPUT;
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i];
        if (!isalnum(c) && (c == 0 || strchr("-._:[]", c) == NULL))
            return POC_E_INPUT;
        poc_wr_u8(wr, (uint8_t)tolower(c));
    }
    return POC_OK;
}

static poc_err uri_tel_put(poc_wr *wr, poc_span number)
{
    poc_wr_fmt(wr, "tel:");
    if (number.n == 0)
        return POC_E_INPUT;
    for (size_t i = 0; i < number.n; i++) {
        uint8_t c = number.p[i];
        if (strchr("-.()", c) != NULL && c != 0)
            continue;
        if (!isxdigit(c) && c != '+' && c != '*' && c != '#')
            return POC_E_INPUT;
        poc_wr_u8(wr, (uint8_t)tolower(c));
    }
    return POC_OK;
}

poc_err poc_uri_canonical(char out[POC_URI_MAX], poc_span uri)
{
    poc_wr wr = poc_wr_into(out, POC_URI_MAX);
    poc_span rest = poc_trim(uri);
    const uint8_t *angle = rest.n > 0 ? memchr(rest.p, '<', rest.n) : NULL;
    if (angle != NULL) {
        rest = poc_span_of(angle + 1, rest.n - (size_t)(angle + 1 - rest.p));
        if (memchr(rest.p, '>', rest.n) == NULL)
            return POC_E_INPUT;
        rest = poc_split(&rest, '>');
    }
    poc_span scheme = poc_split(&rest, ':');
    if (poc_span_eq_nocase(scheme, "tel")) {
        POC_TRY(uri_tel_put(&wr, poc_split(&rest, ';')));
        return poc_wr_text(&wr);
    }
    if (!poc_span_eq_nocase(scheme, "sip") && !poc_span_eq_nocase(scheme, "sips"))
        return POC_E_INPUT;
    poc_wr_fmt(&wr, "%s:", scheme.n == 3 ? "sip" : "sips");
    if (rest.n > 0 && memchr(rest.p, '@', rest.n) != NULL) {
        poc_span user = poc_split(&rest, '@');
        if (user.n == 0)
            return POC_E_INPUT;
        POC_TRY(uri_user_put(&wr, user));
        poc_wr_u8(&wr, '@');
    }
    poc_span host_part = poc_split(&rest, '?');
    POC_TRY(uri_host_put(&wr, poc_split(&host_part, ';')));
    return poc_wr_text(&wr);
}

poc_err poc_addr_parse(struct sockaddr_storage *out, poc_span host, uint16_t port)
{
    char text[INET6_ADDRSTRLEN];
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (host.n == 0 || host.n >= sizeof(text))
        return POC_E_INPUT;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return POC_OK;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return POC_OK;
    }
    return POC_E_INPUT;
}

/* By hand: inet_ntop goes through printf, and a session description has ten addresses. */
static void addr4_put(poc_wr *wr, uint32_t addr)
{
    for (unsigned shift = 24; shift > 0; shift -= 8) {
        poc_dec_put(wr, addr >> shift & 0xFF);
        poc_wr_u8(wr, '.');
    }
    poc_dec_put(wr, addr & 0xFF);
}

void poc_addr_put(poc_wr *wr, const struct sockaddr *addr)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (addr->sa_family == AF_INET) {
        addr4_put(wr, ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr));
        return;
    }
    if (addr->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)addr)->sin6_addr, text, sizeof(text));
    poc_wr_str(wr, text);
}

socklen_t poc_addr_len(const struct sockaddr *addr)
{
    return addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

uint16_t poc_addr_port(const struct sockaddr *addr)
{
    return addr->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)addr)->sin6_port)
                                       : ntohs(((const struct sockaddr_in *)addr)->sin_port);
}

void poc_addr_set_port(struct sockaddr *addr, uint16_t port)
{
    if (addr->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)addr)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)addr)->sin_port = htons(port);
}

bool poc_addr_eq(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family || poc_addr_port(a) != poc_addr_port(b))
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return a->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0;
}

bool poc_addr_is_multicast(const struct sockaddr *addr)
{
    if (addr->sa_family == AF_INET)
        return IN_MULTICAST(ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr));
    return addr->sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

void poc_time_put(poc_wr *wr, int64_t unix_s)
{
    struct tm tm;
    time_t t = (time_t)unix_s;
    gmtime_r(&t, &tm);
    poc_wr_fmt(wr, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
               tm.tm_min, tm.tm_sec);
}

poc_err poc_time_get(int64_t *unix_s, poc_span text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    unsigned field[6] = { 0 };
    size_t at = 0;
    if (text.n != sizeof(form) - 1)
        return POC_E_INPUT;
    for (size_t i = 0; i < text.n; i++) {
        if (form[i] == 'd' && isdigit(text.p[i]))
            field[at] = field[at] * 10 + (text.p[i] - (unsigned)'0');
        else if (form[i] == 'd' || text.p[i] != (uint8_t)form[i])
            return POC_E_INPUT;
        else
            at++;
    }
    if (field[1] < 1 || field[1] > 12 || field[2] < 1 || field[2] > 31 || field[3] > 23 || field[4] > 59 ||
        field[5] > 60)
        return POC_E_INPUT;
    struct tm tm = { .tm_year = (int)field[0] - 1900,
                     .tm_mon = (int)field[1] - 1,
                     .tm_mday = (int)field[2],
                     .tm_hour = (int)field[3],
                     .tm_min = (int)field[4],
                     .tm_sec = (int)field[5] };
    *unix_s = (int64_t)timegm(&tm);
    return POC_OK;
}
