/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and measuring the runtime image. */
#pragma once

#include <stdint.h>

#include "boundary/boundary.h"

/* Maps the image's segments into ELRANGE (already reserved).  0 or -1 and a reason. */
int image_load(const char *path, uint64_t *out_entry, uint8_t out_measurement[32],
               char reason[OM_REASON_MAX]);
