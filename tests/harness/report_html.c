/* report.html: one file without network access. Lanes per client over time, the MSK that each held, what was on air, where
 * the expelled one goes silent, the expectations, and the audio to play. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "tests/harness/report.h"
#include "tests/harness/wav.h"

#define LEFT_X   110.0 /* where time zero is */
#define WIDTH    1180.0
#define LANE_H   64.0
#define AIR_H    56.0
#define TOP_Y    26.0
#define MSK_HUES 8
#define GAP_US   200000 /* a silence longer than this ends a stretch */

typedef struct page {
    FILE *out;
    const record *rec;
    const measure *m;
    const expect *e;
    poc_msk_id msks[256]; /* in order of appearance: gives each its colour */
    size_t msk_count;
} page;

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--bg:#fbfbf9;--fg:#22262b;--dim:#6b727b;--line:#d9dcd8;--card:#fff;--ok:#1d7f4c;--bad:#c0392b;"
    "--in:#dfe5ec;--uni:#8fa3b8;--c0:#2f7ed8;--c1:#e08a1e;--c2:#2a9d6e;--c3:#9b59b6;--c4:#d1495b;--c5:#00838f;--c6:#7a6a2f;--c7:#5c6bc0}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e8ea;--dim:#98a1aa;--line:#31373e;--card:#1d2126;--ok:#4cc38a;--bad:#ff7b6b;"
    "--in:#2b3440;--uni:#7f93a8}}\n"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1340px;padding:0 1rem}\n"
    "h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:2rem 0 .6rem}p{margin:.2rem 0;color:var(--dim)}\n"
    ".verdict{display:inline-block;padding:.1rem .6rem;border-radius:.4rem;color:#fff;font-weight:600}.pass{background:var(--ok)}.fail{background:var(--bad)}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.8rem;overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .7rem;border-bottom:1px solid var(--line)}"
    "th{color:var(--dim);font-weight:500}td.n{text-align:right;font-variant-numeric:tabular-nums}tr:last-child td{border:0}\n"
    ".ok{color:var(--ok)}.no{color:var(--bad);font-weight:600}svg text{font:12px system-ui,sans-serif;fill:var(--fg)}svg .t{fill:var(--dim);font-size:11px}\n"
    "audio{height:2rem;width:100%;min-width:18rem}code{font-family:ui-monospace,monospace}\n"
    ".key{display:inline-block;width:.8rem;height:.8rem;border-radius:.2rem;margin:0 .35rem 0 1rem;vertical-align:-.05rem}\n"
    "</style>\n";

/* ---- small helpers ---- */

static void escape(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else
            fputc(*text, out);
    }
}

static double x_of(const page *p, int64_t us)
{
    double end = p->rec->end_us > 0 ? (double)p->rec->end_us : 1;
    return LEFT_X + (double)us / end * (WIDTH - LEFT_X - 10);
}

static int colour_of(page *p, poc_msk_id id)
{
    for (size_t i = 0; i < p->msk_count; i++)
        if (p->msks[i] == id)
            return (int)(i % MSK_HUES);
    if (p->msk_count == POC_COUNT(p->msks))
        return 0;
    p->msks[p->msk_count] = id;
    return (int)(p->msk_count++ % MSK_HUES);
}

static void bar(const page *p, int64_t from_us, int64_t to_us, double y, double h, const char *fill, const char *title)
{
    double x = x_of(p, from_us), w = x_of(p, to_us) - x;
    fprintf(
        p->out,
        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"><title>%s</title></rect>\n", x,
        y, w > 1.5 ? w : 1.5, h, fill, title);
}

static void mark(const page *p, int64_t at_us, double y, double h, const char *colour, const char *text)
{
    double x = x_of(p, at_us);
    fprintf(
        p->out,
        "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"1.5\"><title>%s</title></line>\n",
        x, x, y, y + h, colour, text);
}

/* ---- lanes ---- */

/* Packets that follow each other closely become one stretch of colour. */
typedef struct stretch {
    bool open;
    int64_t from_us, to_us;
    int kind; /* colour of the MSK, or -1 for unicast */
} stretch;

static void close_stretch(const page *p, stretch *s, double y, double h)
{
    char fill[24], title[96];
    if (!s->open)
        return;
    if (s->kind < 0)
        snprintf(fill, sizeof(fill), "var(--uni)");
    else
        snprintf(fill, sizeof(fill), "var(--c%d)", s->kind);
    snprintf(title, sizeof(title), "%s, %.2f to %.2f s", s->kind < 0 ? "by unicast" : "by multicast",
             (double)s->from_us / 1e6, (double)s->to_us / 1e6);
    bar(p, s->from_us, s->to_us, y, h, fill, title);
    s->open = false;
}

