/* SPDX-License-Identifier: Apache-2.0 */
/* Quicksort, merge sort and libc's qsort of the same numbers: element stores in loops that nothing
 * counts. */
#include <string.h>

#include "input.h"

enum { NUMBERS = 1500000, QSORTED = 400000, FEW = 16 };

static void insertion(uint64_t *numbers, long count)
{
    for (long i = 1; i < count; i++) {
        uint64_t value = numbers[i];
        long at = i;

        for (; at > 0 && numbers[at - 1] > value; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = value;
    }
}

static void quick(uint64_t *numbers, long count)
{
    while (count > FEW) {
        uint64_t pivot = numbers[count / 2];
        long low = 0, high = count - 1;

        while (low <= high) {
            while (numbers[low] < pivot)
                low++;
            while (numbers[high] > pivot)
                high--;
            if (low <= high) {
                uint64_t swap = numbers[low];

                numbers[low++] = numbers[high];
                numbers[high--] = swap;
            }
        }
        quick(numbers, high + 1);
        numbers += low;
        count -= low;
    }
    insertion(numbers, count);
}

static void merge(uint64_t *numbers, uint64_t *room, long count)
{
    long middle = count / 2, left = 0, right = middle, out = 0;

    if (count <= FEW) {
        insertion(numbers, count);
        return;
    }
    merge(numbers, room, middle);
    merge(numbers + middle, room, count - middle);
    memcpy(room, numbers, (size_t)middle * sizeof(*room));
    while (left < middle && right < count)
        numbers[out++] = room[left] <= numbers[right] ? room[left++] : numbers[right++];
    while (left < middle)
        numbers[out++] = room[left++];
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    uint64_t *original = input_memory(NUMBERS, 8), *numbers = input_memory(NUMBERS, 8);
    uint64_t *room = input_memory(NUMBERS, 8), hash = 0;

    for (long i = 0; i < NUMBERS; i++)
        original[i] = input_next();
    for (int turn = 0; turn < 5; turn++) {
        long count = turn == 4 ? QSORTED : NUMBERS;

        memcpy(numbers, original, sizeof(*numbers) * NUMBERS);
        if (turn == 4)
            qsort(numbers, (size_t)count, sizeof(*numbers), compare);
        else if (turn & 1)
            merge(numbers, room, count);
        else
            quick(numbers, count);
        for (long i = 0; i < count; i += 997)
            hash = hash * 31 + numbers[i];
    }
    printf("%016lx\n", hash);
    return 0;
}
