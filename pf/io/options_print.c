/* docs/options.md, written from the option table. */
#include <string.h>

#include "pf/io/options.h"

static void print_words(FILE *out, const option *o)
{
    for (size_t i = 0; o->words[i] != NULL; i++)
        fprintf(out, "%s\"%s\"%s", i == 0 ? "" : ", ", o->words[i],
                (o->words_built >> i & 1u) != 0 ? "" : " (not built in)");
}

static void print_values(FILE *out, const option *o)
{
    switch (o->type) {
    case OPTION_BOOL:
        fputs("true, false", out);
        return;
    case OPTION_NUMBER:
        fprintf(out, "%lld .. %lld", (long long)o->min, (long long)o->max);
        return;
    case OPTION_TEXT:
        fprintf(out, "text, at most %lld octets", (long long)o->max);
        return;
    case OPTION_FILE:
        fputs("path", out);
        return;
    case OPTION_TEXTS:
        fprintf(out, "list of %lld .. %lld texts", (long long)o->min, (long long)o->max);
        return;
    case OPTION_WORD:
        print_words(out, o);
        return;
    case OPTION_WORDS:
        fputs("list of ", out);
        print_words(out, o);
        return;
    case OPTION_HEX:
        fprintf(out, "%lld hex digits", (long long)o->max * 2);
        return;
    }
}

static void print_preset(FILE *out, const option *o)
{
    if (o->need == OPTION_MANDATORY)
        fputs("*mandatory*", out);
    else if (o->type == OPTION_WORD && o->preset != NULL)
        fputs("*as said*", out);
    else if (o->type == OPTION_WORD)
        fprintf(out, "\"%s\"", o->words[0]);
    else if (o->type == OPTION_WORDS)
        fprintf(out, "[\"%s\"]", o->words[0]);
    else if (o->preset == NULL)
        fputs("empty", out);
    else if (o->type == OPTION_BOOL || o->type == OPTION_NUMBER)
        fputs(o->preset, out);
    else
        fprintf(out, "\"%s\"", o->preset);
}

static void print_row(FILE *out, const option *o)
{
    fprintf(out, "| `%s` | ", o->name);
    if (o->need == OPTION_NOT_BUILT) {
        fprintf(out, "not built into this version: refused | | | %s |\n", o->sentence);
        return;
    }
    print_values(out, o);
    fprintf(out, " | %s | ", o->unit);
    print_preset(out, o);
    fprintf(out, " | %s |\n", o->sentence);
}

void options_print(FILE *out)
{
    fputs(
        "# Options of pocpfd\n\n"
        "Written by `pocpfd --print-options` from the option table in `pf/io/options.c`; a test holds the two together.\n"
        "The file is in libconfig syntax. An unknown name, a wrong type or a value out of bounds is an error with file and\n"
        "line, and nothing of the file is used then. `pocpfd -c FILE -t` checks a file without starting.\n",
        out);
    for (size_t g = 0; g < option_group_count; g++) {
        fprintf(out, "\n## `%s`\n\n%s\n\n| option | values | unit | default | |\n|---|---|---|---|---|\n",
                option_groups[g].name, option_groups[g].sentence);
        for (size_t i = 0; i < option_count; i++)
            if (strcmp(options[i].group, option_groups[g].name) == 0)
                print_row(out, &options[i]);
    }
    fputs(
        "\nThere is no option for expulsions: an expulsion always rekeys, and a file that says otherwise is refused.\n",
        out);
}
