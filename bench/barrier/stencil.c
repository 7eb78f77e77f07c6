/* SPDX-License-Identifier: Apache-2.0 */
/* Heat on a grid (vectors) and Conway's game of life (bytes): every cell is stored in every turn.
 */
#include "input.h"

enum { SIDE = 1024, TURNS = 120, LIFE_TURNS = 160 };

static void heat(float (*to)[SIDE], float (*from)[SIDE])
{
    for (int y = 1; y < SIDE - 1; y++)
        for (int x = 1; x < SIDE - 1; x++)
            to[y][x] = from[y][x] + 0.2f * (from[y][x - 1] + from[y][x + 1] + from[y - 1][x] +
                                            from[y + 1][x] - 4 * from[y][x]);
}

static void life(unsigned char (*to)[SIDE], unsigned char (*from)[SIDE])
{
    for (int y = 1; y < SIDE - 1; y++)
        for (int x = 1; x < SIDE - 1; x++) {
            int around = from[y - 1][x - 1] + from[y - 1][x] + from[y - 1][x + 1] + from[y][x - 1] +
                         from[y][x + 1] + from[y + 1][x - 1] + from[y + 1][x] + from[y + 1][x + 1];

            to[y][x] = around == 3 || (around == 2 && from[y][x]);
        }
}

int main(void)
{
    float(*a)[SIDE] = input_memory(SIDE, sizeof(*a)), (*b)[SIDE] = input_memory(SIDE, sizeof(*b));
    unsigned char(*c)[SIDE] = input_memory(SIDE, sizeof(*c)),
             (*d)[SIDE] = input_memory(SIDE, sizeof(*d));
    double sum = 0;
    long alive = 0;

    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            a[y][x] = b[y][x] = (float)(input_next() % 256);
            c[y][x] = input_next() & 1;
        }
    for (int turn = 0; turn < TURNS; turn++)
        turn & 1 ? heat(a, b) : heat(b, a);
    for (int turn = 0; turn < LIFE_TURNS; turn++)
        turn & 1 ? life(c, d) : life(d, c);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            sum += (double)a[y][x];
            alive += c[y][x];
        }
    printf("%.3f %ld\n", sum, alive);
    return 0;
}
