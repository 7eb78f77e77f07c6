/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which marks a function needs: stores share them.
 *
 * A mark has to come behind its store and before the next safepoint.  So stores at constant
 * distances from each other, all within a page's length, are one group, marked once behind the last
 * of them: the first byte, and if the group is longer than what that mark covers, the last.
 *
 * A group may also wait for groups of later blocks: where a way on from its block comes, before any
 * safepoint, by a group at a constant distance, that one is widened.  Of the ways on a few may have
 * no such group: these get a mark of their own, where they leave the others.  If all ways are
 * served this one needs no mark.  Ways that go back in the function (loops) end a group: distances
 * compare values of one turn.
 */
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/IR/BasicBlock.h>
#include <llvm/IR/DataLayout.h>

#include <deque>
#include <functional>

namespace optmig
{

/* Memory that one instruction writes. */
struct Write {
    llvm::Instruction *after; /* marks come behind it */
    llvm::Value *pointer;
    uint64_t size; /* bytes */
};

class Groups
{
  public:
    Groups(llvm::ScalarEvolution &evolution, const llvm::DataLayout &layout)
        : evolution(evolution), layout(layout)
    {
    }

    /* Blocks come successors first (post-order); in a block all in program order. */
    void beginBlock();
    void write(const Write &write);
    void safepoint();
    /* `leaves`: the block's end is a safepoint itself, or leads where the pass cannot see. */
    void endBlock(llvm::BasicBlock &block, bool leaves);

    /* Says where marks are needed: of the byte at `offset` from `base`, before `before`.  It makes
     * blocks for marks between two blocks. */
    using Mark = std::function<void(llvm::Instruction *before, llvm::Value *base, int64_t offset)>;
    void emit(const Mark &mark);

    unsigned shared = 0,
             later = 0; /* marks saved: by a group's others, by groups of later blocks */

  private:
    struct Edge {
        llvm::BasicBlock *from, *to;
    };
    struct Group;
    /* One that takes another's bytes, and how far its base is from the other's. */
    using Taker = std::pair<Group *, int64_t>;
    struct Group {
        llvm::Value *base;
        int64_t low, high;        /* bytes from base, [low, high) */
        llvm::Instruction *after; /* its mark comes behind this, or, if nullptr, on `edge` */
        Edge edge;
        /* Not empty: no mark comes here, those of later blocks stand for it.  They have no `there`
         * themselves. */
        llvm::SmallVector<Taker, 2> there;
        llvm::SmallVector<Edge, 2> bare; /* ways that would need a mark besides */
    };
    using List = llvm::SmallVector<Group *, 8>;
    struct Place { /* an address, as another and a distance */
        llvm::Value *base;
        int64_t offset;
    };

    bool distance(llvm::Value *pointer, llvm::Value *base, int64_t &out);
    bool join(Group &group, const Write &write);
    static bool mayWiden(const Group &group, int64_t low, int64_t high, unsigned more);
    static void widen(Group &group, int64_t low, int64_t high);
    Place before(llvm::Value *pointer, llvm::BasicBlock *from, llvm::BasicBlock *to);
    Group *find(llvm::Value *base, Edge edge, int64_t &out_distance);
    static void addTakers(Group &to, const Group &from, int64_t distance);
    bool leaveToOthers(Group &group, llvm::BasicBlock &block,
                       llvm::ArrayRef<llvm::BasicBlock *> next, unsigned more);
    static bool isKnown(const List &entry, const Group &taker);
    bool passes(Group &through, llvm::BasicBlock &block, llvm::ArrayRef<llvm::BasicBlock *> next);
    llvm::Instruction *onEdge(Edge edge);
    Place markOf(const Group &group);
    void passThrough(llvm::BasicBlock &block, llvm::ArrayRef<llvm::BasicBlock *> next, List &entry);

    llvm::ScalarEvolution &evolution;
    const llvm::DataLayout &layout;
    std::deque<Group> groups; /* does not move them */
    List current;             /* since the last safepoint, or the block's beginning */
    List first;               /* those before the block's first safepoint */
    bool has_safepoint = false;
    llvm::DenseMap<const llvm::BasicBlock *, List>
        expected; /* groups to come before any safepoint */
    llvm::DenseMap<std::pair<llvm::BasicBlock *, llvm::BasicBlock *>, llvm::BasicBlock *>
        between; /* blocks made for marks */
};

} // namespace optmig
