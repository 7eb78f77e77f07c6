/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the head of an executable.  The first 8 bytes are the file's size; what passes must
 * be safe to map as it is.
 */
#include "tests/fuzz/fuzz.h"

#include <asm/errno.h>

#include "enclave/elf.h"

static void check_segments(const struct elf_image *image, uint64_t file_size)
{
    uint64_t free_from = image->low;
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];
        ALWAYS(s->file_size <= s->memory_size && s->memory_size > 0);
        ALWAYS(s->file_offset <= file_size && s->file_size <= file_size - s->file_offset);
        ALWAYS((s->address - s->file_offset) % OM_PAGE_SIZE == 0);
        ALWAYS(OM_ALIGN_DOWN(s->address, OM_PAGE_SIZE) >= free_from);
        free_from = s->address + s->memory_size;
        ALWAYS(free_from > s->address && free_from <= image->high);
        free_from = OM_ALIGN_UP(free_from, OM_PAGE_SIZE);
    }
}

static void check_image(const struct elf_image *image, uint64_t file_size)
{
    ALWAYS(image->segment_count > 0 && image->segment_count <= ELF_SEGMENTS_MAX);
    ALWAYS(image->low % OM_PAGE_SIZE == 0 && image->high % OM_PAGE_SIZE == 0);
    ALWAYS(image->low < image->high && image->high <= ELRANGE_END);
    ALWAYS(image->alignment >= OM_PAGE_SIZE && (image->alignment & (image->alignment - 1)) == 0);
    ALWAYS(image->entry >= image->low && image->entry < image->high);
    ALWAYS(image->interpreter_size <= ELF_INTERPRETER_MAX_bytes);
    ALWAYS(image->interpreter_offset <= file_size &&
           image->interpreter_size <= file_size - image->interpreter_offset);
    check_segments(image, file_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct elf_image image;
    char reason[256] = {0};
    uint64_t file_size;
    if (size < sizeof file_size)
        return 0;
    memcpy(&file_size, data, sizeof file_size);
    data = &data[sizeof file_size];
    size -= sizeof file_size;
    long error = elf_decode(data, size, file_size, &image, reason, sizeof reason);
    if (error == 0)
        check_image(&image, file_size);
    else
        ALWAYS(error == -ENOEXEC && reason[0] != '\0');
    return 0;
}