static void extend(const page *p, stretch *s, int kind, int64_t at_us, double y, double h)
{
    if (s->open && (s->kind != kind || at_us - s->to_us > GAP_US))
        close_stretch(p, s, y, h);
    if (!s->open)
        *s = (stretch){ true, at_us, at_us, kind };
    s->to_us = at_us + 20000;
}

static bool is_end_of_stay(world_what what)
{
    return what == WORLD_OUT || what == WORLD_BYED || what == WORLD_DEREGISTERED || what == WORLD_SERVICE_LEFT;
}

static void draw_session(page *p, int client, double y)
{
    int64_t in_us = -1;
    for (size_t i = 0; i < p->rec->seen_count; i++) {
        const world_seen *seen = &p->rec->seen[i];
        if (seen->client != client)
            continue;
        if ((seen->what == WORLD_IN || seen->what == WORLD_REGISTERED) && in_us < 0)
            in_us = seen->at_us;
        if (is_end_of_stay(seen->what) && in_us >= 0) {
            bar(p, in_us, seen->at_us, y, 8, "var(--in)", "in session, or registered");
            in_us = -1;
        }
    }
    if (in_us >= 0)
        bar(p, in_us, p->rec->end_us, y, 8, "var(--in)", "in session, or registered");
}

static void draw_key(page *p, poc_msk_id id, int64_t from_us, int64_t to_us, double y)
{
    char fill[24], title[48];
    snprintf(fill, sizeof(fill), "var(--c%d)", colour_of(p, id));
    snprintf(title, sizeof(title), "holds MSK %08x", id);
    bar(p, from_us, to_us, y, 10, fill, title);
    if (x_of(p, to_us) - x_of(p, from_us) > 62)
        fprintf(p->out, "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" style=\"fill:#fff;font-size:9px\">%08x</text>\n",
                x_of(p, from_us) + 4, y + 8.5, id);
}

static void draw_keys(page *p, int client, double y)
{
    int64_t from_us = 0;
    poc_msk_id id = 0;
    for (size_t i = 0; i < p->rec->seen_count; i++) {
        const world_seen *seen = &p->rec->seen[i];
        bool gone = is_end_of_stay(seen->what);
        if (seen->client != client || (seen->what != WORLD_KEY && !gone))
            continue;
        bool keeps = gone && p->rec->clients[client].made.keeps_keys;
        if (id != 0 && !keeps)
            draw_key(p, id, from_us, seen->at_us, y);
        if (!keeps) {
            id = gone ? 0 : seen->mki.msk_id;
            from_us = seen->at_us;
        }
    }
    if (id != 0)
        draw_key(p, id, from_us, p->rec->end_us, y);
}

static void draw_played(page *p, int client, double y)
{
    stretch s = { 0 };
    for (size_t i = 0; i < p->rec->seen_count; i++) {
        const world_seen *seen = &p->rec->seen[i];
        if (seen->client == client && seen->what == WORLD_PLAYED)
            extend(p, &s, seen->by_multicast ? colour_of(p, seen->mki.msk_id) : -1, seen->at_us, y, 22);
    }
    close_stretch(p, &s, y, 22);
}

static void draw_fate(page *p, int client, double y)
{
    for (size_t i = 0; i < p->rec->seen_count; i++) {
        const world_seen *seen = &p->rec->seen[i];
        if (seen->client != client)
            continue;
        if (seen->what == WORLD_UNREADABLE)
            mark(p, seen->at_us, y + 48, 5, "var(--bad)", "on air, and cannot be opened");
        if (seen->what != WORLD_EXPELLED)
            continue;
        mark(p, seen->at_us, y, LANE_H - 6, "var(--bad)", "expelled");
        fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" style=\"fill:var(--bad)\">expelled</text>\n",
                x_of(p, seen->at_us) + 4, y + 38);
    }
}

static void draw_client(page *p, int client, double y)
{
    const char *name = p->rec->clients[client].made.name;
    fprintf(p->out, "<text x=\"4\" y=\"%.1f\" font-weight=\"600\">%s</text>\n", y + 22, name);
    fprintf(p->out, "<line x1=\"0\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"var(--line)\"/>\n", WIDTH,
            y + LANE_H - 4, y + LANE_H - 4);
    draw_session(p, client, y);
    draw_keys(p, client, y + 10);
    draw_played(p, client, y + 24);
    draw_fate(p, client, y);
}

