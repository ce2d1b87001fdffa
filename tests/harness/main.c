/* pocsim: plays scenario scripts in the simulated or the real world. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/harness/report.h"
#include "tests/harness/script.h"
#include "tests/harness/timeline.h"
#include "tests/harness/wallet.h"

enum { PATIENCE_MAX = 1000 };
enum { EXIT_PASS = 0, EXIT_FAIL = 1, EXIT_USAGE = 64, EXIT_SCRIPT = 65 };

typedef struct options {
    const char *script;
    const char *report_dir;
    bool is_real, is_quiet;
    uint64_t seed;
    uint64_t runs;
    uint64_t patience; /* times what the script allows */
    double loss;       /* of SIP messages and pushes from the start, unless the script says otherwise */
    const char *pf_uri, *pf_config, *bsf_url;
    char program_dir[PATH_MAX];
} options;

static const char usage_text[] =
    "Usage: pocsim run SCRIPT.lua [--report DIR] [--world simulated|real] [--seed N] [--runs N] [--loss P]\n"
    "                             [--patience N] [--pf SIP-URI] [--pf-config FILE] [--bsf URL] [--quiet]\n"
    "       pocsim calls            the calls that a script may make\n"
    "       pocsim --help | --version\n"
    "\n"
    "  --report DIR      write report.json, report.html and what each client heard\n"
    "  --world W         simulated (default): one process, a clock turned by hand; real: sockets\n"
    "  --seed N          what chance does in the simulated world (default 1)\n"
    "  --loss P          lose SIP messages and pushes with this chance, 0..1, until the script sets its own network\n"
    "  --runs N          play with N seeds, from --seed on; one line for each that fails, and a summary\n"
    "  --patience N      real: allow N times what the script allows in milliseconds (default 1), for a busy machine\n"
    "  --pf SIP-URI      real: somebody's PF; without it our own pocpfd is started\n"
    "  --pf-config FILE  real: the configuration file of that daemon\n"
    "  --bsf URL         real, with --pf: where to bootstrap\n"
    "  --quiet           print only what is wrong: no timeline, no verdict\n"
    "\n"
    "Exit: 0 every expectation is met, 1 one is not, 64 usage, 65 the script is wrong.\n";

static int usage(const char *why)
{
    fprintf(stderr, "pocsim: %s\n%s", why, usage_text);
    return EXIT_USAGE;
}

/* ---- one run ---- */

typedef struct outcome {
    bool is_pass;
    int exit_status;
    char message[320]; /* why not, on one line */
} outcome;

static poc_err make_world(world **w, const options *o, uint64_t seed, record *rec)
{
    world_settings settings = { .seed = seed,
                                .seen = record_see,
                                .user = rec,
                                .pf_uri = o->pf_uri,
                                .pf_config = o->pf_config,
                                .bsf_url = o->bsf_url,
                                .report_dir = o->report_dir,
                                .program_dir = o->program_dir };
    if (o->is_real)
        return world_real(w, &settings);
    POC_TRY(world_simulated(w, &settings));
    if (o->loss == 0)
        return POC_OK;
    world_net net = { .loss = o->loss, .push_loss = o->loss, .delay_ms = 5, .jitter_ms = 2 };
    return (*w)->ops->net(*w, &net);
}

static void print_expectations(const expect *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const expect_row *row = &e->rows[i];
        printf("  %-4s %s", row->ok ? "ok" : "NOT", row->what);
        if (row->has_value)
            printf(": %" PRId64 " %s (limit %" PRId64 ")", row->value, row->unit, row->limit);
        printf("%s%s\n", row->note[0] != '\0' ? ": " : "", row->note);
    }
}

static void say_first_unmet(outcome *out, const expect *e)
{
    for (size_t i = 0; i < e->count; i++) {
        const expect_row *row = &e->rows[i];
        if (row->ok)
            continue;
        if (row->has_value)
            snprintf(out->message, sizeof(out->message), "%s: %" PRId64 " %s", row->what, row->value, row->unit);
        else
            snprintf(out->message, sizeof(out->message), "%s: %s", row->what, row->note);
        return;
    }
}

