/* SPDX-License-Identifier: Apache-2.0 */
/* See locate.h. */
#include "cli/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRIPT_LINE_bytes = 256 };

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

/* Beside this executable, as where it was built, or where `make install` puts it. */
static bool locate_part(const char *const places[2], int mode, char *out_path, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[length > 0 ? length : 0] = 0;
    *(strrchr(self, '/') ? strrchr(self, '/') : self) = 0;
    for (size_t i = 0; i < 2; i++) {
        int wanted = snprintf(out_path, size, "%s/%s", self, places[i]);

        if (wanted > 0 && (size_t)wanted < size && access(out_path, mode) == 0)
            return true;
    }
    return false;
}

bool locate_host_program(char *out_path, size_t size)
{
    static const char *const places[] = {"optmig-host", "../libexec/optmig/optmig-host"};
    const char *named = getenv("OPTMIG_HOST_PROGRAM");

    if (named && *named) {
        snprintf(out_path, size, "%s", named);
        return access(out_path, X_OK) == 0;
    }
    return locate_part(places, X_OK, out_path, size);
}

bool locate_attack(char *out_path, size_t size)
{
    static const char *const places[] = {"optmig-attack", "../libexec/optmig/attack/attack"};

    return locate_part(places, R_OK, out_path, size);
}

bool locate_control_socket(const char *dir, struct sockaddr_un *out)
{
    int length;

    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    length = snprintf(out->sun_path, sizeof(out->sun_path), "%s/control.sock", dir);
    return length > 0 && (size_t)length < sizeof(out->sun_path);
}

static int make_absolute(const char *path, char *out_path, size_t size)
{
    char cwd[PATH_MAX];
    int wanted;

    if (path[0] == '/')
        wanted = snprintf(out_path, size, "%s", path);
    else if (!getcwd(cwd, sizeof(cwd)))
        return -errno;
    else
        wanted = snprintf(out_path, size, "%s/%s", cwd, path);
    return (size_t)wanted < size ? 0 : -ENAMETOOLONG;
}

static int check_program(const char *path)
{
    struct stat status;

    if (stat(path, &status))
        return errno == EACCES ? -EACCES : -ENOENT;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    return access(path, X_OK) || !S_ISREG(status.st_mode) ? -EACCES : 0;
}

bool locate_env_script(const char *path, char *out_name, size_t size)
{
    char head[SCRIPT_LINE_bytes], interpreter[SCRIPT_LINE_bytes], rest[SCRIPT_LINE_bytes];
    char more;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, head, sizeof(head) - 1) : -1;

    if (fd >= 0)
        close(fd);
    head[length > 0 ? length : 0] = 0;
    if (!strchr(head, '\n')) /* Cut off, or no script. */
        return false;
    *strchr(head, '\n') = 0;
    /* A line with options, variables or more words than one is left to env itself. */
    if (sscanf(head, "#! %s %s %c", interpreter, rest, &more) != 2 || strpbrk(rest, "=/") ||
        rest[0] == '-' || (size_t)snprintf(out_name, size, "%s", rest) >= size)
        return false;
    return !strcmp(interpreter, "/usr/bin/env") || !strcmp(interpreter, "/bin/env");
}

int locate_program(const char *name, char *out_path, size_t size)
{
    const char *path = getenv("PATH"), *at, *end;
    int error = -ENOENT, found;
    char candidate[PATH_MAX];

    if (!*name)
        return -ENOENT;
    if (strchr(name, '/')) {
        error = check_program(name);
        return error ? error : make_absolute(name, out_path, size);
    }
    for (at = path ? path : DEFAULT_PATH;; at = end + 1) {
        end = strchrnul(at, ':');
        snprintf(candidate, sizeof(candidate), "%.*s%s%s", (int)(end - at), at,
                 end == at ? "." : "", "/");
        if (strlen(candidate) + strlen(name) < sizeof(candidate)) {
            strcat(candidate, name);
            found = check_program(candidate);
            if (!found)
                return make_absolute(candidate, out_path, size);
            if (found == -EACCES)
                error = -EACCES;
        }
        if (!*end)
            return error;
    }
}
