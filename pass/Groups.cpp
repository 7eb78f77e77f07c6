/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of stores that share marks; what they are stands in Groups.h, why the order holds in
 * docs/barrier.md. */
#include "pass/Groups.h"

#include <llvm/ADT/StringSwitch.h>
#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/CFG.h>

#include "boundary/card.h"

using namespace llvm;

namespace optmig
{

enum {
    MALLOC_ALIGN = 16,
    PAGE = 1 << CARD_SHIFT,
    MOST_EXPECTED = 16 /* groups of a block: time of compilation */
};

/* How far `pointer` is from `base`, if that is a constant. */
bool Groups::distance(Value *pointer, Value *base, int64_t &out)
{
    if (pointer == base) {
        out = 0;
        return true;
    }
    const auto *difference = dyn_cast<SCEVConstant>(
        evolution.getMinusSCEV(evolution.getSCEV(pointer), evolution.getSCEV(base)));

    if (difference)
        out = difference->getAPInt().getSExtValue();
    return difference != nullptr;
}

/* One, if no page ends between the first byte and the last. */
unsigned Groups::marksOf(const Group &group, int64_t low, int64_t high)
{
    int64_t align = (int64_t)std::min<uint64_t>(group.align, PAGE);

    return low + 1 == high || (low & -align) == ((high - 1) & -align) ? 1 : 2;
}

/* Does it stay within a page's length, at no more than `more` marks more? */
bool Groups::mayWiden(const Group &group, int64_t low, int64_t high, unsigned more)
{
    if (!group.after)
        return all_of(group.there, [&](const std::pair<Group *, int64_t> &other) {
            return mayWiden(*other.first, low - other.second, high - other.second, more);
        });
    low = std::min(low, group.low);
    high = std::max(high, group.high);
    return high - low <= PAGE &&
           marksOf(group, low, high) <= marksOf(group, group.low, group.high) + more;
}

void Groups::widen(Group &group, int64_t low, int64_t high)
{
    group.low = std::min(low, group.low);
    group.high = std::max(high, group.high);
    for (auto &other : group.there)
        widen(*other.first, low - other.second, high - other.second);
}

/* A store whose alignment tells more of the base's than is known yet. */
static uint64_t alignOfBase(uint64_t align, int64_t distance)
{
    return distance ? std::min<uint64_t>(align, 1ULL << countTrailingZeros((uint64_t)distance))
                    : align;
}

/* What its distance from the object that it points into tells.  malloc's objects are as aligned as
 * any type needs (or small, and then no group is longer). */
uint64_t Groups::alignFromObject(Value *pointer)
{
    Value *object = getUnderlyingObject(pointer, 0);
    const auto *call = dyn_cast<CallBase>(object);
    const Function *callee = call ? call->getCalledFunction() : nullptr;
    const SCEV *address = evolution.getSCEV(pointer);
    unsigned most = CARD_SHIFT;

    if (callee && StringSwitch<bool>(callee->getName())
                      .Cases("malloc", "calloc", "realloc", true)
                      .Default(false)) {
        address = evolution.getMinusSCEV(address, evolution.getSCEV(object));
        most = countTrailingZeros((uint64_t)MALLOC_ALIGN);
    }
    if (isa<SCEVCouldNotCompute>(address))
        return 1;
    return 1ULL << std::min<unsigned>(evolution.GetMinTrailingZeros(address), most);
}

bool Groups::join(Group &group, const Write &write)
{
    int64_t low, high;

    if (!distance(write.pointer, group.base, low))
        return false;
    high = low + (int64_t)write.size;
    if (std::max(high, group.high) - std::min(low, group.low) > PAGE)
        return false;
    group.align = std::max(group.align, alignOfBase(write.align, low));
    widen(group, low, high);
    group.after = write.after;
    shared++;
    return true;
}

void Groups::beginBlock()
{
    current.clear();
    first.clear();
    has_safepoint = false;
}

void Groups::write(const Write &write)
{
    for (Group *group : current)
        if (join(*group, write))
            return;
    uint64_t align = std::max(write.align, write.pointer->getPointerAlignment(layout).value());

    align = std::max(align, alignFromObject(write.pointer));
    groups.push_back({write.pointer, 0, (int64_t)write.size, align, write.after, false, {}});
    current.push_back(&groups.back());
}

void Groups::safepoint()
{
    if (!has_safepoint)
        first = current;
    has_safepoint = true;
    current.clear();
}

Groups::Group *Groups::find(const List &among, Value *base, int64_t &out_distance)
{
    for (Group *group : among)
        if (distance(group->base, base, out_distance))
            return group;
    return nullptr;
}

/* Each block that follows has a group that can take this one's bytes too. */
bool Groups::leaveToOthers(Group &group, ArrayRef<BasicBlock *> next, unsigned more)
{
    SmallVector<std::pair<Group *, int64_t>, 2> others;

    for (BasicBlock *block : next) {
        int64_t far;
        Group *other = find(expected[block], group.base, far);

        if (!other || !mayWiden(*other, group.low - far, group.high - far, more))
            return false;
        others.push_back({other, far});
    }
    for (auto &other : others)
        widen(*other.first, group.low - other.second, group.high - other.second);
    group.needless = true;
    later++;
    return true;
}

/* What all blocks that follow are going to mark is also to come for who comes to this one, which
 * has no safepoint. */
void Groups::passThrough(ArrayRef<BasicBlock *> next, List &entry)
{
    for (Group *group : expected[next.front()]) {
        Group through = {group->base, 0, 0, 1, nullptr, true, {}};

        if (entry.size() >= MOST_EXPECTED)
            return;
        for (BasicBlock *block : next) {
            int64_t far;
            Group *other = find(expected[block], group->base, far);

            if (!other)
                break;
            through.there.push_back({other, far});
        }
        if (through.there.size() != next.size())
            continue;
        groups.push_back(through);
        entry.push_back(&groups.back());
    }
}

void Groups::endBlock(BasicBlock &block, bool leaves)
{
    SmallVector<BasicBlock *, 4> next;
    bool ends = leaves || succ_empty(&block);

    for (BasicBlock *successor : successors(&block)) {
        ends |= !expected.count(successor); /* a way back */
        if (!is_contained(next, successor))
            next.push_back(successor);
    }
    if (!ends) {
        /* Where the way is the only one in both directions, no way gets dearer by a mark more. */
        unsigned more = next.size() == 1 && next[0]->getSinglePredecessor() ? 1 : 0;

        for (Group *group : current)
            leaveToOthers(*group, next, more);
    }
    List entry;
    for (Group *group : has_safepoint ? first : current)
        if (!group->needless && entry.size() < MOST_EXPECTED)
            entry.push_back(group);
    if (!ends && !has_safepoint)
        passThrough(next, entry);
    expected[&block] = entry;
}

void Groups::emit(const Mark &mark)
{
    for (const Group &group : groups) {
        if (group.needless)
            continue;
        /* Each comes right behind the store, so the last one comes first. */
        if (marksOf(group, group.low, group.high) > 1)
            mark(group.after, group.base, group.high - 1);
        for (int64_t at = group.low + PAGE; at < group.high - 1; at += PAGE) /* one long store */
            mark(group.after, group.base, at);
        mark(group.after, group.base, group.low);
    }
}

} // namespace optmig
