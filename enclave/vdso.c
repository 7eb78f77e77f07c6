/* SPDX-License-Identifier: Apache-2.0 */
/* Maps the vDSO image (vdso/vdso.c, carried as data by vdso_image.S) into the program. */
#include <linux/mman.h>

#include "enclave/tables.h"

extern const uint8_t vdso_image_start[], vdso_image_end[];

uint64_t vdso_map(void)
{
    size_t size = (size_t)(vdso_image_end - vdso_image_start);
    long base = mm_map_anywhere(size, PROT_READ | PROT_WRITE, AREA_VDSO, 0, "[vdso]");

    if (base < 0)
        return 0;
    memcpy((void *)base, vdso_image_start, size);
    if (mm_protect((uint64_t)base, size, PROT_READ | PROT_EXEC))
        return 0;
    g_tables->mm.vdso_base = (uint64_t)base;
    return (uint64_t)base;
}