static void judge(outcome *out, const options *o, record *rec, expect *e)
{
    measure m;
    expect_later(e, rec, EXPECT_NOTHING_CLEAR, -1, 0, 0, 0);
    if (measure_run(&m, rec) != POC_OK) {
        snprintf(out->message, sizeof(out->message), "out of memory");
        return;
    }
    expect_judge(e, rec, &m);
    out->is_pass = expect_all_met(e);
    out->exit_status = out->is_pass ? EXIT_PASS : EXIT_FAIL;
    say_first_unmet(out, e);
    if (!o->is_quiet)
        print_expectations(e);
    if (o->report_dir != NULL && report_write(o->report_dir, rec, &m, e) != POC_OK) {
        snprintf(out->message, sizeof(out->message), "cannot write the report to %s", o->report_dir);
        out->exit_status = EXIT_FAIL;
    }
    measure_done(&m);
}

static void play(outcome *out, const options *o, const script_speech *speech, uint64_t seed)
{
    record rec;
    expect e;
    timeline t;
    world *w = NULL;
    *out = (outcome){ .exit_status = EXIT_FAIL };
    record_init(&rec, o->is_real ? "real" : "simulated", seed);
    expect_init(&e);
    e.patience = (int64_t)o->patience;
    timeline_init(&t, stdout);
    if (!o->is_quiet) {
        rec.tap = timeline_see;
        rec.tap_user = &t;
    }
    poc_err err = make_world(&w, o, seed, &rec);
    if (err != POC_OK) {
        snprintf(out->message, sizeof(out->message), "the world cannot be made (%s)", poc_err_name(err));
    } else {
        script_run run = { w, &rec, &e, speech };
        if (script_play(&run, o->script, out->message, sizeof(out->message)) == SCRIPT_PLAYED)
            judge(out, o, &rec, &e);
        else
            out->exit_status = EXIT_SCRIPT;
        w->ops->free(w);
    }
    expect_done(&e);
    record_done(&rec);
}

static int run_once(const options *o, const script_speech *speech)
{
    outcome out;
    play(&out, o, speech, o->seed);
    if (out.exit_status == EXIT_SCRIPT || (!out.is_pass && o->is_quiet) || out.message[0] != '\0')
        fprintf(stderr, "pocsim: %s\n", out.message);
    if (!o->is_quiet)
        printf("verdict: %s\n", out.is_pass ? "pass" : "fail");
    return out.exit_status;
}

static double clock_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_many(const options *o, const script_speech *speech)
{
    uint64_t failed = 0;
    double start_s = clock_s();
    for (uint64_t i = 0; i < o->runs; i++) {
        outcome out;
        play(&out, o, speech, o->seed + i);
        if (out.exit_status == EXIT_SCRIPT) {
            fprintf(stderr, "pocsim: %s\n", out.message);
            return EXIT_SCRIPT;
        }
        if (out.exit_status != EXIT_PASS)
            printf("seed %" PRIu64 ": %s\n", o->seed + i, out.message);
        failed += out.exit_status != EXIT_PASS;
    }
    double took_s = clock_s() - start_s;
    printf("%" PRIu64 " runs, %" PRIu64 " failed, %.0f runs a minute\n", o->runs, failed,
           (double)o->runs * 60 / (took_s > 0 ? took_s : 1e-9));
    return failed == 0 ? EXIT_PASS : EXIT_FAIL;
}

/* ---- options ---- */

static int print_calls(void)
{
    const script_call *call;
    for (size_t i = 0; (call = script_call_at(i)) != NULL; i++)
        printf("%s\n    %s\n", call->usage, call->sentence);
    return EXIT_PASS;
}

