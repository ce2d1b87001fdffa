#include <stdio.h>
#include <string.h>

#include "pf/ctl/ctl.h"

enum { COLUMNS_MAX = 10, CELL_MAX = 320 };

/** The texts of a list, with commas. */
static void put_list(char out[CELL_MAX], const json_t *list)
{
    size_t i, n = 0;
    const json_t *item;
    (void)snprintf(out, CELL_MAX, "-");
    json_array_foreach(list, i, item)
    {
        int more = snprintf(out + n, CELL_MAX - n, "%s%s", i == 0 ? "" : ",",
                            json_is_string(item) ? json_string_value(item) : "?");
        if (more < 0 || n + (size_t)more >= CELL_MAX)
            return;
        n += (size_t)more;
    }
}

const char *ctl_cell(char out[320], const json_t *value)
{
    if (json_is_string(value))
        (void)snprintf(out, CELL_MAX, "%s", json_string_value(value));
    else if (json_is_integer(value))
        (void)snprintf(out, CELL_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        (void)snprintf(out, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
    else
        put_list(out, value); /* of none: "-" */
    for (char *p = out; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            *p = '?'; /* peers choose names: nothing for the terminal to obey */
    return out;
}

static int width_of(const json_t *list, const ctl_column *column)
{
    char cell[CELL_MAX];
    size_t i, width = strlen(column->head);
    const json_t *row;
    json_array_foreach(list, i, row)
    {
        size_t n = strlen(ctl_cell(cell, json_object_get(row, column->key)));
        width = n > width ? n : width;
    }
    return (int)width;
}

static void put(const char *text, int width, bool is_last)
{
    if (is_last)
        (void)puts(text);
    else
        (void)printf("%-*s  ", width, text);
}

int ctl_table_print(const json_t *list, const ctl_column *columns, size_t count)
{
    char cell[CELL_MAX];
    int width[COLUMNS_MAX];
    size_t i;
    const json_t *row;
    if (!json_is_array(list) || count > COLUMNS_MAX)
        return ctl_nonsense();
    for (size_t c = 0; c < count; c++)
        width[c] = width_of(list, &columns[c]);
    for (size_t c = 0; c < count; c++)
        put(columns[c].head, width[c], c + 1 == count);
    json_array_foreach(list, i, row)
    {
        for (size_t c = 0; c < count; c++)
            put(ctl_cell(cell, json_object_get(row, columns[c].key)), width[c], c + 1 == count);
    }
    return CTL_OK;
}
