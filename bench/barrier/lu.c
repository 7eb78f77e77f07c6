/* SPDX-License-Identifier: Apache-2.0 */
/* LU decomposition with pivots, and a matrix product: vector stores to consecutive addresses in
 * counted loops. */
#include <math.h>

#include "input.h"

enum { SIZE = 1100 };

static void decompose(double (*a)[SIZE])
{
    for (int k = 0; k < SIZE; k++) {
        int pivot = k;

        for (int i = k + 1; i < SIZE; i++)
            if (fabs(a[i][k]) > fabs(a[pivot][k]))
                pivot = i;
        for (int j = 0; j < SIZE; j++) {
            double swap = a[k][j];

            a[k][j] = a[pivot][j];
            a[pivot][j] = swap;
        }
        for (int i = k + 1; i < SIZE; i++) {
            double factor = a[i][k] /= a[k][k];

            for (int j = k + 1; j < SIZE; j++)
                a[i][j] -= factor * a[k][j];
        }
    }
}

static void multiply(double (*c)[SIZE], double (*a)[SIZE], double (*b)[SIZE])
{
    for (int i = 0; i < SIZE; i++)
        for (int k = 0; k < SIZE; k++)
            for (int j = 0; j < SIZE; j++)
                c[i][j] += a[i][k] * b[k][j];
}

int main(void)
{
    double(*a)[SIZE] = input_memory(SIZE, sizeof(*a)), (*b)[SIZE] = input_memory(SIZE, sizeof(*b));
    double(*c)[SIZE] = input_memory(SIZE, sizeof(*c)), sum = 0;

    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            a[i][j] = (double)(input_next() % 1000) / 1000;
            b[i][j] = (double)(input_next() % 1000) / 1000;
        }
    multiply(c, a, b);
    decompose(a);
    decompose(b);
    decompose(c);
    for (int i = 0; i < SIZE; i++)
        sum += log(fabs(a[i][i])) + log(fabs(b[i][i])) + log(fabs(c[i][i]));
    printf("%.9f\n", sum);
    return 0;
}