enum {
    OPT_REPORT = 256,
    OPT_WORLD,
    OPT_SEED,
    OPT_RUNS,
    OPT_LOSS,
    OPT_PF,
    OPT_PF_CONFIG,
    OPT_PATIENCE,
    OPT_BSF,
    OPT_QUIET,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    { "report", required_argument, NULL, OPT_REPORT },
    { "world", required_argument, NULL, OPT_WORLD },
    { "seed", required_argument, NULL, OPT_SEED },
    { "runs", required_argument, NULL, OPT_RUNS },
    { "loss", required_argument, NULL, OPT_LOSS },
    { "patience", required_argument, NULL, OPT_PATIENCE },
    { "pf", required_argument, NULL, OPT_PF },
    { "pf-config", required_argument, NULL, OPT_PF_CONFIG },
    { "bsf", required_argument, NULL, OPT_BSF },
    { "quiet", no_argument, NULL, OPT_QUIET },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static poc_err take_loss(options *o, const char *value)
{
    char *end;
    o->loss = strtod(value, &end);
    return *value != '\0' && *end == '\0' && o->loss >= 0 && o->loss < 1 ? POC_OK : POC_E_INPUT;
}

static poc_err take_option(options *o, int option, const char *value)
{
    switch (option) {
    case OPT_REPORT:
        o->report_dir = value;
        return POC_OK;
    case OPT_WORLD:
        o->is_real = strcmp(value, "real") == 0;
        return o->is_real || strcmp(value, "simulated") == 0 ? POC_OK : POC_E_INPUT;
    case OPT_SEED:
        return poc_u64_get(&o->seed, INT64_MAX, poc_span_str(value));
    case OPT_RUNS:
        POC_TRY(poc_u64_get(&o->runs, 100000000, poc_span_str(value)));
        return o->runs > 0 ? POC_OK : POC_E_INPUT;
    case OPT_LOSS:
        return take_loss(o, value);
    case OPT_PATIENCE:
        POC_TRY(poc_u64_get(&o->patience, PATIENCE_MAX, poc_span_str(value)));
        return o->patience > 0 ? POC_OK : POC_E_INPUT;
    case OPT_PF:
        o->pf_uri = value;
        return POC_OK;
    case OPT_PF_CONFIG:
        o->pf_config = value;
        return POC_OK;
    case OPT_BSF:
        o->bsf_url = value;
        return POC_OK;
    case OPT_QUIET:
        o->is_quiet = true;
        return POC_OK;
    default:
        return POC_E_INPUT;
    }
}

/* An option that the world in question does not look at would let a run show something else than it seems to. */
static const char *wrong_world(const options *o)
{
    if (o->is_real && o->runs > 0)
        return "--runs plays in the simulated world only";
    if (o->is_real && o->loss > 0)
        return "--loss is for the simulated world: a real network is as it is";
    if (!o->is_real && o->patience > 1)
        return "--patience is for the real world: a clock turned by hand waits for everybody";
    if (!o->is_real && (o->pf_uri != NULL || o->pf_config != NULL || o->bsf_url != NULL))
        return "--pf, --pf-config and --bsf want --world real";
    return NULL;
}

static void find_programs(options *o)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf(o->program_dir, sizeof(o->program_dir), "%s", n > 0 ? dirname(self) : ".");
}

/* Beside the build, or where it is installed. */
static poc_err load_speech(script_speech *speech, const options *o)
{
    char path[PATH_MAX + 64];
    if (script_speech_load(speech, POCSIM_SPEECH) == POC_OK)
        return POC_OK;
    snprintf(path, sizeof(path), "%s/../share/pocpf/speech.pcmu", o->program_dir);
    return script_speech_load(speech, path);
}

/* Before the run: the real world keeps the daemon's files there. */
static bool make_dir(const char *path)
{
    return (mkdir(path, 0777) == 0 || errno == EEXIST) && access(path, W_OK | X_OK) == 0;
}

static int run(const options *o)
{
    script_speech speech;
    if (access(o->script, R_OK) != 0) {
        fprintf(stderr, "pocsim: cannot read %s\n", o->script);
        return EXIT_USAGE;
    }
    if (load_speech(&speech, o) != POC_OK) {
        fprintf(stderr, "pocsim: the speech sample is not there (%s)\n", POCSIM_SPEECH);
        return EXIT_FAIL;
    }
    if (o->report_dir != NULL && !make_dir(o->report_dir)) {
        fprintf(stderr, "pocsim: cannot write the report to %s: %s\n", o->report_dir, strerror(errno));
        script_speech_done(&speech);
        return EXIT_FAIL;
    }
    int status = o->runs > 0 ? run_many(o, &speech) : run_once(o, &speech);
    wallet_done();
    script_speech_done(&speech);
    return status;
}

int main(int argc, char **argv)
{
    options o = { .seed = 1, .patience = 1 };
    int option;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == OPT_HELP) {
            fputs(usage_text, stdout);
            return EXIT_PASS;
        }
        if (option == OPT_VERSION) {
            puts("pocsim " POC_VERSION);
            return EXIT_PASS;
        }
        if (option == '?' || take_option(&o, option, optarg) != POC_OK)
            return usage(option == '?' ? "no such option" : "a value is not understood");
    }
    if (argc - optind == 1 && strcmp(argv[optind], "calls") == 0)
        return print_calls();
    if (argc - optind != 2 || strcmp(argv[optind], "run") != 0)
        return usage("run SCRIPT.lua is what it does");
    o.script = argv[optind + 1];
    o.is_quiet = o.is_quiet || o.runs > 0;
    const char *clash = wrong_world(&o);
    if (clash != NULL)
        return usage(clash);
    find_programs(&o);
    return run(&o);
}
