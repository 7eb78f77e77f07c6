/* SPDX-License-Identifier: Apache-2.0 */
/* In place of libc's rand_r: its one mark is left out by a test (--optmig-skip-mark=1). */
int rand_r(unsigned *seed);

int rand_r(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return (int)(*seed >> 16 & 0x7fff);
}
