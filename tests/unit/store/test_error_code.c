/*
 * test_error_code: every code of the response header Verve-Error is in the
 * table of docs/http.md, and that table has no other codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "doc_table.h"
#include "store/error_code.h"

#define DOCUMENT "docs/http.md"

/* A code has small letters and at least one hyphen. Other tables of the
   document have no such first cells. */
static bool
looks_like_code(const char *text)
{
    return strchr(text, '-') != NULL &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz-") == strlen(text);
}

static void
test_document_has_each_code_once(void **state)
{
    int times[ERROR_CODES_COUNT] = {[ERROR_CODE_NONE] = 1};
    FILE *file = fopen(DOCUMENT, "r");
    struct doc_row row;
    int failed = 0;

    (void)state;
    assert_non_null(file);
    while (doc_next_row(file, &row)) {
        int code = ERROR_CODES_COUNT;

        if (!looks_like_code(row.cells[0])) {
            continue;
        }
        while (--code > ERROR_CODE_NONE &&
               strcmp(error_code_name((enum error_code)code), row.cells[0])) {
        }
        if (code == ERROR_CODE_NONE) {
            print_error("%s: no such code: %s\n", DOCUMENT, row.cells[0]);
            failed++;
        } else {
            times[code]++;
        }
    }
    fclose(file);
    for (int code = 0; code < ERROR_CODES_COUNT; code++) {
        if (times[code] != 1) {
            print_error("%s has %s %d times\n", DOCUMENT,
                        error_code_name((enum error_code)code), times[code]);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void
test_each_code_has_a_name(void **state)
{
    (void)state;
    assert_null(error_code_name(ERROR_CODE_NONE));
    for (int i = ERROR_CODE_NONE + 1; i < ERROR_CODES_COUNT; i++) {
        enum error_code code = (enum error_code)i;

        assert_non_null(error_code_name(code));
        assert_true(looks_like_code(error_code_name(code)));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_has_a_name),
        cmocka_unit_test(test_document_has_each_code_once),
    };

    return cmocka_run_group_tests_name("error_code", tests, NULL, NULL);
}
