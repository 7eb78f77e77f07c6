/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No write is lost between the write barrier and the collector (enclave/cards.c), on a processor with
 * store buffers (x86's TSO): one page of two words, its card, one thread of the program, one collector.
 *
 *   program     store; mark the card; ... ; park at a safepoint
 *   collector   round 0: clear, fence, copy; then rounds: if marked: clear, fence, copy;
 *               when the program has parked: if marked: copy
 *
 * A mark says also that the first bytes of the next page were written (boundary/card.h).  The collector
 * copies those behind the same clearing, so to this model the two words may as well lie on both sides
 * of a page's end.
 *
 * Claim: then the copy is the page.  A store waits in its thread's buffer until drain() lets it go, in
 * order; a thread sees its own.  By -D of spin one rule is broken; each of these has to be found wrong:
 *
 *   TEST_FIRST     the program marks only a card that it finds clean
 *   MARK_FIRST     the program marks before it stores
 *   NO_FENCE       the collector does not wait for its clearing before it copies
 *   COPY_FIRST     the collector copies before it clears
 *   STOP_ANYWHERE  the program may be parked between a store and its mark
 *   WIDE_CLEAR     the collector looks, and clears later what it has not seen (a plain wide store)
 */
#ifndef STORES
#define STORES 3
#endif

#define CARD 2 /* words 0 and 1 are the page */

byte memory[3];
byte copy[2];
bool parked = false;

chan program_buffer = [4] of { byte, byte };
chan collector_buffer = [2] of { byte, byte };

/* What a thread reads: its own newest store to the card, or memory. */
inline load_card(buffer, out)
{
    atomic {
        if
        :: buffer ?? [CARD, 1] -> out = 1
        :: else ->
            if
            :: buffer ?? [CARD, 0] -> out = 0
            :: else -> out = memory[CARD]
            fi
        fi
    }
}

active proctype drain()
{
    byte at, value;

end:
    do
    :: atomic { program_buffer ? at, value -> memory[at] = value }
    :: atomic { collector_buffer ? at, value -> memory[at] = value }
    od
}

inline mark()
{
#ifdef TEST_FIRST
    load_card(program_buffer, seen);
    if
    :: seen == 0 -> program_buffer ! CARD, 1
    :: else
    fi
#else
    program_buffer ! CARD, 1
#endif
}

active proctype program()
{
    byte version = 0, word, seen;

    do
    :: version < STORES ->
        version++;
        if
        :: word = 0
        :: word = 1
        fi;
#ifdef MARK_FIRST
        mark();
        program_buffer ! word, version;
#else
        program_buffer ! word, version;
#ifdef STOP_ANYWHERE
        if
        :: break
        :: skip
        fi;
#endif
        mark();
#endif
    :: break
    od;
    /* Parking is a locked operation: it waits for the buffer. */
    empty(program_buffer);
    parked = true
}

inline copy_page()
{
    /* One word after the other, in either order. */
    if
    :: copy[0] = memory[0]; copy[1] = memory[1]
    :: copy[1] = memory[1]; copy[0] = memory[0]
    fi
}

inline clear_and_copy()
{
#ifdef COPY_FIRST
    copy_page();
    collector_buffer ! CARD, 0;
    empty(collector_buffer);
#else
    collector_buffer ! CARD, 0;
#ifndef NO_FENCE
    empty(collector_buffer);
#endif
    copy_page();
#endif
}

active proctype collector()
{
    byte marked;

    clear_and_copy(); /* round 0: everything */
    do
    :: !parked ->
        load_card(collector_buffer, marked);
        if
        :: marked -> clear_and_copy()
#ifdef WIDE_CLEAR
        /* A neighbour's card was marked, and this one wiped with it. */
        :: !marked -> collector_buffer ! CARD, 0; empty(collector_buffer)
#else
        :: !marked
#endif
        fi
    :: parked -> break
    od;
    load_card(collector_buffer, marked);
    if
    :: marked -> copy_page()
    :: else
    fi;
    assert(copy[0] == memory[0] && copy[1] == memory[1])
}
