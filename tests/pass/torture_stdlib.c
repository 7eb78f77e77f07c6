/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: stdlib.h (but for numbers), search.h, malloc.h, setjmp.h, getopt.h, crypt.h. */
#define _GNU_SOURCE
#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <search.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/pass/torture.h"

/* ---- the heap ---- */

TORTURE(malloc, QUIET)
{
    char *block;

    CALL(block = malloc(torture_some()));
    EXPECT(block != NULL);
    free(block);
}

TORTURE(calloc, QUIET)
{
    char *block;

    CALL(block = calloc(3, torture_some()));
    EXPECT(block && block[0] == 0 && block[3 * torture_some() - 1] == 0);
    free(block);
}

TORTURE(realloc, QUIET)
{
    char *block = memset(malloc(40), 'x', 40);

    CALL(block = realloc(block, torture_some() + 40));
    EXPECT(block[0] == 'x' && block[39] == 'x');
    free(block);
}

TORTURE(reallocarray, QUIET)
{
    char *block = memset(malloc(40), 'x', 40);

    CALL(block = reallocarray(block, 2, torture_some() + 40));
    EXPECT(block[0] == 'x' && block[39] == 'x');
    free(block);
}

TORTURE(free, QUIET)
{
    char *block = malloc(torture_some());

    CALL(free(block));
}

TORTURE(malloc_usable_size, QUIET)
{
    char *block = malloc(100);
    size_t size;

    CALL(size = malloc_usable_size(block));
    EXPECT(size >= 100);
    free(block);
}

TORTURE(posix_memalign, 0)
{
    void **block = PLACE(void *);
    int error;

    CALL(error = posix_memalign(block, 256, torture_some()));
    EXPECT(error == 0 && (uintptr_t)*block % 256 == 0);
    free(*block);
}

/* ---- sorting and searching ---- */

