/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which marks a function needs: stores share them.
 *
 * A mark has to come behind its store and before the next safepoint.  So stores at constant
 * distances from each other, all within a page's length, are one group, marked once behind the last
 * of them: the first byte and the last, or one of them if the alignment tells that both lie in one
 * page.
 *
 * A group may also wait for a group of a later block: if each way on from its block comes, before
 * any safepoint, by a group at a constant distance, then that one is widened, and this one needs no
 * mark.  Ways that go back in the function (loops) end a group: distances compare values of one
 * turn.
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
    uint64_t size;  /* bytes */
    uint64_t align; /* of the pointer, known */
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

    /* Says where marks are needed: of the bytes at `offset` from `base`, behind `after`. */
    using Mark = std::function<void(llvm::Instruction *after, llvm::Value *base, int64_t offset)>;
    void emit(const Mark &mark);

    unsigned shared = 0,
             later = 0; /* marks saved: by a group's others, by groups of later blocks */

  private:
    struct Group {
        llvm::Value *base;
        int64_t low, high; /* bytes from base, [low, high) */
        uint64_t align;    /* of base */
        llvm::Instruction
            *after; /* nullptr: it stands for `there`, groups of the blocks that follow */
        bool needless;
        llvm::SmallVector<std::pair<Group *, int64_t>, 2>
            there; /* and how far their bases are from here */
    };
    using List = llvm::SmallVector<Group *, 8>;

    bool distance(llvm::Value *pointer, llvm::Value *base, int64_t &out);
    uint64_t alignFromObject(llvm::Value *pointer);
    bool join(Group &group, const Write &write);
    static unsigned marksOf(const Group &group, int64_t low, int64_t high);
    static bool mayWiden(const Group &group, int64_t low, int64_t high, unsigned more);
    static void widen(Group &group, int64_t low, int64_t high);
    Group *find(const List &groups, llvm::Value *base, int64_t &out_distance);
    bool leaveToOthers(Group &group, llvm::ArrayRef<llvm::BasicBlock *> next, unsigned more);
    void passThrough(llvm::ArrayRef<llvm::BasicBlock *> next, List &entry);

    llvm::ScalarEvolution &evolution;
    const llvm::DataLayout &layout;
    std::deque<Group> groups; /* does not move them */
    List current;             /* since the last safepoint, or the block's beginning */
    List first;               /* those before the block's first safepoint */
    bool has_safepoint = false;
    llvm::DenseMap<const llvm::BasicBlock *, List>
        expected; /* groups to come before any safepoint */
};

} // namespace optmig
