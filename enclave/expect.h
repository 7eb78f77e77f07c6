/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is about to be done while the program stands is rehearsed while it still runs: memory is
 * touched, and the kernel is asked once for what it will be asked for.  Nothing depends on it but
 * time: a first touch is a fault, and what was not used for some seconds may cost a virtual machine
 * a fault of its host's, which takes ten times as long.
 */
#pragma once

/* At the source, shortly before the threads are stopped. */
void expect_capture(void);
/* At the destination, when a layout has come: one always comes shortly before that. */
void expect_restore(void);
