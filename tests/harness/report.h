/* The report of a run: report.json for machines (contract, section 7), report.html for people. */
#ifndef TESTS_HARNESS_REPORT_H
#define TESTS_HARNESS_REPORT_H

#include "tests/harness/expect.h"
#include "tests/harness/measure.h"
#include "tests/harness/record.h"

/** Writes report.json, report.html and a WAV for each client into `dir`, which is made when it is not there. POC_E_IO,
 *  POC_E_NOMEM. */
poc_err report_write(const char *dir, const record *rec, const measure *m, const expect *e);
poc_err report_json_write(const char *path, const record *rec, const measure *m, const expect *e);
poc_err report_html_write(const char *path, const record *rec, const measure *m, const expect *e);

#endif
