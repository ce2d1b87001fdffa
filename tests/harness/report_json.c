#include "tests/harness/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/harness/wav.h"

static json_t *ms_or_null(int64_t us)
{
    return us == MEASURE_NEVER ? json_null() : json_integer(us / 1000);
}

static json_t *msk_text(poc_msk_id id)
{
    return json_sprintf("%08x", id);
}

static json_t *expectations_of(const expect *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->count; i++) {
        const expect_row *row = &e->rows[i];
        json_t *o = json_pack("{s:s, s:b}", "what", row->what, "ok", row->ok);
        if (row->has_value)
            json_object_update_new(o, json_pack("{s:I, s:I, s:s}", "value", (json_int_t)row->value, "limit",
                                                (json_int_t)row->limit, "unit", row->unit));
        if (row->note[0] != '\0')
            json_object_set_new(o, "note", json_string(row->note));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *clients_of(const record *rec, const measure *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rec->client_count; i++) {
        const char *name = rec->clients[i].made.name;
        const measure_client *c = &m->clients[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "name", name, "packets_on_air",
                                        (json_int_t)c->packets_on_air, "packets_played", (json_int_t)c->packets_played,
                                        "gap_packets", (json_int_t)c->gap_packets, "first_ms", ms_or_null(c->first_us),
                                        "last_ms", ms_or_null(c->last_us), "wav", json_sprintf("%s.wav", name)));
    }
    return list;
}

static json_t *rekeys_of(const record *rec, const measure *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->rekey_count; i++) {
        const measure_rekey *r = &m->rekeys[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:o, s:I}", "channel",
                                              rec->channels[r->channel].made.id, "reason", r->reason, "msk_id_old",
                                              msk_text(r->old_id), "msk_id_new", msk_text(r->new_id), "at_ms",
                                              (json_int_t)(r->start_us / 1000), "members", (json_int_t)r->members,
                                              "confirmed", (json_int_t)r->confirmed, "duration_ms",
                                              (json_int_t)((r->switch_us - r->start_us) / 1000), "exposure_ms",
                                              ms_or_null(r->exposure_us), "gap_packets", (json_int_t)r->gap_packets));
    }
    return list;
}

poc_err report_json_write(const char *path, const record *rec, const measure *m, const expect *e)
{
    json_t *root = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o, s:o}", "scenario", rec->title, "world", rec->world, "seed",
                             (json_int_t)rec->seed, "verdict", expect_all_met(e) ? "pass" : "fail", "expectations",
                             expectations_of(e), "clients", clients_of(rec, m), "rekeys", rekeys_of(rec, m));
    if (root == NULL)
        return POC_E_NOMEM;
    int status = json_dump_file(root, path, JSON_INDENT(2));
    json_decref(root);
    return status == 0 ? POC_OK : POC_E_IO;
}

static poc_err write_wav(const char *dir, const record *rec, int client)
{
    char path[512];
    size_t len;
    snprintf(path, sizeof(path), "%s/%s.wav", dir, rec->clients[client].made.name);
    uint8_t *wav = wav_of(rec, client, &len);
    if (wav == NULL)
        return POC_E_NOMEM;
    FILE *f = fopen(path, "wb");
    bool done = f != NULL && fwrite(wav, 1, len, f) == len;
    if (f != NULL)
        done = fclose(f) == 0 && done;
    free(wav);
    return done ? POC_OK : POC_E_IO;
}

poc_err report_write(const char *dir, const record *rec, const measure *m, const expect *e)
{
    char path[512];
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return POC_E_IO;
    for (size_t i = 0; i < rec->client_count; i++)
        POC_TRY(write_wav(dir, rec, (int)i));
    snprintf(path, sizeof(path), "%s/report.json", dir);
    POC_TRY(report_json_write(path, rec, m, e));
    snprintf(path, sizeof(path), "%s/report.html", dir);
    return report_html_write(path, rec, m, e);
}
