/* SPDX-License-Identifier: Apache-2.0 */
/* zlib, from Debian's source package: text is compressed, inflated and compared. */
#include <string.h>
#include <zlib.h>

#include "input.h"

enum { TEXT = 12 << 20, LEVEL = 6 };

int main(void)
{
    static const char *const words[] = {"page", "enclave", "moves ", "while", "writing",
                                        "a",    "the ",    " of",    "\n",    "round",
                                        "copy", "stop",    "host",   "0123",  ", "};
    unsigned char *text = input_memory(TEXT + 64, 1), *packed, *again = input_memory(TEXT, 1);
    uLongf size = compressBound(TEXT), length = TEXT;

    for (unsigned char *to = text; to < text + TEXT;) {
        uint64_t random = input_next();
        const char *word = words[random % (sizeof(words) / sizeof(words[0]))];

        memcpy(to, word, strlen(word));
        to += strlen(word);
        if (random >> 60 == 0)
            *to++ = (unsigned char)(random >> 32);
    }
    packed = input_memory(size, 1);
    if (compress2(packed, &size, text, TEXT, LEVEL) != Z_OK ||
        uncompress(again, &length, packed, size) != Z_OK || length != TEXT ||
        memcmp(text, again, TEXT) != 0)
        return 1;
    printf("%lu %08lx\n", size, crc32(0, packed, (uInt)size));
    return 0;
}
