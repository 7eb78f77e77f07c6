/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of attest/ include before all else: cmocka, and this project's headers behind it.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/attest/forge.h"

/* Refused, and by exactly these rules. */
#define assert_refused_by(verdict, rules)                                                          \
    do {                                                                                           \
        assert_false(verdict_passed(verdict));                                                     \
        assert_string_equal(forge_failures(verdict), rules);                                       \
    } while (0)
