/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The program's terminal, made at the first call: the descriptor of its end, which stays ours, or
 * -errno.  Any thread, one at a time. */
long host_terminal(void);
