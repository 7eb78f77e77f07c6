/* SPDX-License-Identifier: Apache-2.0 */
/* Carries the enclave's questions to the registrar of starts, and its answers back. */
#pragma once

#include <stddef.h>

/* HOST:PORT; the text is kept.  NULL: there is none. */
void registry_at(const char *address);
long host_registry(const void *request, size_t length, void *out_answer, size_t capacity);
