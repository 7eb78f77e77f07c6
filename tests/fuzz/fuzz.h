/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers share.  Each includes the files it fuzzes, so that it is built by one command.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that holds for every input; the fuzzer reports the input for which it does not. */
#define ALWAYS(condition) ((condition) ? (void)0 : __builtin_trap())
