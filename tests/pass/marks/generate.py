# SPDX-License-Identifier: Apache-2.0
"""
Random C programs that store in many ways, for fuzz_marks: what csmith does not make.  program(seed) is the text.

A program has no undefined behaviour by construction: indices are taken modulo the length, sums are unsigned, floating
point values come from small integers.  Types alias only as bytes or through packed structures marked may_alias.
"""
import random

PREAMBLE = """\
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
typedef uint64_t u64;
#define PLAIN __attribute__((section(".plain")))
#define NOINLINE __attribute__((noinline))
#define SYSTEM_CALL() __asm__ volatile("ud2" ::: "memory")
extern void marks_safepoint(void), marks_value(u64);
extern void *memcpy(void *restrict, const void *restrict, size_t), *memmove(void *, const void *, size_t);
extern void *memset(void *, int, size_t), *malloc(size_t);
extern size_t strlen(const char *);
extern char *strcpy(char *restrict, const char *restrict);
typedef u64 jump[25];
extern int setjmp(jump) __attribute__((returns_twice));
extern void longjmp(jump, int) __attribute__((noreturn));
typedef struct __attribute__((packed, may_alias)) { uint16_t v; } odd16;
typedef struct __attribute__((packed, may_alias)) { uint32_t v; } odd32;
typedef struct __attribute__((packed, may_alias)) { u64 v; } odd64;
typedef struct __attribute__((packed, may_alias)) { uint8_t a; uint32_t b; u64 c; uint16_t d; } packed;
typedef uint32_t v2 __attribute__((vector_size(8)));
typedef uint32_t v4 __attribute__((vector_size(16)));
typedef uint16_t v16 __attribute__((vector_size(32)));
typedef u64 v8 __attribute__((vector_size(64)));
typedef v4 loose4 __attribute__((aligned(1), may_alias));
typedef v16 loose16 __attribute__((aligned(1), may_alias));
typedef v8 loose8 __attribute__((aligned(1), may_alias));
typedef struct { uint8_t a; uint32_t b; uint16_t c; u64 d; float e; double f; unsigned g : 5, h : 11, i : 16; uint8_t j[7]; } mixed;
typedef struct node { struct node *next; u64 value; uint32_t other[5]; struct node *back; } node;
typedef union { u64 whole; uint32_t half[2]; uint8_t bytes[8]; } either;
static PLAIN long fuel = FUEL;
static PLAIN u64 state = 12345;
static u64 chaos(void) { return state = state * 6364136223846793005u + 1442695040888963407u; }
"""

# Name, how a number becomes one, how it becomes a number.
SCALARS = {
    "uint8_t": ("(uint8_t)({})", "{}"),
    "int8_t": ("(int8_t)({})", "{}"),
    "uint16_t": ("(uint16_t)({})", "{}"),
    "int32_t": ("(int32_t)({})", "{}"),
    "uint32_t": ("(uint32_t)({})", "{}"),
    "u64": ("(u64)({})", "{}"),
    "int64_t": ("(int64_t)({})", "{}"),
    "_Bool": ("(({}) & 1)", "{}"),
    "float": ("(float)(({}) & 0xffff)", "(u64)({} < 1e9f ? {} : 7)"),
    "double": ("(double)(({}) & 0xffffff)", "(u64)({} < 1e15 ? {} : 7)"),
    "long double": ("(long double)(({}) & 0xffffff)", "(u64){}"),
    "unsigned __int128": ("((unsigned __int128)({}) * 0x10000000000001u)", "((u64){} ^ (u64)({} >> 64))"),
    "unsigned _BitInt(24)": ("(unsigned _BitInt(24))({})", "(u64){}"),
    "unsigned _BitInt(37)": ("(unsigned _BitInt(37))({})", "(u64){}"),
    "unsigned _BitInt(77)": ("((unsigned _BitInt(77))({}) << 9)", "(u64)({} >> 9)"),
    "v4": ("((v4){{(uint32_t)({}), 3, 5, 7}} * 2654435761u)", "(({})[0] ^ ({})[3])"),
    "v16": ("((v16){{(uint16_t)({}), 3, 5}} * (uint16_t)40503)", "(({})[0] ^ (u64)({})[9] << 20)"),
    "v8": ("((v8){{({}), 3, 5, 7}} * 0x9e3779b97f4a7c15u)", "(({})[0] ^ ({})[7])"),
    "float _Complex": ("((float)(({}) & 0xffff) + 2.0if * 3)", "(u64)__real__({})"),
    "double _Complex": ("((double)(({}) & 0xffff) + 1.0i * 9)", "(u64)__real__({})"),
}
PLAIN_SCALARS = ["uint8_t", "int8_t", "uint16_t", "int32_t", "uint32_t", "u64", "int64_t", "float", "double"]
INTEGERS = ["uint8_t", "uint16_t", "uint32_t", "u64"]