static void draw_air(page *p, double y)
{
    stretch s = { 0 };
    fprintf(p->out, "<text x=\"4\" y=\"%.1f\" font-weight=\"600\">on air</text>\n", y + 18);
    for (size_t i = 0; i < p->rec->seen_count; i++) {
        const world_seen *seen = &p->rec->seen[i];
        if (seen->what == WORLD_ON_AIR)
            extend(p, &s, colour_of(p, seen->mki.msk_id), seen->at_us, y, 22);
        if (seen->what == WORLD_STKM_ON_AIR)
            mark(p, seen->at_us, y + 26, 7, "var(--dim)", "STKM");
        if (seen->what == WORLD_FLOOR_ON_AIR)
            mark(p, seen->at_us, y + 35, 7, "var(--fg)", "floor message");
    }
    close_stretch(p, &s, y, 22);
    fprintf(p->out, "<text class=\"t\" x=\"4\" y=\"%.1f\">STKM, floor</text>\n", y + 36);
}

static void draw_time(const page *p, double height)
{
    int64_t step_us = p->rec->end_us > 60000000 ? 10000000 : p->rec->end_us > 20000000 ? 2000000 : 1000000;
    for (int64_t us = 0; us <= p->rec->end_us; us += step_us) {
        double x = x_of(p, us);
        fprintf(p->out,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"18\" y2=\"%.1f\" stroke=\"var(--line)\" stroke-dasharray=\"2 4\"/>"
                "<text class=\"t\" x=\"%.1f\" y=\"13\" text-anchor=\"middle\">%" PRId64 " s</text>\n",
                x, x, height, x, us / 1000000);
    }
}

static void draw_rekeys(const page *p, double height)
{
    for (size_t i = 0; i < p->m->rekey_count; i++) {
        const measure_rekey *r = &p->m->rekeys[i];
        char title[96];
        snprintf(title, sizeof(title), "rekey (%s): %08x to %08x", r->reason, r->old_id, r->new_id);
        mark(p, r->switch_us, TOP_Y - 6, height - TOP_Y, "var(--fg)", title);
        fprintf(p->out, "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">rekey: %s</text>\n",
                x_of(p, r->switch_us), height + 12, r->reason);
    }
}

static void draw_lanes(page *p)
{
    double height = TOP_Y + AIR_H + LANE_H * (double)p->rec->client_count;
    fprintf(
        p->out,
        "<div class=\"card\"><svg viewBox=\"0 0 %.0f %.0f\" width=\"100%%\" role=\"img\" aria-label=\"Lanes of the clients\">\n",
        WIDTH, height + 20);
    draw_time(p, height);
    draw_air(p, TOP_Y);
    for (size_t c = 0; c < p->rec->client_count; c++)
        draw_client(p, (int)c, TOP_Y + AIR_H + LANE_H * (double)c);
    draw_rekeys(p, height);
    fputs("</svg>\n<p>", p->out);
    for (size_t i = 0; i < p->msk_count; i++)
        fprintf(p->out, "<span class=\"key\" style=\"background:var(--c%d)\"></span>MSK <code>%08x</code>",
                (int)(i % MSK_HUES), p->msks[i]);
    fputs(
        "<span class=\"key\" style=\"background:var(--uni)\"></span>by unicast"
        "<span class=\"key\" style=\"background:var(--in)\"></span>in session</p>\n"
        "<p>In each lane: the session, the MSK held, what was played (in the colour of the MSK that opened it), and red ticks "
        "for media on air that could not be opened.</p></div>\n",
        p->out);
}

/* ---- tables ---- */

static void put_ms(FILE *out, int64_t us)
{
    if (us == MEASURE_NEVER)
        fputs("<td class=\"n\">&ndash;</td>", out);
    else
        fprintf(out, "<td class=\"n\">%" PRId64 "</td>", us / 1000);
}

static void put_expectations(const page *p)
{
    fputs(
        "<h2>Expectations</h2><div class=\"card\"><table><tr><th></th><th>what</th><th>value</th><th>limit</th><th></th></tr>\n",
        p->out);
    for (size_t i = 0; i < p->e->count; i++) {
        const expect_row *row = &p->e->rows[i];
        fprintf(p->out, "<tr><td class=\"%s\">%s</td><td>", row->ok ? "ok" : "no", row->ok ? "met" : "not met");
        escape(p->out, row->what);
        fputs("</td>", p->out);
        if (row->has_value)
            fprintf(p->out, "<td class=\"n\">%" PRId64 " %s</td><td class=\"n\">%" PRId64 "</td><td>", row->value,
                    row->unit, row->limit);
        else
            fputs("<td></td><td></td><td>", p->out);
        escape(p->out, row->note);
        fputs("</td></tr>\n", p->out);
    }
    fputs("</table></div>\n", p->out);
}

