/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the players of a guest's kernel share (fake_snp.c, fake_tdx.c): a request is a directory
 * ENTRY, answered by files in it; ROOT/wrong has a word for what is to be wrong with the answer, if
 * something is.
 */
#pragma once

#include <stdbool.h>

#include "attest/span.h"

bool wrong(const char *word);
/* Ends the process if it cannot be written. */
void write_file(const char *directory, const char *name, struct span bytes);
/* The report data that is asked for; or, if that is what is wrong, those of the request before.
 * False: this is no request. */
bool take_request(const char *root, const char *entry, uint8_t report_data[64]);
/* The answer is whole; the kernel counts that. */
void end_request(const char *entry);