static int compare(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int compare_more(const void *a, const void *b, void *unused)
{
    (void)unused;
    return compare(a, b);
}

static int *shuffled(size_t count)
{
    int *numbers = PLACES(int, count);

    for (size_t i = 0; i < count; i++)
        numbers[i] = (int)(i * 7919 % 10007);
    return numbers;
}

static bool sorted(const int *numbers, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (numbers[i - 1] > numbers[i])
            return false;
    return true;
}

TORTURE(qsort, 0)
{
    size_t count = torture_some() / sizeof(int);
    int *numbers = shuffled(count);

    numbers[0] = 20000;
    CALL(qsort(numbers, count, sizeof(int), compare));
    EXPECT(sorted(numbers, count));
}

TORTURE(qsort_r, 0)
{
    size_t count = torture_some() / sizeof(int);
    int *numbers = shuffled(count);

    numbers[0] = 20000;
    CALL(qsort_r(numbers, count, sizeof(int), compare_more, NULL));
    EXPECT(sorted(numbers, count));
}

static int compare_bytes(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

/* Elements longer than qsort's own room for one. */
TORTURE(qsort_wide, 0)
{
    enum { WIDTH = 1300, COUNT = 9 };
    char(*rows)[WIDTH] = (char(*)[WIDTH])TEXT(COUNT * WIDTH);

    for (int i = 0; i < COUNT; i++)
        memset(rows[i], COUNT - i, WIDTH);
    CALL(qsort(rows, COUNT, WIDTH, compare_bytes));
    EXPECT(rows[0][0] <= rows[COUNT - 1][0]);
}

TORTURE(lsearch, 0)
{
    int *numbers = shuffled(10), wanted = 30000, *found;
    size_t *count = PLACE(size_t);

    *count = 9;
    CALL(found = lsearch(&wanted, numbers, count, sizeof(int), compare));
    EXPECT(*count == 10 && found == numbers + 9 && *found == wanted);
}

TORTURE(lfind, QUIET)
{
    int *numbers = shuffled(10), *found;
    size_t *count = PLACE(size_t);

    *count = 10;
    CALL(found = lfind(&numbers[4], numbers, count, sizeof(int), compare));
    EXPECT(found == numbers + 4);
}

struct element {
    struct element *next, *previous;
};

TORTURE(insque, 0)
{
    struct element *a = PLACE(struct element), *b = PLACE(struct element);

    CALL(insque(a, NULL));
    CALL(insque(b, a));
    EXPECT(a->next == b && b->previous == a);
}

TORTURE(remque, 0)
{
    struct element *a = PLACE(struct element), *b = PLACE(struct element);
    struct element *c = PLACE(struct element);

    insque(a, NULL);
    insque(b, a);
    insque(c, b);
    CALL(remque(b));
    EXPECT(a->next == c && c->previous == a);
}

TORTURE(hcreate_r, 0)
{
    struct hsearch_data *table = memset(PLACE(struct hsearch_data), 0, sizeof(*table));
    int made;

    CALL(made = hcreate_r(50, table));
    EXPECT(made);
    hdestroy_r(table);
}

TORTURE(hsearch_r, 0)
{
    struct hsearch_data *table = memset(PLACE(struct hsearch_data), 0, sizeof(*table));
    ENTRY **found = PLACE(ENTRY *), entry = {.key = (char *)"key", .data = table};

    hcreate_r(50, table);
    CALL(hsearch_r(entry, ENTER, found, table));
    EXPECT(*found && (*found)->data == table);
    hdestroy_r(table);
}

/* So many that the table grows. */
TORTURE(hsearch, 0)
{
    static char keys[200][8];
    ENTRY entry = {.data = keys};

    hcreate(10);
    for (int i = 0; i < 200; i++) {
        keys[i][0] = (char)('a' + i % 26);
        keys[i][1] = (char)('a' + i / 26);
        entry.key = keys[i];
        CALL(hsearch(entry, ENTER));
    }
    EXPECT(hsearch(entry, FIND) != NULL);
    hdestroy();
}

TORTURE(hdestroy_r, 0)
{
    struct hsearch_data *table = memset(PLACE(struct hsearch_data), 0, sizeof(*table));

    hcreate_r(50, table);
    CALL(hdestroy_r(table));
}

static void leave(void *key)
{
    *(int *)key = -1;
}

static void *tree_of(void **root, int *numbers, int count)
{
    *root = NULL;
    for (int i = 0; i < count; i++)
        tsearch(&numbers[i], root, compare);
    return *root;
}

TORTURE(tsearch, 0)
{
    void **root = PLACE(void *);
    int *numbers = shuffled(100);

    tree_of(root, numbers, 10);
    for (int i = 10; i < 100; i++)
        CALL(tsearch(&numbers[i], root, compare));
    EXPECT(tfind(&numbers[50], root, compare) != NULL);
    tdestroy(*root, leave);
}

TORTURE(tdelete, 0)
{
    void **root = PLACE(void *);
    int *numbers = shuffled(20);

    tree_of(root, numbers, 20);
    for (int i = 0; i < 10; i++)
        CALL(tdelete(&numbers[i], root, compare));
    EXPECT(!tfind(&numbers[5], root, compare) && tfind(&numbers[15], root, compare));
    tdestroy(*root, leave);
}

TORTURE(tdestroy, 0)
{
    void **root = PLACE(void *);
    int *numbers = shuffled(20);

    tree_of(root, numbers, 20);
    CALL(tdestroy(*root, leave));
    EXPECT(numbers[7] == -1);
}

/* ---- random numbers ---- */

#define RANDOM48(function)                                                                         \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        unsigned short *state = memset(PLACES(unsigned short, 3), 1, 6);                           \
                                                                                                   \
        CALL(function(state));                                                                     \
        EXPECT(state[0] != 0x0101);                                                                \
    }

RANDOM48(erand48)
RANDOM48(nrand48)
RANDOM48(jrand48)

TORTURE(seed48, QUIET)
{
    unsigned short *state = memset(PLACES(unsigned short, 3), 1, 6), *old;

    CALL(old = seed48(state));
    EXPECT(old != NULL);
}

TORTURE(lcong48, QUIET)
{
    unsigned short *state = memset(PLACES(unsigned short, 7), 1, 14);

    CALL(lcong48(state));
    (void)lrand48();
}

TORTURE(rand_r, 0)
{
    unsigned *seed = PLACE(unsigned);

    CALL(rand_r(seed));
}

TORTURE(initstate, 0)
{
    char *state = memset(PLACES(long, 32), 0, 256), *old;

    CALL(old = initstate(5, state, 256));
    CALL(random());
    setstate(old);
}

TORTURE(setstate, 0)
{
    char *state = memset(PLACES(long, 32), 0, 256), *old = initstate(5, state, 256), *mine;

    random();
    CALL(mine = setstate(old));
    EXPECT(mine == state);
}

/* ---- templates ---- */

static char *template(const char *end)
{
    char *name = TEXT(400);

    strcpy(name, torture_path("t.XXXXXX"));
    return strcat(name, end);
}

#define MAKES(function, end, call)                                                                 \
    TORTURE(function, KERNEL)                                                                      \
    {                                                                                              \
        char *name = template(end);                                                                \
        int fd;                                                                                    \
                                                                                                   \
        CALL(fd = call);                                                                           \
        EXPECT(fd >= 0 && !strstr(name, "XXXXXX"));                                                \
        close(fd);                                                                                 \
        unlink(name);                                                                              \
    }

MAKES(mkstemp, "", mkstemp(name))
MAKES(mkostemp, "", mkostemp(name, O_CLOEXEC))
MAKES(mkstemps, ".c", mkstemps(name, 2))
MAKES(mkostemps, ".c", mkostemps(name, 2, O_CLOEXEC))

TORTURE(mkdtemp, KERNEL)
{
    char *name = template("");

    CALL(mkdtemp(name));
    EXPECT(!rmdir(name));
}

TORTURE(mktemp, KERNEL)
{
    char *name = template("");

    CALL(mktemp(name));
    EXPECT(name[0] && !strstr(name, "XXXXXX"));
}

/* ---- the environment, options ---- */

TORTURE(putenv, QUIET)
{
    static char entry[] = "TORTURE=1";
    int error;

    CALL(error = putenv(entry));
    EXPECT(error == 0 && !strcmp(getenv("TORTURE"), "1"));
    unsetenv("TORTURE");
}

TORTURE(setenv, QUIET)
{
    int error;

    CALL(error = setenv("TORTURE", "2", 1));
    EXPECT(error == 0 && !strcmp(getenv("TORTURE"), "2"));
    CALL(unsetenv("TORTURE"));
    EXPECT(!getenv("TORTURE"));
}

TORTURE(getsubopt, 0)
{
    char one[] = "one", two[] = "two", *keys[] = {one, two, NULL};
    char *text = COPY("two=5,one"), **at = PLACE(char *), **value = PLACE(char *);
    int index;

    *at = text;
    CALL(index = getsubopt(at, keys, value));
    EXPECT(index == 1 && !strcmp(*value, "5"));
}

/* The arguments are put in order. */
static char **arguments(void)
{
    static char name[] = "name", other[] = "other", a[] = "-a", b[] = "--bee=5";
    char **list = PLACES(char *, 5);

    list[0] = name;
    list[1] = other;
    list[2] = a;
    list[3] = b;
    list[4] = NULL;
    optind = 0;
    return list;
}

TORTURE(getopt, QUIET)
{
    char **list = arguments();
    int option;

    CALL(option = getopt(4, list, "a"));
    EXPECT(option == -1);
    optind = 2;
    CALL(option = getopt(4, list, "a"));
    EXPECT(option == 'a');
}

#define LONG_OPTIONS(function)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        int *flag = PLACE(int), *index = PLACE(int), option;                                       \
        struct option options[] = {{"bee", required_argument, flag, 7}, {NULL, 0, NULL, 0}};       \
        char **list = arguments();                                                                 \
                                                                                                   \
        CALL(option = function(4, list, "a", options, index));                                     \
        EXPECT(option == 'a');                                                                     \
        CALL(option = function(4, list, "a", options, index));                                     \
        EXPECT(option == 0 && *flag == 7 && *index == 0 && !strcmp(optarg, "5"));                  \
        CALL(option = function(4, list, "a", options, index));                                     \
        EXPECT(option == -1);                                                                      \
    }

