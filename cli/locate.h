/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are: the host program, a daemon's control socket, a program in PATH. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#define LOCATE_DEFAULT_STATE "/run/optmig"

/* OPTMIG_HOST_PROGRAM, or optmig-host beside this executable, or ../libexec/optmig/optmig-host. */
bool locate_host_program(char *out_path, size_t size);
/* The script of `optmig attack`. */
bool locate_attack(char *out_path, size_t size);
/* DIR/control.sock; false if the path is too long for a socket's address. */
bool locate_control_socket(const char *dir, struct sockaddr_un *out);
/* As execvp looks: an absolute path, symbolic links kept.  0, -ENOENT, -EACCES, -EISDIR or
 * -ENAMETOOLONG. */
int locate_program(const char *name, char *out_path, size_t size);
/* Whether the file is a script that begins with "#!/usr/bin/env NAME", and no more in that line. */
bool locate_env_script(const char *path, char *out_name, size_t size);
