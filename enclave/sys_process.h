/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about the process: ids, rights, switches (sys_process.c) and limits (sys_limits.c). */
#pragma once

#include "enclave/syscall.h"

/* Kept in the tables only, and never applied to the host process. */
bool process_limit_is_virtual(uint32_t resource);
