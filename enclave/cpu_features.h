/* SPDX-License-Identifier: Apache-2.0 */
/* What the program's vector state needs of a processor. */
#pragma once

#include "enclave/runtime.h"

uint64_t cpu_xfeatures(void);  /* XCR0: which parts of the state the kernel has switched on */
bool cpu_has_avx2(void);       /* the processor, and the kernel saves its registers */
uint32_t cpu_xsave_size(void); /* bytes of an XSAVE area for those */