LONG_OPTIONS(getopt_long)
LONG_OPTIONS(getopt_long_only)

/* ---- jumps ---- */

#define JUMPS(function, save, jump)                                                                \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        jmp_buf *buffer = PLACE(jmp_buf);                                                          \
        volatile int times = 0;                                                                    \
                                                                                                   \
        torture_before();                                                                          \
        if (save == 0) {                                                                           \
            torture_after();                                                                       \
            times++;                                                                               \
            jump(*buffer, 1);                                                                      \
        }                                                                                          \
        EXPECT(times == 1);                                                                        \
    }

JUMPS(setjmp, setjmp(*buffer), longjmp)
JUMPS(_setjmp, _setjmp(*buffer), _longjmp)
JUMPS(sigsetjmp, sigsetjmp(*buffer, 1), siglongjmp)
JUMPS(sigsetjmp_unmasked, sigsetjmp(*buffer, 0), siglongjmp)

#define JUMPS_BACK(function, save)                                                                 \
    TORTURE(function, QUIET)                                                                       \
    {                                                                                              \
        jmp_buf *buffer = PLACE(jmp_buf);                                                          \
                                                                                                   \
        if (save == 0) {                                                                           \
            torture_before();                                                                      \
            function(*buffer, 1);                                                                  \
        }                                                                                          \
        torture_after();                                                                           \
    }

JUMPS_BACK(longjmp, setjmp(*buffer))
JUMPS_BACK(_longjmp, _setjmp(*buffer))
JUMPS_BACK(siglongjmp, sigsetjmp(*buffer, 1))

/* ---- crypt.h ---- */

TORTURE(crypt_r, 0)
{
    static const char *const salts[TURNS] = {
        "ab", "$1$salt", "$5$rounds=1000$salt", "$6$rounds=1000$salt", "_J9..rasm", "$1$other"};
    struct crypt_data *data = PLACE(struct crypt_data);
    char *hash;

    memset(data, 0, sizeof(*data));
    CALL(hash = crypt_r("secret", salts[torture_turn()], data));
    EXPECT(hash && hash[0] != '*');
}

TORTURE(encrypt, 0)
{
    char *block = memset(TEXT(64), 0, 64), key[64] = {1, 0, 1};

    setkey(key);
    CALL(encrypt(block, 0));
    CALL(encrypt(block, 1));
    EXPECT(block[0] == 0 && block[63] == 0);
}
