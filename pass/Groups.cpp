/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of stores that share marks; what they are stands in Groups.h, why the order holds in
 * docs/barrier.md. */
#include "pass/Groups.h"

#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/IR/CFG.h>

#include "boundary/card.h"
#include "pass/Strips.h"

using namespace llvm;

namespace optmig
{

enum {
    PAGE = 1 << CARD_SHIFT,
    PART = CARD_HEAD / 2,
    MOST_EXPECTED = 16, /* groups of a block: time of compilation */
    MOST_TAKERS = 16,
    MOST_BARE = 2, /* marks on other ways, for one that is saved: size of code */
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

/* One, if what may lie behind a page's end is the next one's head (card.h). */
static unsigned marksOf(int64_t low, int64_t high)
{
    return high - low <= CARD_HEAD + 1 ? 1 : 2;
}

/* Does it stay within a page's length, at no more than `more` marks more? */
bool Groups::mayWiden(const Group &group, int64_t low, int64_t high, unsigned more)
{
    if (!group.there.empty())
        return all_of(group.there, [&](const Taker &taker) {
            return mayWiden(*taker.first, low - taker.second, high - taker.second, more);
        });
    low = std::min(low, group.low);
    high = std::max(high, group.high);
    return high - low <= PAGE && marksOf(low, high) <= marksOf(group.low, group.high) + more;
}

void Groups::widen(Group &group, int64_t low, int64_t high)
{
    group.low = std::min(low, group.low);
    group.high = std::max(high, group.high);
}

bool Groups::join(Group &group, const Write &write)
{
    int64_t low, high;

    if (!distance(write.pointer, group.base, low))
        return false;
    high = low + (int64_t)write.size;
    if (std::max(high, group.high) - std::min(low, group.low) > PAGE)
        return false;
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
    groups.push_back({write.pointer, 0, (int64_t)write.size, write.after, {}, {}, {}});
    current.push_back(&groups.back());
}

void Groups::safepoint()
{
    if (!has_safepoint)
        first = current;
    has_safepoint = true;
    current.clear();
}

/* What the pointer was on the way into its block `to`. */
Groups::Place Groups::before(Value *pointer, BasicBlock *from, BasicBlock *to)
{
    APInt offset(layout.getIndexTypeSizeInBits(pointer->getType()), 0);
    Value *base = pointer->stripAndAccumulateConstantOffsets(layout, offset, true);
    auto *variable = dyn_cast<PHINode>(base);

    if (!variable || variable->getParent() != to)
        return {pointer, 0};
    return {variable->getIncomingValueForBlock(from), offset.getSExtValue()};
}

/* A group that is to come on this way, at a constant distance. */
Groups::Group *Groups::find(Value *base, Edge edge, int64_t &out_distance)
{
    bool only = edge.to->getSinglePredecessor() == edge.from;

    for (Group *group : expected[edge.to]) {
        Place place = before(group->base, edge.from, edge.to);

        /* A mark on a bare way needs a base that is known there. */
        if ((only || group->bare.empty()) && distance(place.base, base, out_distance)) {
            out_distance += place.offset;
            return group;
        }
    }
    return nullptr;
}

/* `from`, or those who stand for it, at this distance from `to`. */
void Groups::addTakers(Group &to, const Group &from, int64_t distance)
{
    if (from.there.empty())
        to.there.push_back({const_cast<Group *>(&from), distance});
    for (const Taker &taker : from.there)
        if (!is_contained(to.there, Taker(taker.first, taker.second + distance)))
            to.there.push_back({taker.first, taker.second + distance});
    to.bare.append(from.bare.begin(), from.bare.end());
}

/* Each way on from the block is served, by others that take this group's bytes too or by a mark. */
bool Groups::leaveToOthers(Group &group, BasicBlock &block, ArrayRef<BasicBlock *> next,
                           unsigned more)
{
    Group left = group;

    for (BasicBlock *to : next) {
        int64_t far;
        Group *other = find(group.base, {&block, to}, far);

        if (other && mayWiden(*other, group.low - far, group.high - far, more))
            addTakers(left, *other, far);
        else
            left.bare.push_back({&block, to});
    }
    if (left.there.empty() || left.there.size() > MOST_TAKERS || left.bare.size() > MOST_BARE ||
        (!left.bare.empty() && !isa<BranchInst>(block.getTerminator())))
        return false;
    for (const Taker &taker : left.there)
        widen(*taker.first, group.low - taker.second, group.high - taker.second);
    for (const Edge &edge : left.bare) {
        groups.push_back({group.base, group.low, group.high, nullptr, edge, {}, {}});
        left.there.push_back({&groups.back(), 0});
    }
    group.there = left.there;
    later++;
    return true;
}

/* Where do the ways on from the block come by what `through`, which is at its base, would leave? */
bool Groups::passes(Group &through, BasicBlock &block, ArrayRef<BasicBlock *> next)
{
    for (BasicBlock *to : next) {
        int64_t far;

        if (Group *other = find(through.base, {&block, to}, far))
            addTakers(through, *other, far);
        else
            through.bare.push_back({&block, to});
    }
    return !through.there.empty() && through.there.size() <= MOST_TAKERS &&
           through.bare.size() <= MOST_BARE &&
           (through.bare.empty() || isa<BranchInst>(block.getTerminator()));
}

bool Groups::isKnown(const List &entry, const Group &taker)
{
    return any_of(entry, [&](const Group *group) {
        return group == &taker ||
               any_of(group->there, [&](const Taker &other) { return other.first == &taker; });
    });
}

/* What blocks that follow are going to mark is also to come for who comes to this one, which has no
 * safepoint. */
void Groups::passThrough(BasicBlock &block, ArrayRef<BasicBlock *> next, List &entry)
{
    for (BasicBlock *to : next)
        for (Group *group : expected[to]) {
            Group through = {before(group->base, &block, to).base, 0, 0, nullptr, {}, {}, {}};

            if (entry.size() >= MOST_EXPECTED)
                return;
            if (!passes(through, block, next) || isKnown(entry, *through.there.front().first))
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
            leaveToOthers(*group, block, next, more);
    }
    List entry;
    for (Group *group : has_safepoint ? first : current)
        if (entry.size() < MOST_EXPECTED)
            entry.push_back(group);
    if (!ends && !has_safepoint)
        passThrough(block, next, entry);
    expected[&block] = entry;
}

/* Where a mark can stand that only this way comes by. */
Instruction *Groups::onEdge(Edge edge)
{
    BasicBlock *&block = between[{edge.from, edge.to}];

    if (!block) {
        auto *branch = cast<BranchInst>(edge.from->getTerminator());

        block = splitEdge(branch, branch->getSuccessor(0) == edge.to ? 0 : 1, "optmig.aside");
        BranchInst::Create(edge.to, block)->setDebugLoc(branch->getDebugLoc());
    }
    return block->getTerminator();
}

/* Where the group's first mark points.  The object's beginning, if that card speaks of the whole
 * group too, else the beginning of a part of it: marks of one object then share page numbers. */
Groups::Place Groups::markOf(const Group &group)
{
    APInt offset(layout.getIndexTypeSizeInBits(group.base->getType()), 0);
    Value *root = group.base->stripAndAccumulateConstantOffsets(layout, offset, true);
    int64_t low = group.low + offset.getSExtValue(), high = group.high + offset.getSExtValue();
    int64_t part = marksOf(0, high) == 1 ? 0 : low - low % PART;

    if (low >= 0 && marksOf(part, high) == 1)
        return {root, part};
    return {group.base, group.low};
}

void Groups::emit(const Mark &mark)
{
    for (const Group &group : groups) {
        if (!group.there.empty())
            continue;
        Instruction *before = group.after ? group.after->getNextNode() : onEdge(group.edge);
        Place first = markOf(group);

        mark(before, first.base, first.offset);
        for (int64_t at = group.low + PAGE; at < group.high - 1; at += PAGE) /* one long store */
            mark(before, group.base, at);
        if (marksOf(group.low, group.high) > 1)
            mark(before, group.base, group.high - 1);
    }
}

} // namespace optmig
