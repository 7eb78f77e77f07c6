/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's half of configfs-tsm, preloaded into a daemon and its host processes: below the
 * directory that FAKE_TSM names a new directory has the attributes of a request, and closing inblob
 * answers it, by FAKE_TSM_FORGE (fake_snp.c), before the close comes back.  So there is nothing to
 * race with, as with the kernel.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const g_attributes[] = {"generation", "provider", "inblob", "outblob",
                                           "auxblob"};

/* The real one behind ours. */
#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

static int is_request(const char *path)
{
    const char *root = getenv("FAKE_TSM");

    return root && strncmp(path, root, strlen(root)) == 0 && path[strlen(root)] == '/';
}

static void put(const char *entry, const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", entry, name);
    file = fopen(path, "we");
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

int mkdir(const char *path, mode_t mode)
{
    const char *provider = getenv("FAKE_TSM_PROVIDER");

    if (REAL(mkdir)(path, mode))
        return -1;
    if (is_request(path)) {
        put(path, "generation", "0\n");
        put(path, "provider", provider ? provider : "sev_guest\n");
        put(path, "inblob", "");
    }
    return 0;
}

int rmdir(const char *path)
{
    for (size_t i = 0; is_request(path) && i < sizeof(g_attributes) / sizeof(g_attributes[0]);
         i++) {
        char name[PATH_MAX];

        snprintf(name, sizeof(name), "%s/%s", path, g_attributes[i]);
        unlink(name);
    }
    return REAL(rmdir)(path);
}

/* The host's own directory lies between. */
static void answer(char *entry)
{
    static char *const nothing[] = {NULL};
    char host[PATH_MAX];
    char *words[] = {getenv("FAKE_TSM_FORGE"), (char *)"answer", host, entry, NULL};
    pid_t pid;
    int status;

    snprintf(host, sizeof(host), "%s", entry);
    *(strrchr(host, '/') ? strrchr(host, '/') : host) = 0;
    if (!words[0] || posix_spawn(&pid, words[0], NULL, NULL, words, nothing) ||
        waitpid(pid, &status, 0) != pid || status)
        fprintf(stderr, "fake-tsm: no answer for %s\n", entry);
}

int close(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t length;
    int result;
    char *leaf;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    length = getenv("FAKE_TSM") ? readlink(link, path, sizeof(path) - 1) : -1;
    result = REAL(close)(fd);
    if (length <= 0)
        return result;
    path[length] = 0;
    leaf = strrchr(path, '/');
    if (leaf && !strcmp(leaf, "/inblob") && is_request(path)) {
        *leaf = 0;
        answer(path);
    }
    return result;
}
