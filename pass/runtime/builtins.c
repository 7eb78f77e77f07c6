/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clang calls for arithmetic that the processor has no instruction for.  libgcc has it too,
 * but is not instrumented.  Names and meaning: "Routines for integer arithmetic" and "for floating
 * point" of the GCC internals manual.
 */
typedef __int128 ti;
typedef unsigned __int128 uti;
typedef unsigned long udi;

uti __udivmodti4(uti a, uti b, uti *rest);
uti __udivti3(uti a, uti b);
uti __umodti3(uti a, uti b);
ti __divti3(ti a, ti b);
ti __modti3(ti a, ti b);
ti __multi3(ti a, ti b);
int __popcountdi2(long a);
float _Complex __mulsc3(float a, float b, float c, float d);
double _Complex __muldc3(double a, double b, double c, double d);
long double _Complex __mulxc3(long double a, long double b, long double c, long double d);
float _Complex __divsc3(float a, float b, float c, float d);
double _Complex __divdc3(double a, double b, double c, double d);
long double _Complex __divxc3(long double a, long double b, long double c, long double d);
double __floattidf(ti a);
double __floatuntidf(uti a);
uti __fixunsdfti(double a);
ti __fixdfti(double a);

static int leading_zeroes(uti a)
{
    udi high = (udi)(a >> 64);

    return high ? __builtin_clzl(high) : 64 + ((udi)a ? __builtin_clzl((udi)a) : 64);
}

/* Bit by bit, from the first that can count. */
uti __udivmodti4(uti a, uti b, uti *rest)
{
    uti quotient = 0;
    int shift;

    if (b == 0)
        __builtin_trap();
    if (a >= b) {
        shift = leading_zeroes(b) - leading_zeroes(a);
        b <<= shift;
        for (; shift >= 0; shift--, b >>= 1) {
            quotient <<= 1;
            if (a >= b) {
                a -= b;
                quotient |= 1;
            }
        }
    }
    if (rest)
        *rest = a;
    return quotient;
}

uti __udivti3(uti a, uti b)
{
    return __udivmodti4(a, b, 0);
}

uti __umodti3(uti a, uti b)
{
    uti rest;

    __udivmodti4(a, b, &rest);
    return rest;
}

static uti magnitude(ti a)
{
    return a < 0 ? -(uti)a : (uti)a;
}

ti __divti3(ti a, ti b)
{
    uti quotient = __udivmodti4(magnitude(a), magnitude(b), 0);

    return (a < 0) != (b < 0) ? (ti)-quotient : (ti)quotient;
}

ti __modti3(ti a, ti b)
{
    uti rest;

    __udivmodti4(magnitude(a), magnitude(b), &rest);
    return a < 0 ? (ti)-rest : (ti)rest;
}

ti __multi3(ti a, ti b)
{
    udi low = (udi)a, other = (udi)b;
    uti product = (uti)(low & 0xffffffff) * (other & 0xffffffff);
    uti middle = (uti)(low >> 32) * (other & 0xffffffff),
        right = (uti)(low & 0xffffffff) * (other >> 32);

    product += (middle << 32) + (right << 32) + ((uti)((low >> 32) * (other >> 32)) << 64);
    return (ti)(product + ((uti)((udi)((uti)a >> 64) * other + low * (udi)((uti)b >> 64)) << 64));
}

int __popcountdi2(long a)
{
    int count = 0;

    for (udi rest = (udi)a; rest; rest &= rest - 1)
        count++;
    return count;
}

double __floatuntidf(uti a)
{
    int shift = 64 - leading_zeroes(a);
    udi top;

    if (shift <= 0)
        return (double)(udi)a;
    top = (udi)(a >> shift);
    if (a & (((uti)1 << shift) - 1))
        top |= 1; /* sticky: 64 bits are more than a double has, so this only decides a tie */
    return (double)top * (shift == 64 ? 18446744073709551616.0 : (double)((udi)1 << shift));
}

double __floattidf(ti a)
{
    return a < 0 ? -__floatuntidf(magnitude(a)) : __floatuntidf((uti)a);
}

uti __fixunsdfti(double a)
{
    const double two64 = 18446744073709551616.0;
    udi high;

    if (!(a >= 1))
        return 0;
    high = (udi)(a / two64);
    return (uti)high << 64 | (udi)(a - (double)high * two64);
}

ti __fixdfti(double a)
{
    return a < 0 ? -(ti)__fixunsdfti(-a) : (ti)__fixunsdfti(a);
}

/* C11, annex G.5.1: an infinite operand gives an infinite result, also if the formula says NaN. */
#define MULTIPLY(name, type, copysign)                                                             \
    type _Complex name(type a, type b, type c, type d)                                             \
    {                                                                                              \
        type real = a * c - b * d, imaginary = a * d + b * c;                                      \
        type _Complex result;                                                                      \
        int again = 0;                                                                             \
                                                                                                   \
        if (real != real && imaginary != imaginary) {                                              \
            if (__builtin_isinf(a) || __builtin_isinf(b)) {                                        \
                a = copysign(__builtin_isinf(a) ? 1 : 0, a);                                       \
                b = copysign(__builtin_isinf(b) ? 1 : 0, b);                                       \
                c = c != c ? copysign(0, c) : c;                                                   \
                d = d != d ? copysign(0, d) : d;                                                   \
                again = 1;                                                                         \
            }                                                                                      \
            if (__builtin_isinf(c) || __builtin_isinf(d)) {                                        \
                c = copysign(__builtin_isinf(c) ? 1 : 0, c);                                       \
                d = copysign(__builtin_isinf(d) ? 1 : 0, d);                                       \
                a = a != a ? copysign(0, a) : a;                                                   \
                b = b != b ? copysign(0, b) : b;                                                   \
                again = 1;                                                                         \
            }                                                                                      \
            if (again) {                                                                           \
                real = (type)__builtin_inf() * (a * c - b * d);                                    \
                imaginary = (type)__builtin_inf() * (a * d + b * c);                               \
            }                                                                                      \
        }                                                                                          \
        __real__ result = real;                                                                    \
        __imag__ result = imaginary;                                                               \
        return result;                                                                             \
    }

/* Scaled by the larger part of the divisor (Smith, CACM 5(8), 1962). */
#define DIVIDE(name, type, fabs)                                                                   \
    type _Complex name(type a, type b, type c, type d)                                             \
    {                                                                                              \
        type _Complex result;                                                                      \
        type ratio, divisor;                                                                       \
                                                                                                   \
        if (fabs(c) < fabs(d)) {                                                                   \
            ratio = c / d;                                                                         \
            divisor = c * ratio + d;                                                               \
            __real__ result = (a * ratio + b) / divisor;                                           \
            __imag__ result = (b * ratio - a) / divisor;                                           \
        } else {                                                                                   \
            ratio = d / c;                                                                         \
            divisor = d * ratio + c;                                                               \
            __real__ result = (b * ratio + a) / divisor;                                           \
            __imag__ result = (b - a * ratio) / divisor;                                           \
        }                                                                                          \
        return result;                                                                             \
    }

MULTIPLY(__mulsc3, float, __builtin_copysignf)
MULTIPLY(__muldc3, double, __builtin_copysign)
MULTIPLY(__mulxc3, long double, __builtin_copysignl)
DIVIDE(__divsc3, float, __builtin_fabsf)
DIVIDE(__divdc3, double, __builtin_fabs)
DIVIDE(__divxc3, long double, __builtin_fabsl)
