/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The program's terminal, made at the first call: the descriptor of its end, which stays ours, or
 * -errno.  Any thread, one at a time. */
long host_terminal(void);

/* The user's terminal, if it is one of 0, 1 and 2: remembers its modes.  Before the program starts.
 */
void host_terminal_find(void);

/* Gives it those modes again, if this process is in its foreground: the program has left. */
void host_terminal_leave(void);
