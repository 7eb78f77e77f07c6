/* SPDX-License-Identifier: Apache-2.0 */
/* The one store that a test leaves unmarked (--optmig-skip-mark=1), so that the audit has something
 * to find. */
void touch(volatile unsigned long *to, unsigned long value);

void touch(volatile unsigned long *to, unsigned long value)
{
    *to = value;
}
