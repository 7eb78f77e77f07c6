/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/client.h"

enum { ATTACH_FOLLOW_MAX = 16 };

struct attach_follow { /* state directories of daemons to look for it at when it has moved */
    const char *hosts[ATTACH_FOLLOW_MAX];
    unsigned count;
};

void attach_add_follow(struct attach_follow *follow, const char *command, const char *host);

/* This terminal is the program's until it ends or the user detaches.  `started`: by us just now, so
 * it is no error if it has ended already.  An exit status: the program's. */
int attach(const struct common_options *common, const char *name, bool started,
           const struct attach_follow *follow);
