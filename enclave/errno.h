/* SPDX-License-Identifier: Apache-2.0 */
/* Error numbers of the kernel, from its own header (no libc). */
#pragma once
#include <asm/errno.h>
