/* SPDX-License-Identifier: Apache-2.0 */
/* The table of descriptors, part of the tables.  Placeholder until fd.c lands. */
#pragma once
#include "enclave/runtime.h"
struct fd_state {
    struct lock lock;
};