static void put_rekeys(const page *p)
{
    fputs(
        "<h2>Rekeys</h2><div class=\"card\"><table><tr><th>channel</th><th>reason</th><th>MSK before</th><th>MSK after</th><th>at "
        "ms</th><th>confirmed</th><th>took ms</th><th>exposure ms</th><th>gap packets</th></tr>\n",
        p->out);
    for (size_t i = 0; i < p->m->rekey_count; i++) {
        const measure_rekey *r = &p->m->rekeys[i];
        fprintf(p->out, "<tr><td>%s</td><td>%s</td><td><code>%08x</code></td><td><code>%08x</code></td>",
                p->rec->channels[r->channel].made.id, r->reason, r->old_id, r->new_id);
        put_ms(p->out, r->start_us);
        fprintf(p->out, "<td class=\"n\">%u of %u</td>", r->confirmed, r->members);
        put_ms(p->out, r->switch_us - r->start_us);
        put_ms(p->out, r->exposure_us);
        fprintf(p->out, "<td class=\"n\">%u</td></tr>\n", r->gap_packets);
    }
    fputs("</table></div>\n", p->out);
}

static poc_err put_audio(const page *p, int client)
{
    size_t len;
    uint8_t *wav = wav_of(p->rec, client, &len);
    char *text = wav != NULL ? malloc(POC_BASE64_LEN(len) + 1) : NULL;
    if (text == NULL) {
        free(wav);
        return POC_E_NOMEM;
    }
    poc_wr wr = poc_wr_into(text, POC_BASE64_LEN(len));
    poc_base64_put(&wr, poc_span_of(wav, len));
    fputs("<td><audio controls preload=\"none\" src=\"data:audio/wav;base64,", p->out);
    fwrite(text, 1, wr.len, p->out);
    fputs("\"></audio></td>", p->out);
    free(text);
    free(wav);
    return POC_OK;
}

static poc_err put_clients(const page *p)
{
    fputs(
        "<h2>What each client heard</h2><div class=\"card\"><table><tr><th>client</th><th>on air</th><th>played</th><th>by "
        "multicast</th><th>gap</th><th>first ms</th><th>last ms</th><th></th></tr>\n",
        p->out);
    for (size_t i = 0; i < p->rec->client_count; i++) {
        const measure_client *c = &p->m->clients[i];
        fprintf(
            p->out,
            "<tr><td>%s</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td><td class=\"n\">%u</td>",
            p->rec->clients[i].made.name, c->packets_on_air, c->packets_played, c->packets_by_multicast,
            c->gap_packets);
        put_ms(p->out, c->first_us);
        put_ms(p->out, c->last_us);
        POC_TRY(put_audio(p, (int)i));
        fputs("</tr>\n", p->out);
    }
    fputs("</table></div>\n", p->out);
    return POC_OK;
}

static poc_err put_page(page *p)
{
    bool is_pass = expect_all_met(p->e);
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
          "content=\"width=device-width,initial-scale=1\"><title>",
          p->out);
    escape(p->out, p->rec->title);
    fputs("</title>\n", p->out);
    fputs(style, p->out);
    fputs("</head><body>\n<h1>", p->out);
    escape(p->out, p->rec->title);
    fprintf(p->out, " <span class=\"verdict %s\">%s</span></h1>\n<p>%s world, seed %" PRIu64 ", %.1f seconds</p>\n",
            is_pass ? "pass" : "fail", is_pass ? "pass" : "fail", p->rec->world, p->rec->seed,
            (double)p->rec->end_us / 1e6);
    fputs("<h2>The run</h2>\n", p->out);
    draw_lanes(p);
    put_expectations(p);
    put_rekeys(p);
    POC_TRY(put_clients(p));
    fputs("</body></html>\n", p->out);
    return POC_OK;
}

poc_err report_html_write(const char *path, const record *rec, const measure *m, const expect *e)
{
    page p = { .out = fopen(path, "w"), .rec = rec, .m = m, .e = e };
    if (p.out == NULL)
        return POC_E_IO;
    poc_err err = put_page(&p);
    bool is_written = ferror(p.out) == 0;
    is_written = fclose(p.out) == 0 && is_written;
    if (err == POC_OK && !is_written)
        err = POC_E_IO;
    return err;
}
