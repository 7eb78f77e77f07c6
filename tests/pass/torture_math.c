/* SPDX-License-Identifier: Apache-2.0 */
/* The libc torture: math.h's second results, fenv.h. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>

#include "tests/pass/torture.h"

/* Forms: what a function gives back, the type behind its pointer, and both values. */
#define SPLITS(function, type, second, argument, first, other)                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        second *out = PLACE(second);                                                               \
        type result;                                                                               \
                                                                                                   \
        CALL(result = function(argument, out));                                                    \
        EXPECT(result == (first) && *out == (other));                                              \
    }

SPLITS(frexp, double, int, 12.0, 0.75, 4)
SPLITS(frexpf, float, int, 12.0f, 0.75f, 4)
SPLITS(frexpl, long double, int, 12.0L, 0.75L, 4)
SPLITS(modf, double, double, 12.5, 0.5, 12.0)
SPLITS(modff, float, float, 12.5f, 0.5f, 12.0f)
SPLITS(modfl, long double, long double, 12.5L, 0.5L, 12.0L)
SPLITS(lgamma_r, double, int, 1.0, 0.0, 1)
SPLITS(lgammaf_r, float, int, 1.0f, 0.0f, 1)

long double lgammal_r(long double, int *);
SPLITS(lgammal_r, long double, int, 1.0L, 0.0L, 1)

#define SINCOS(function, type)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        static const type arguments[TURNS] = {0, (type)0.25, 3, 1000, (type)1e10, (type)-7.5};     \
        type *s = PLACE(type), *c = PLACE(type), sum;                                              \
                                                                                                   \
        CALL(function(arguments[torture_turn()], s, c));                                           \
        sum = *s * *s + *c * *c;                                                                   \
        EXPECT(sum > (type)0.999 && sum < (type)1.001);                                            \
    }

SINCOS(sincos, double)
SINCOS(sincosf, float)
SINCOS(sincosl, long double)

#define REMQUO(function, type)                                                                     \
    TORTURE(function, 0)                                                                           \
    {                                                                                              \
        int *quotient = PLACE(int);                                                                \
        type rest;                                                                                 \
                                                                                                   \
        CALL(rest = function(7, 2, quotient));                                                     \
        EXPECT(rest == -1 && *quotient % 8 == 4);                                                  \
    }

REMQUO(remquo, double)
REMQUO(remquof, float)
REMQUO(remquol, long double)

TORTURE(lgamma, QUIET)
{
    double result;

    signgam = 5;
    CALL(result = lgamma(-0.5));
    EXPECT(result > 1.2 && signgam == -1);
}

TORTURE(fegetenv, 0)
{
    fenv_t *environment = PLACE(fenv_t);

    CALL(fegetenv(environment));
    EXPECT(environment->__mxcsr == 0x1f80 || environment->__mxcsr & 0x1f80);
}

/* It is assembly: its mark must not hang on who calls it, and how. */
TORTURE(fegetenv_by_pointer, 0)
{
    int (*volatile get)(fenv_t *) = fegetenv;
    fenv_t *environment = PLACE(fenv_t);

    CALL(get(environment));
    EXPECT(environment->__mxcsr & 0x1f80);
}

TORTURE(feholdexcept, 0)
{
    fenv_t *environment = PLACE(fenv_t);

    CALL(feholdexcept(environment));
    EXPECT(!fesetenv(environment));
}

TORTURE(fegetexceptflag, 0)
{
    fexcept_t *flags = PLACE(fexcept_t);

    feraiseexcept(FE_INEXACT);
    CALL(fegetexceptflag(flags, FE_ALL_EXCEPT));
    EXPECT(*flags & FE_INEXACT);
}