class Array:
    def __init__(self, name, kind, length):
        self.name, self.kind, self.length = name, kind, length


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.arrays, self.functions, self.texts, self.globals = [], [], [], []
        self.names = 0
        self.density = 0.35 # of safepoints: few let marks be merged, many show that one is missing

    # ---- words ----

    def fresh(self, prefix):
        self.names += 1
        return f"{prefix}{self.names}"

    def pick(self, choices):
        return self.random.choice(choices)

    def odds(self, share):
        return self.random.random() < share

    def number(self, low, high):
        return self.random.randint(low, high)

    def value(self, kind, depth=0):
        """An expression of this type."""
        return SCALARS[kind][0].format(self.word())

    def word(self):
        """A u64 expression."""
        way = self.number(0, 5)
        if way < 3:
            return f"(x * {self.number(3, 1 << 40) | 1}u + {self.number(0, 1 << 20)}u)"
        if way == 3:
            return f"(x >> {self.number(1, 40)})"
        if way == 4:
            array = self.pick(self.arrays)
            return f"(x + {self.read(array, 'x')})"
        return "chaos()" if self.odds(0.3) else f"(x ^ {self.number(1, 1 << 30)}u)"

    def read(self, array, index):
        item = f"{array.name}[{index} % {array.length}u]"
        return self.as_word(array.kind, item)

    def as_word(self, kind, item):
        text = SCALARS[kind][1]
        return "(u64)" + text.format(item, item) if text.count("{}") == 2 else "(u64)" + text.format(item)

    def array(self, kinds=None, least=1):
        fitting = [a for a in self.arrays if (kinds is None or a.kind in kinds) and a.length >= least]
        return self.pick(fitting) if fitting else None

    def safepoint(self):
        return self.pick(["marks_safepoint();", "SYSTEM_CALL();"]) if self.odds(self.density) else ""

    def condition(self):
        return self.pick([f"(x >> {self.number(0, 50)} & 1)", f"(x % {self.number(2, 9)} == {self.number(0, 1)})", f"(x & {self.number(1, 255)})"])

    # ---- statements: each gives lines; x is a u64 of the function, n its length argument ----

    def store(self):
        array = self.array()
        index = self.pick([str(self.number(0, array.length - 1)), f"x % {array.length}u"])
        return [f"{array.name}[{index}] = {self.value(array.kind)};"]

    def update(self):
        array = self.array(INTEGERS)
        item = f"{array.name}[x % {array.length}u]"
        return [self.pick([f"{item}++;", f"{item} += ({array.kind}){self.word()};", f"{item} ^= ({array.kind})(x >> 3);",
                           f"if (x & 1) {item}--;", f"*(volatile {array.kind} *)&{item} |= 3;"])]

    def near(self):
        """Stores at constant distances, in several blocks."""
        array = self.array(least=12)
        pointer = self.fresh("p")
        reach = min(array.length, self.pick([12, 24, 48, 100, 300]))
        lines = [f"{{ {array.kind} *{pointer} = {array.name} + x % {array.length - reach + 1}u;"]
        for _ in range(self.number(2, 7)):
            lines += self.block_near(array, pointer, reach, 0)
        return lines + ["}"]

    def one_near(self, array, pointer, reach):
        return f"{pointer}[{self.number(0, reach - 1)}] = {self.value(array.kind)};"

    def block_near(self, array, pointer, reach, depth):
        one = lambda: self.one_near(array, pointer, reach) + self.pick(["", self.safepoint(), " x += 0x9e3779b97f4a7c15u;"])
        way = self.number(0, 11 if depth < 2 else 3)
        if way < 3:
            return [one()]
        if way == 3:
            return [one(), self.safepoint(), "x = x * 5 + 1;"]
        inner = lambda: self.block_near(array, pointer, reach, depth + 1)
        if way < 6:
            return [f"if {self.condition()} {{"] + inner() + ["}"]
        if way < 8:
            return [f"if {self.condition()} {{"] + inner() + ["} else {"] + inner() + ["}"] + inner()
        if way == 8:
            lines = [f"switch (x % {self.number(3, 6)}) {{"]
            for case in range(self.number(2, 5)):
                lines += [f"case {case}:"] + inner() + ([] if self.odds(0.3) else ["break;"])
            return lines + ["default:"] + inner() + ["}"]
        if way == 9:
            label = self.fresh("l")
            return [one(), f"if {self.condition()} goto {label};"] + inner() + [f"{label}:;"] + inner()
        if way == 10:
            i = self.fresh("i")
            return [f"for (int {i} = 0; {i} < {self.number(1, reach)}; {i}++) {{ {pointer}[{i}] = {self.value(array.kind)}; {self.leave()} }}"] + inner()
        return [one(), f"if {self.condition()} return x;", one()] if self.odds(0.3) else [one(), one(), self.call()]

    def leave(self):
        return self.pick(["", "", "", f"if {self.condition()} break;", f"if {self.condition()} continue;", "x = x * 3 + 1;"])

    def counter(self, turns):
        """The head of a loop, its variable, an expression for the turn, at most `turns` of them."""
        i, kind = self.fresh("i"), self.pick(["long", "int", "unsigned", "u64", "unsigned short", "unsigned char", "long"])
        if kind == "unsigned char":
            turns = min(turns, 250)
        bound = self.pick([str(self.number(1, turns)), f"(({kind})(x % {turns} + 1))", f"(({kind})(n < {turns} ? n : {turns}))",
                           f"(({kind})((n * 3) % {turns} + 1))", str(turns)])
        step = self.pick([1, 1, 1, 2, 3, 5, 17])
        way = self.number(0, 6)
        if way < 3 or kind == "unsigned char":
            return f"for ({kind} {i} = 0; {i} < {bound}; {i}++)", i
        if way == 3 and kind in ("long", "int"):
            return f"for ({kind} {i} = {bound} - 1; {i} >= 0; {i} -= {step})", i
        if way == 4:
            return f"for ({kind} {i} = {bound}; {i}-- != 0;)", i
        if way == 5:
            return f"for ({kind} {i} = 0, b{i} = {bound}; {i} != b{i}; {i}++)", i # the bound itself may change with x
        if kind == "unsigned short":
            step = 1
        return f"for ({kind} {i} = 0; {i} < {bound}; {i} += {step})", i

    def in_loop(self, i, turns, arrays):
        array = self.pick(arrays)
        most = array.length // max(turns, 1)
        value = SCALARS[array.kind][0].format(self.pick([f"(u64){i} * 7 + x", f"(u64){i} + 1", self.word()]))
        if array.length < turns:
            index = f"(u64){i} % {array.length}u"
        else:
            stride = self.number(1, min(most, 40)) if most > 0 else 1
            room = array.length - 1 - (turns - 1) * stride
            offset = self.number(0, max(room, 0))
            index = self.pick([f"{i} * {stride} + {offset}", f"{array.length - 1 - offset} - {i} * {stride}" if room >= offset else f"{i}"])
            if room < 0:
                index = f"(u64){i} % {array.length}u"
        store = f"{array.name}[{index}] = {value};"
        return self.pick([store, store, store, f"if (({i} ^ x) & {self.number(1, 7)}) {store}", f"{store} x += 11;",
                          f"{store} {self.leave()}"])

    def loop(self):
        turns = self.pick([1, 3, 8, 40, 63, 64, 65, 100, 200, 300, 700])
        arrays = [self.array(PLAIN_SCALARS if self.odds(0.7) else None) for _ in range(self.number(1, 3))]
        head, i = self.counter(turns)
        body = [self.in_loop(i, turns, arrays) for _ in range(self.number(1, 4))]
        if self.odds(0.15):
            body.append(self.call())
        if self.odds(0.1):
            body.append(self.safepoint())
        if self.odds(0.15):
            constant = self.pick(arrays)
            body.append(f"{constant.name}[{self.number(0, constant.length - 1)}] = {self.value(constant.kind)};")
        return [f"{head} {{"] + body + ["}"]

    def plain_loop(self):
        """One that may become vectors."""
        kind = self.pick(PLAIN_SCALARS)
        arrays = [a for a in self.arrays if a.kind == kind]
        to, left, right = (self.pick(arrays) for _ in range(3))
        most = min(a.length for a in (to, left, right))
        restrict = self.pick(["", "restrict "])
        if to is left or to is right:
            restrict = ""
        a, b, c, i = (self.fresh(name) for name in "abci")
        operation = self.pick(["+", "^", "|"]) if kind in INTEGERS else "+"
        begin = self.number(0, most // 3)
        bound = self.pick(["n", str(most - begin), str(self.number(1, most - begin)), f"(long)(x % {most - begin} + 1)"])
        bound = f"({bound} < {most - begin} ? {bound} : {most - begin})"
        right_side = f"({kind})({b}[{i}] {operation} {c}[{i}])" if kind in INTEGERS else SCALARS[kind][0].format(self.pick([f"(u64){i}", "x"]))
        stride = self.pick([1, 1, 1, 2, 3, 4]) if most > 12 else 1
        if stride > 1:
            bound = f"({bound}) / {stride}"
            stores = " ".join(f"{a}[{i} * {stride} + {k}] = {SCALARS[kind][0].format(f'x + (u64){i} * {k + 3}u')};" for k in range(stride) if self.odds(0.8))
        else:
            stores = self.pick([f"{a}[{i}] = {right_side};", f"if ({b}[{i}]) {a}[{i}] = {right_side};", f"{a}[{i}] = {right_side}; if ({i} == {self.number(5, 400)}) break;"])
        return [f"{{ {kind} *{restrict}{a} = {to.name} + {begin}, *{restrict}{b} = {left.name}, *{restrict}{c} = {right.name}; (void){b}; (void){c};",
                f"for (long {i} = 0; {i} < {bound}; {i}++) {{ {stores} }} }}"]

    def nested(self):
        array = self.array(PLAIN_SCALARS, 36)
        i, j = self.fresh("i"), self.fresh("j")
        side = int(array.length ** 0.5)
        inner = self.pick([f"{j} < {side}", f"{j} <= {i}", f"{j} < {side} - {i}", f"{j} < {side} && {j} < n"])
        index = self.pick([f"{i} * {side} + {j}", f"{j} * {side} + {i}"])
        extra = self.pick(["", "", self.safepoint(), self.call() if self.odds(0.3) else "", " ".join(self.store())])
        return [f"for (int {i} = 0; {i} < {side}; {i}++) {{",
                f"for (int {j} = 0; {inner}; {j}++) {{ {array.name}[{index}] = {SCALARS[array.kind][0].format(f'x + (u64)({i} * 31 + {j})')}; {self.leave()} }}",
                extra, "}"]

    def moving(self):
        """*p++ = ..., up and down, several pointers."""
        array = self.array(PLAIN_SCALARS, 8)
        p, end = self.fresh("p"), self.fresh("e")
        length = self.number(2, array.length)
        up = f"{{ {array.kind} *{p} = {array.name}, *{end} = {array.name} + {length};"
        value = self.value(array.kind)
        return self.pick([
            [up, f"while ({p} != {end}) {{ *{p}++ = {value}; x++; }} }}"],
            [up, f"while ({p} < {end}) {{ *{p}++ = {value}; if {self.condition()} break; x = x * 3 + 5; }} (void){end}; }}"],
            [up, f"while ({end} != {p}) {{ *--{end} = {value}; x += 3; }} }}"],
            [up, f"do {{ *{p} = {value}; {p} += 1 + (x & 1); x = x * 7 + 1; }} while ({p} < {end}); }}"],
            [up, f"for (; {p} + 1 < {end}; {p} += 2) {{ {p}[0] = {value}; {self.safepoint()} {p}[1] = {value}; x += 9; }} }}"],
            [up, f"for (; {p} < {end}; {p}++, {end}--) {{ *{p} = {value}; {end}[-1] = {value}; x ^= x << 7; }} }}"],
        ])

    def lists(self):
        p = self.fresh("p")
        return self.pick([
            [f"for (node *{p} = list_head; {p}; {p} = {p}->next) {{ {p}->value += x; {self.leave()} }}"],
            [f"for (node *{p} = list_head; {p} && {p}->value != x; {p} = {p}->next) {{ {p}->other[x % 5] ^= (uint32_t)x; x++; }}"],
            [f"{{ node *{p} = list_head, *r = 0; while ({p}) {{ node *t = {p}->next; {p}->next = r; {p}->back = t; r = {p}; {p} = t; }} list_head = r; }}"],
            [f"{{ node *{p} = list_head; do {{ {p}->value = x; {p}->other[1]++; {self.safepoint()} {p} = {p}->next; x += 3; }} while ({p} && (x & 15)); }}"],
            [f"{{ node *{p} = malloc(sizeof(node)); if ({p}) {{ {p}->next = 0; {p}->value = x; {p}->back = list_head; {self.safepoint()} {p}->other[0] = {p}->other[4] = 9; extra_nodes += {p}->other[0]; }} }}"],
        ])

    def structs(self):
        a, b = f"mixes[x % {self.mixes}u]", f"mixes[(x >> 8) % {self.mixes}u]"
        fields = ["a = (uint8_t)x;", "b = (uint32_t)(x >> 3);", "c = 77;", "d = x * 3;", "e = (float)(x & 255);", "f = (double)(x & 4095);", "g = x & 31;",
                  "h = x >> 4 & 2047;", "i = x & 65535;", "j[3] = 5;", f"j[x % 7] = (uint8_t)(x >> 9);"]
        p = self.fresh("s")
        chosen = [self.pick(fields) for _ in range(self.number(2, 8))]
        lines = [f"{{ mixed *{p} = &{a};"]
        for field in chosen:
            store = f"{p}->{field}"
            lines.append(self.pick([store, store, store, f"if {self.condition()} {store}", f"{store} {self.safepoint()}", f"{store} x = x * 9 + 1;"]))
        return self.pick([lines + ["}"], lines + ["}"], [f"{a} = {b};"], [f"{a} = make_mixed(x);"], [f"take_mixed({a}, x);"],
                         [f"{a} = (mixed){{.d = x, .b = 3}};"], [f"{{ mixed t = {a}; t.d ^= x; t.h++; {a} = t; }}"],
                         [f"eithers[x % 9].half[x & 1] = (uint32_t)x; eithers[(x >> 5) % 9].bytes[x & 7]++;"]])

    def blocks(self):
        size, size2 = self.pick(self.sizes), self.pick(self.sizes)
        a = f"blocks{size}[x % 4u]"
        b = f"blocks{size}[(x >> 7) % 4u]"
        return self.pick([[f"{a} = {b};"], [f"{a} = make_block{size}(x);"], [f"take_block{size}({a}, x);"],
                          [f"{{ block{size} t = {a}; t.v[x % {size}u]++; {self.safepoint()} {b} = t; }}"],
                          [f"{a} = (block{size}){{{{1, 2}}}};"],
                          [f"memset(&{a}, (int)x, sizeof({a})); memcpy(&blocks{size2}[1], &blocks{size2}[2], sizeof(blocks{size2}[1]));"]])

    def copies(self):
        array = self.array(["uint8_t", "int8_t", "uint16_t", "uint32_t", "u64"], 16)
        size = f"sizeof({array.name})"
        most = self.number(1, array.length)
        bytes_ = self.pick([f"{most}", f"(x % {most} + 1)", f"(u64)(n < {most} ? n : {most})"])
        offset = self.number(0, array.length - most)
        at = f"(char *){array.name} + {self.pick([str(offset), f'x % {array.length - most + 1}u'])}"
        return self.pick([[f"memset({at}, (int)x, {bytes_});"], [f"memset({array.name}, {self.pick(['0', '(int)x'])}, {size});"],
                          [f"memmove({at}, {array.name}, {bytes_});"], [f"memmove({array.name}, {at}, {bytes_});"],
                          [f"memcpy({at}, source, {bytes_});"], [f"__builtin_memcpy_inline({at}, &source[0], {self.number(1, min(most, 512))});" if most > 1 else ";"],
                          [f"memcpy({array.name}, source, {size});"],
                          [f"strcpy((char *){array.name}, \"{'word' * self.number(0, 3)}\");"],
                          [f"{{ char *t = (char *){array.name}; memset(t, 1, {most}); {self.safepoint()} t[0] = (char)x; memset(t + {most - 1}, 2, 1); }}"]])

    def unaligned(self):
        p, kind = self.fresh("u"), self.pick(["odd16", "odd32", "odd64"])
        at = f"(raw + x % {self.raw - 80}u)"
        i = self.fresh("i")
        vector = self.pick(["loose4", "loose16", "loose8"])
        plain = {"loose4": "v4", "loose16": "v16", "loose8": "v8"}[vector]
        return self.pick([
            [f"(({kind} *){at})->v = (typeof((({kind} *)0)->v)){self.word()};"],
            [f"{{ packed *{p} = (packed *){at}; {p}->c = x; {self.safepoint()} {p}->b++; {p}->a = 3; {p}->d = (uint16_t)x; }}"],
            [f"*({vector} *){at} = {SCALARS[plain][0].format('x')};"],
            [f"for (int {i} = 0; {i} < {self.number(1, (self.raw - 80) // 8)}; {i}++) (({kind} *)(raw + {self.number(0, 7)}))[{i}].v = (typeof((({kind} *)0)->v))(x + (u64){i});"],
            [f"for (int {i} = 0; {i} < {self.number(1, self.raw // 16)}; {i}++) {{ ((packed *)(raw + 1))[{i}].c = x; ((packed *)(raw + 1))[{i}].a = (uint8_t){i}; }}"],
            [f"for (int {i} = 0; {i} < {self.number(1, self.raw // 70)}; {i}++) *({vector} *)(raw + {i} * {self.number(3, 65)} + 3) = {SCALARS[plain][0].format('x')};"],
        ])

    def switches(self):
        lines = [f"switch (x % {self.number(3, 9)}) {{"]
        for case in range(self.number(2, 8)):
            lines += [f"case {case}:"] + self.statement(1) + self.pick([["break;"], ["break;"], []])
        return lines + ["default: break; }"] + self.store()

    def branches(self):
        return ([f"if {self.condition()} {{"] + self.statement(1) + (["} else {"] + self.statement(1) if self.odds(0.6) else []) + ["}"] + self.store())

    def atomics(self):
        array = self.array(INTEGERS)
        item, kind = f"{array.name}[x % {array.length}u]", array.kind
        order = self.pick(["__ATOMIC_RELAXED", "__ATOMIC_SEQ_CST", "__ATOMIC_RELEASE"])
        return self.pick([
            [f"__atomic_store_n(&{item}, ({kind})x, {order});"], [f"x += __atomic_fetch_add(&{item}, ({kind})x, {order});"],
            [f"x ^= __atomic_exchange_n(&{item}, ({kind})x, {order});"], [f"__atomic_fetch_xor(&{item}, ({kind})(x >> 2), {order});"],
            [f"x += __atomic_fetch_nand(&{item}, ({kind})x, {order});"],
            [f"{{ {kind} want = {item}; if (x & 1) want++; x += __atomic_compare_exchange_n(&{item}, &want, ({kind})x, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED); }}"],
            [f"__atomic_compare_exchange_n(&{item}, &wanted_{kind}, ({kind})x, 1, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);"],
            ["shared_atomic++;"], ["shared_atomic ^= (int)(x & 0xff);"], ["shared_float = shared_float < 1000 ? shared_float + 1.5f : 0;"],
            [f"__sync_lock_test_and_set(&{item}, ({kind})5); __sync_lock_release(&{item});"]])

    def jumps(self):
        return self.pick([["x = jumper(x);"], ["x = deep_jumper(x, (int)(x % 5));"], ["x = interpret(x);"], [f"x = knot(x, (int)(x % {self.number(3, 40)}));"]])

    def stacks(self):
        array = self.array(PLAIN_SCALARS)
        v, p, i = self.fresh("v"), self.fresh("p"), self.fresh("i")
        kind = array.kind
        own = self.pick([f"{kind} {v}[x % 30 + 2];", f"{kind} {v}[32];", f"{kind} *{v} = __builtin_alloca(sizeof({kind}) * 32);"])
        fill = f"for (int {i} = 0; {i} < 2; {i}++) {v}[{i}] = {self.value(kind)};"
        return self.pick([
            [f"{{ {own} {fill} {kind} *{p} = {self.condition()} ? {v} : {array.name}; {p}[0] = {self.value(kind)}; {p}[1 % {array.length}] = {v}[1]; }}"],
            [f"{{ {own} {fill} {array.name}[{self.number(0, array.length - 1)}] = {v}[x & 1]; write_{kind.replace(' ', '_')}({v}, x); {array.name}[0] = {v}[0]; }}"],
            [f"{{ {kind} {v} = {self.value(kind)}; {kind} *{p} = &{v}; for (int {i} = 0; {i} < {array.length}; {i}++) {{ *{p} = {self.value(kind)}; {p} = {array.name} + {i}; }} *{p} = {v}; }}"],
            [f"write_{kind.replace(' ', '_')}({self.condition()} ? {array.name} : &{array.name}[{array.length - 1}], x);"],
        ])

    def assembly(self):
        array = self.array(["u64", "uint32_t"])
        item = f"{array.name}[x % {array.length}u]"
        suffix, modifier = ("q", "") if array.kind == "u64" else ("l", "k")
        other = self.array(["u64"])
        return self.pick([
            [f"__asm__ volatile(\"mov{suffix} %{modifier}1, %0\" : \"=m\"({item}) : \"r\"(x));"],
            [f"__asm__ volatile(\"inc{suffix} %0\" : \"+m\"({item}) : : \"cc\");"],
            [f"{{ u64 t; __asm__(\"xadd{suffix} %{modifier}0, %1\" : \"=r\"(t), \"+m\"({item}) : \"0\"(x) : \"cc\"); x += t & 255; }}"],
            [f"__asm__ volatile(\"movq %2, %0; movq %2, %1\" : \"=m\"({other.name}[0]), \"=m\"({other.name}[{other.length - 1}]) : \"r\"(x) : \"memory\");"],
            [f"{{ void *d = raw + x % {self.raw - 80}u; long c = {self.number(1, 64)}; __asm__ volatile(\"rep stosb\" : \"+D\"(d), \"+c\"(c), \"=m\"(*(char(*)[{64}])d) : \"a\"((int)x)); }}"
             if self.odds(0.5) else f"__asm__ volatile(\"mov{suffix} %{modifier}1, %0\" : \"=m\"({item}) : \"r\"(x) : \"memory\");"],
        ])

    def vectors(self):
        """Intrinsics of SSE, and of AVX2 and AVX-512 where they are compiled for."""
        at = f"(raw + x % {self.raw - 80}u)"
        return self.pick([
            [f"_mm_storeu_si128((void *){at}, _mm_set1_epi32((int)x));"],
            [f"_mm_stream_si128((__m128i *)wide + x % 30, _mm_set1_epi32((int)x));"],
            [f"_mm_stream_si32((int *)wide + x % 100, (int)x);"],
            [f"_mm_maskmoveu_si128(_mm_set1_epi8((char)x), _mm_set1_epi8((char)(x >> 3)), (char *){at});"],
            [f"_mm_storel_epi64((void *){at}, _mm_set1_epi32((int)x)); _mm_storeh_pi((void *){at}, _mm_set1_ps(3));"],
            [f"control[x & 7] = _mm_getcsr();"],
            ["\n#ifdef __AVX2__\n", f"_mm256_maskstore_epi32((int *)wide + x % 100, _mm256_set1_epi64x((long)x), _mm256_set1_epi32((int)x));", "\n#endif\n"],
            ["\n#ifdef __AVX2__\n", f"_mm256_stream_si256((__m256i *)wide + x % 15, _mm256_set1_epi64x((long)x));", "\n#endif\n"],
["\n#ifdef __AVX512F__\n", f"_mm512_mask_compressstoreu_epi32((int *)wide + x % 100, (__mmask16)x, _mm512_set1_epi32((int)x));", "\n#endif\n"],
            ["\n#ifdef __AVX512F__\n", f"_mm512_mask_storeu_epi64((char *)raw + x % {self.raw - 80}u, (__mmask8)x, _mm512_set1_epi64((long)x));", "\n#endif\n"],
        ])

    def variadic(self):
        count = self.number(0, 9)
        arguments = "".join(f", {self.pick(['(u64)x', 'x * 3', 'x ^ 99'])}" for _ in range(count))
        return [f"spread({count}{arguments});"]

    def odd_loops(self):
        """Irreducible ones, and ones that only gotos make."""
        array = self.array(PLAIN_SCALARS, 4)
        a, b, i = self.fresh("la"), self.fresh("lb"), self.fresh("i")
        return [f"{{ unsigned {i} = 0; if {self.condition()} goto {b};",
                f"{a}: {array.name}[{i} % {array.length}u] = {self.value(array.kind)}; {self.safepoint()}",
                f"{b}: x += 3; {array.name}[({i} + 1) % {array.length}u] = {self.value(array.kind)};",
                f"if (++{i} < {self.number(2, 60)}) goto {a}; }}"]

    def threads(self):
        return [self.pick(["local_word = x;", "local_words[x % 5] += x;", "{ u64 *t = &local_word; *t ^= x; t = local_words; t[3] = x; }",
                           f"for (int t = 0; t < 5; t++) {{ local_words[t] += x; {self.safepoint()} }}"])]

    def call(self):
        callable_ = [f for f in self.functions]
        if not callable_ or self.odds(0.2):
            return self.pick(["marks_safepoint();", "SYSTEM_CALL();"])
        return self.call_of(self.pick(callable_))

    def call_of(self, function):
        name, parameters = function
        arguments = []
        for kind, reach in parameters:
            array = self.pick([a for a in self.arrays if a.kind == kind and a.length >= reach])
            offset = self.number(0, array.length - reach)
            arguments.append(f"{array.name} + {offset}" if offset or self.odds(0.5) else array.name)
        arguments += [self.pick(["n / 2", "n", str(self.number(0, 30)), f"(long)(x % {self.number(1, 60)})"]), self.word()]
        way = f"table_{name}[x & 1]" if self.odds(0.2) and f"table_{name}" in self.globals else name
        return f"x ^= {way}({', '.join(arguments)});"

    def calls(self):
        return [self.call()]

    STATEMENTS = [
        (store, 4), (update, 4), (near, 16), (loop, 14), (plain_loop, 10), (nested, 4), (moving, 8), (lists, 4), (structs, 8), (blocks, 5),
        (copies, 6), (unaligned, 7), (switches, 3), (branches, 8), (atomics, 4), (jumps, 2), (stacks, 5), (assembly, 3), (vectors, 4),
        (variadic, 2), (odd_loops, 3), (threads, 3), (calls, 6),
    ]

    def statement(self, depth=0):
        kinds = [(s, w) for s, w in self.STATEMENTS if depth < 1 or s.__name__ not in ("switches", "branches", "nested")]
        chosen = self.random.choices([s for s, _ in kinds], [w for _, w in kinds])[0]
        lines = chosen(self)
        if self.odds(0.25):
            lines.append("x = x * 6364136223846793005u + 1;")
        if self.odds(0.12):
            lines.append(self.safepoint())
        return lines

    # ---- the whole ----

    def make_arrays(self):
        kinds = PLAIN_SCALARS + INTEGERS + [self.pick(list(SCALARS)) for _ in range(self.number(3, 9))]
        for kind in kinds:
            length = self.pick([self.number(36, 64), self.number(64, 300), 256, self.number(300, 900)])
            if kind not in PLAIN_SCALARS:
                length = self.number(12, 60)
            name = self.fresh("g")
            align = self.pick(["", "", "", "_Alignas(64) ", "_Alignas(256) "])
            linkage = self.pick(["static ", "", "static "])
            volatile = "volatile " if self.odds(0.0) else ""
            self.texts.append(f"{linkage}{align}{volatile}{kind} {name}[{length}];")
            self.arrays.append(Array(name, kind, length))

    def make_blocks(self):
        self.sizes = sorted(self.random.sample([1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65, 96, 100, 127, 128, 129, 160, 200, 255, 256, 257, 400, 520], 4))
        for size in self.sizes:
            self.texts += [f"typedef struct {{ uint8_t v[{size}]; }} block{size};", f"static block{size} blocks{size}[4];",
                           f"NOINLINE static block{size} make_block{size}(u64 x) {{ block{size} b = blocks{size}[x & 3]; b.v[x % {size}u] = (uint8_t)(x >> 5); return b; }}",
                           f"NOINLINE static void take_block{size}(block{size} b, u64 x) {{ b.v[0] ^= (uint8_t)x; {self.safepoint()} blocks{size}[x >> 3 & 3] = b; }}"]

    def make_helpers(self):
        self.raw, self.mixes = self.number(200, 2000), self.number(3, 20)
        self.texts += [
            f"static uint8_t raw[{self.raw}], source[8192 * 2];", f"static mixed mixes[{self.mixes}]; static either eithers[9];",
            "static _Alignas(64) uint32_t wide[128]; static uint32_t control[8];", "static node nodes[40], *list_head; static u64 extra_nodes;",
            "static _Atomic int shared_atomic; static _Atomic float shared_float;", "static __thread u64 local_word = 5, local_words[5];",
            "static jump place; static u64 jumped[70]; static va_list kept; static u64 spread_to[10];",
        ]
        self.texts += [f"static {kind} wanted_{kind};" for kind in INTEGERS]
        for kind in PLAIN_SCALARS:
            self.texts.append(f"NOINLINE static void write_{kind.replace(' ', '_')}({kind} *p, u64 x) {{ *p = {SCALARS[kind][0].format('x * 3')}; {self.safepoint()} }}")
        self.texts += [
            "NOINLINE static mixed make_mixed(u64 x) { mixed m = {0}; m.d = x; m.b = (uint32_t)x; m.j[x % 7] = 1; return m; }",
            f"NOINLINE static void take_mixed(mixed m, u64 x) {{ m.d += x; {self.safepoint()} mixes[x % {self.mixes}u] = m; m.c++; mixes[1] = m; }}",
            f"NOINLINE static u64 jumper(u64 x) {{ volatile u64 y = x; jumped[0] = x; if (setjmp(place)) {{ jumped[x % 70] ^= y; return y * 3; }} jumped[1] = x + 1; {self.safepoint()} jumped[2 + x % 9] = 5; if (y & 3) longjmp(place, 1); jumped[9]++; return y; }}",
            "NOINLINE static void jump_from(u64 x, int depth) { jumped[20 + depth] = x; if (depth) jump_from(x * 3, depth - 1); else { jumped[40] ^= x; longjmp(place, 2); } jumped[50]++; }",
            "NOINLINE static u64 deep_jumper(u64 x, int depth) { if (!setjmp(place)) { jumped[60] = x; jump_from(x, depth); } jumped[61]++; return x + 1; }",
            "NOINLINE static u64 interpret(u64 x) { static const void *const go[] = {&&a, &&b, &&c, &&d}; int n = 0;"
            f" a: jumped[n & 31] = x; x = x * 5 + 1; if (n++ > 40) return x; goto *go[x >> 7 & 3]; b: jumped[30 + (n & 7)] ^= x; {self.safepoint()} x += 7; if (n++ > 40) return x; goto *go[x >> 9 & 3];"
            " c: jumped[5]++; n++; goto *go[x >> (n & 15) & 1]; d: jumped[66] = x; x ^= x >> 9; if (n++ > 40) return x; goto *go[n & 1]; }",
            "NOINLINE static u64 knot(u64 x, int depth) { jumped[depth] += x; if (depth == 0) return x; return knot(x * 3 + 1, depth - 1); }",
            "NOINLINE static void spread(int count, ...) { va_list list; va_start(kept, count); va_start(list, count);"
            f" for (int i = 0; i < count; i++) {{ spread_to[i] = va_arg(list, u64); {self.safepoint()} spread_to[9] ^= va_arg(kept, u64) + 1; }} va_end(list); va_end(kept); }}",
        ]

    def make_function(self, index):
        parameters = []
        for _ in range(self.number(0, 3)):
            kind = self.pick(PLAIN_SCALARS)
            longest = max(a.length for a in self.arrays if a.kind == kind)
            parameters.append((kind, self.number(12, max(12, min(longest, 200)))))
        name = f"f{index}"
        kept = list(self.arrays)
        names = []
        for kind, reach in parameters:
            pointer = self.fresh("q")
            names.append(f"{kind} *{pointer}")
            for _ in range(4): # likelier than the globals
                self.arrays.append(Array(pointer, kind, reach))
        body = []
        self.density = self.pick([0.05, 0.35, 0.8])
        for _ in range(self.number(2, 8)):
            body += self.statement()
        self.arrays = kept
        linkage = self.pick(["static ", "NOINLINE static ", "NOINLINE ", ""])
        head = f"{linkage}u64 {name}({', '.join(names + ['long n', 'u64 x'])})"
        if self.odds(0.2) and self.functions:
            body.append(self.call())
        end = "return x;"
        if self.odds(0.15) and self.odds(0.5) and not linkage.count("NOINLINE") and self.functions:
            end = f"return {self.call_of(self.pick(self.functions))[5:]}"
        self.texts += [f"{head}\n{{", "    if (--fuel < 0) return x;"] + ["    " + line if not line.startswith("\n") else line.strip("\n") for line in body if line] + [f"    {end}", "}"]
        self.functions.append((name, parameters))
        if self.odds(0.3):
            types = ", ".join([f"{kind} *" for kind, _ in parameters] + ["long", "u64"])
            self.texts.append(f"static u64 (*table_{name}[2])({types}) = {{{name}, {name}}};")
            self.globals.append(f"table_{name}")

    def make_main(self):
        lines = ["int main(void)", "{", "    u64 x = 88172645463325252u; long n = 37;", "    for (int i = 0; i < (int)sizeof(source); i++) source[i] = (uint8_t)(i * 7 + 1);",
                 "    for (int i = 0; i < 39; i++) { nodes[i].next = &nodes[i + 1]; nodes[i].value = (u64)i; } list_head = nodes;"]
        for _ in range(self.number(2, 4)):
            for function in self.functions:
                if self.odds(0.8):
                    lines += [f"    n = {self.pick([0, 1, 2, 31, 64, 65, 100, 300, 1000])};", "    " + self.call_of(function), "    marks_safepoint();" if self.odds(0.5) else ""]
        lines += ["    marks_value(x);"] + [f"    for (int i = 0; i < {a.length}; i++) marks_value({self.as_word(a.kind, f'{a.name}[i]')});" for a in self.arrays]
        lines += [f"    for (int i = 0; i < {self.raw}; i++) marks_value(raw[i]);", f"    for (int i = 0; i < {self.mixes}; i++) {{ mixed *m = &mixes[i];"
                  " marks_value(m->a); marks_value(m->b); marks_value(m->c); marks_value(m->d); marks_value((u64)m->e); marks_value((u64)m->f); marks_value(m->g);"
                  " marks_value(m->h); marks_value(m->i); for (int k = 0; k < 7; k++) marks_value(m->j[k]); }",
                  "    for (int i = 0; i < 40; i++) marks_value(nodes[i].value ^ nodes[i].other[1] ^ (nodes[i].next ? (u64)(nodes[i].next - nodes) : 99));",
                  "    for (int i = 0; i < 70; i++) marks_value(jumped[i]);", "    for (int i = 0; i < 10; i++) marks_value(spread_to[i]);",
                  "    for (int i = 0; i < 9; i++) marks_value(eithers[i].whole);", "    marks_value((u64)shared_atomic + (u64)shared_float + local_word + local_words[2]);"]
        lines += [f"    for (int i = 0; i < 4; i++) for (int k = 0; k < {size}; k++) marks_value(blocks{size}[i].v[k]);" for size in self.sizes]
        self.texts += [line for line in lines if line] + ["    return 0;", "}"]

    def text(self):
        self.make_arrays()
        self.make_blocks()
        self.make_helpers()
        for index in range(self.number(3, 9)):
            self.make_function(index)
        self.make_main()
        includes = "#include <immintrin.h>\n"
        return "#define FUEL 400\n" + includes + PREAMBLE + "\n".join(self.texts) + "\n"


def program(seed):
    return Program(seed).text()


if __name__ == "__main__":
    import sys
    sys.stdout.write(program(int(sys.argv[1])))
