/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counted loops without marks and polls in them.  Such a loop runs in strips of a bounded number of
 * turns.  Behind each strip one loop marks all the cards that the strip's stores to consecutive
 * addresses have touched, then comes the poll, then the next strip:
 *
 *     for (i = a; i != b; i++) p[i] = x;
 *
 *     left = b - a - 1
 *     next:  limit = i + min(left, STRIP - 1)
 *     body:  p[i] = x; if (i++ != limit) goto body
 *            mark p[of the strip]
 *            if (left < STRIP) goto out
 *            left -= STRIP; poll; goto next
 *
 * The loop's own comparison is replaced, so that a turn costs what it did without the pass.  Loops
 * of few turns need no poll: they are marked when they end.
 *
 * Why no safepoint can come between a store and its mark: the loop has none inside, and the marks
 * stand behind each place where it is left.
 */
#pragma once

#include <llvm/ADT/DenseSet.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/IR/IRBuilder.h>

#include <functional>
#include <vector>

namespace optmig
{

/* Bytes, or ones, that `value` changes by in a turn; false if they are not constant. */
bool stepOf(llvm::ScalarEvolution &evolution, const llvm::Value *value, const llvm::Loop &loop,
            int64_t &out);

/* What stores of one loop write that lie at constant distances from each other. */
struct Range {
    llvm::Value *pointer; /* in one turn: [pointer + low, pointer + high) */
    int64_t low, high;
    int64_t step;         /* of the pointer, bytes in a turn */
    llvm::Value *address; /* of the pointer in the first turn: set in front of the loop */
};

/* A new block on the way from the end of a block to this successor; it has no end itself. */
llvm::BasicBlock *splitEdge(llvm::BranchInst *branch, unsigned side, const llvm::Twine &name);

class Strips
{
  public:
    /* Emits the marks of [first, last], two addresses, at the builder's place; it may add blocks.
     */
    using MarkRange =
        std::function<void(llvm::IRBuilder<> &, llvm::Value *first, llvm::Value *last)>;
    using Poll = std::function<void(llvm::Instruction *before)>;

    Strips(llvm::ScalarEvolution &evolution, const llvm::DataLayout &layout)
        : evolution(evolution), layout(layout)
    {
    }

    /* Decides about a loop, and computes in front of it what the strips need.  `is_short`: it needs
     * no poll.  Changes no control flow.  False: the loop stays as it is. */
    bool plan(llvm::Loop &loop, bool is_short);

    /* Is this store marked behind its loop? */
    bool covers(const llvm::Instruction *store) const
    {
        return covered.count(store);
    }

    /* Does this loop get its polls here? */
    bool polls(const llvm::Loop *loop) const
    {
        return polled.count(loop);
    }

    /* Makes what was planned.  The analyses are void afterwards. */
    void apply(const MarkRange &mark_range, const Poll &poll);

  private:
    struct Counted {
        llvm::BasicBlock *preheader = nullptr, *header = nullptr, *latch = nullptr;
        llvm::BasicBlock *exit = nullptr; /* behind the latch; nullptr: it always goes back */
        std::vector<std::pair<llvm::BranchInst *, unsigned>>
            others; /* that leave it earlier, with that successor */
        llvm::Value *counter =
            nullptr;      /* what the latch compares (or could), a new value in each turn */
        int64_t step = 0; /* of the counter */
        llvm::Value *start = nullptr; /* the counter's value in the first turn */
        llvm::Value *left = nullptr;  /* turns after the first; 64 bits */
        int64_t turns = 0;            /* of a strip; 0: needs no strips */
        std::vector<Range> ranges;
    };

    bool findCounter(llvm::Loop &from, Counted &out);
    bool isEven(const llvm::StoreInst &store, const llvm::Loop &from, int64_t &out_step);
    bool join(Range &range, const llvm::StoreInst &store, int64_t step);
    void findRanges(llvm::Loop &from, Counted &out,
                    llvm::SmallVectorImpl<const llvm::Instruction *> &covers);
    void expand(llvm::Loop &from, Counted &out, const llvm::SCEV *left);
    static void mark(Counted &loop, llvm::ArrayRef<llvm::Value *> addresses, llvm::Value *left,
                     llvm::IRBuilder<> &builder, const MarkRange &mark_range);
    bool canBeMarked(llvm::Loop &from, Counted &out);
    static void markOtherExits(Counted &loop, llvm::ArrayRef<llvm::Value *> addresses,
                               llvm::Value *left, const MarkRange &mark_range);
    void applyStrips(Counted &loop, const MarkRange &mark_range, const Poll &poll);
    void applyShort(Counted &loop, const MarkRange &mark_range);

    llvm::ScalarEvolution &evolution;
    const llvm::DataLayout &layout;
    llvm::DenseSet<const llvm::Instruction *> covered;
    llvm::DenseSet<const llvm::Loop *> polled;
    std::vector<Counted> loops;
};

} // namespace optmig
