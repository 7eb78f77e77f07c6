/* SPDX-License-Identifier: Apache-2.0 */
/* Strips of counted loops; what they are stands in Strips.h, why the order holds in
 * docs/barrier.md. */
#include "pass/Strips.h"

#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/ScalarEvolutionExpander.h>

#include "boundary/card.h"
#include "pass/Calls.h"

using namespace llvm;

namespace optmig
{

enum {
    PAGE = 1 << CARD_SHIFT,
    STRIP_BYTES = 4 * PAGE, /* of one store: few marks, and no long way to the poll */
    MOST_TURNS = 1024,
    OUTER_TURNS =
        16, /* where other loops are inside, each of which may go without a poll for long */
    /* Instructions of a turn, of a loop without marks behind its strips.  Strips cost a dozen at
     * each entry, and most loops turn a few times only: a poll has to be a good part of the turn.
     */
    SMALL_BODY = 32,
    SMALL_OUTER = 96, /* it is entered less often */
};

static Value *offset(IRBuilder<> &builder, Value *value, Value *bytes)
{
    if (!value->getType()->isPointerTy())
        return builder.CreateAdd(value, builder.CreateSExtOrTrunc(bytes, value->getType()));
    unsigned space = value->getType()->getPointerAddressSpace();
    Value *address = builder.CreatePointerCast(value, builder.getInt8PtrTy(space));

    return builder.CreatePointerCast(builder.CreateGEP(builder.getInt8Ty(), address, bytes),
                                     value->getType());
}

bool stepOf(ScalarEvolution &evolution, const Value *value, const Loop &loop, int64_t &out)
{
    if (!evolution.isSCEVable(value->getType()))
        return false;
    auto *recurrence = dyn_cast<SCEVAddRecExpr>(evolution.getSCEV(const_cast<Value *>(value)));
    auto *step = recurrence && recurrence->getLoop() == &loop && recurrence->isAffine()
                     ? dyn_cast<SCEVConstant>(recurrence->getStepRecurrence(evolution))
                     : nullptr;

    if (step)
        out = step->getAPInt().getSExtValue();
    return step != nullptr;
}

static bool isInside(const BasicBlock *block, const Loop &loop)
{
    return any_of(loop.getSubLoops(), [&](const Loop *inner) { return inner->contains(block); });
}

/* Nothing in it is a safepoint, or needs the pass's attention in another way.  `instructions`: of a
 * turn, without those of loops inside. */
static bool isQuiet(const Loop &loop, unsigned &instructions)
{
    for (BasicBlock *block : loop.blocks()) {
        bool inside = isInside(block, loop);

        for (Instruction &instruction : *block) {
            instructions += !inside && !isa<DbgInfoIntrinsic>(instruction);
            if (isa<AnyMemIntrinsic>(instruction) || mayBecomeCall(instruction) ||
                (isa<CallBase>(instruction) && !isa<IntrinsicInst>(instruction)))
                return false;
        }
    }
    return true;
}

/* A value that changes by a constant in each turn: the one that the latch compares, or, if the
 * latch always goes back, any. */
bool Strips::findCounter(Loop &from, Counted &out)
{
    auto *branch = dyn_cast<BranchInst>(out.latch->getTerminator());
    SmallVector<Value *, 8> candidates;

    if (!branch)
        return false;
    if (branch->isConditional()) {
        auto *compare = dyn_cast<ICmpInst>(branch->getCondition());

        out.exit = branch->getSuccessor(branch->getSuccessor(0) == out.header ? 1 : 0);
        if (!compare || from.contains(out.exit))
            return false;
        candidates.append(compare->op_begin(), compare->op_end());
    } else {
        for (PHINode &variable : out.header->phis())
            candidates.push_back(variable.getIncomingValueForBlock(out.latch));
    }
    for (Value *candidate : candidates)
        if (!out.counter && stepOf(evolution, candidate, from, out.step) && out.step != 0)
            out.counter = candidate;
    if (!out.counter)
        return false;
    /* No value comes twice in a strip. */
    uint64_t bits = std::min<uint64_t>(evolution.getTypeSizeInBits(out.counter->getType()), 62);
    return (uint64_t)std::abs(out.step) < ((uint64_t)1 << (bits - 1)) / (MOST_TURNS + 1);
}

/* It is left by plain branches only, behind which marks can stand. */
bool Strips::canBeMarked(Loop &from, Counted &out)
{
    SmallVector<BasicBlock *, 4> exiting;

    from.getExitingBlocks(exiting);
    for (BasicBlock *block : exiting) {
        auto *branch = dyn_cast<BranchInst>(block->getTerminator());

        if (!branch)
            return false;
        if (block != out.latch)
            out.others.push_back({branch, from.contains(branch->getSuccessor(0)) ? 1 : 0});
    }
    return true;
}

/* To addresses that move on by less than a page in each turn, or are the same. */
bool Strips::isEven(const StoreInst &store, const Loop &from, int64_t &out_step)
{
    const SCEV *pointer = evolution.getSCEV(const_cast<Value *>(store.getPointerOperand()));
    auto *type = store.getValueOperand()->getType();

    if (isa<AllocaInst>(getUnderlyingObject(store.getPointerOperand(), 0)) ||
        isa<ScalableVectorType>(type) || layout.getTypeStoreSize(type) > PAGE)
        return false;
    out_step = 0;
    return evolution.isLoopInvariant(pointer, &from) ||
           (stepOf(evolution, store.getPointerOperand(), from, out_step) &&
            std::abs(out_step) <= PAGE);
}

/* Makes it longer, if the store is near. */
bool Strips::join(Range &range, const StoreInst &store, int64_t step)
{
    int64_t size = (int64_t)layout.getTypeStoreSize(store.getValueOperand()->getType());
    auto *difference = dyn_cast<SCEVConstant>(evolution.getMinusSCEV(
        evolution.getSCEV(const_cast<Value *>(store.getPointerOperand())),
        evolution.getSCEV(range.pointer)));

    if (!difference || range.step != step)
        return false;
    int64_t low = std::min(range.low, difference->getAPInt().getSExtValue());
    int64_t high = std::max(range.high, difference->getAPInt().getSExtValue() + size);
    if (high - low > PAGE)
        return false;
    range = {range.pointer, low, high, step, nullptr};
    return true;
}

/* Of stores that come in every turn, and of those that come in some and are near to one of them. */
void Strips::findRanges(Loop &from, Counted &out, SmallVectorImpl<const Instruction *> &covers)
{
    DominatorTree tree(*out.header->getParent());

    for (bool always : {true, false})
        for (BasicBlock *block : from.blocks()) {
            if (tree.dominates(block, out.latch) != always)
                continue;
            for (Instruction &instruction : *block) {
                auto *store = dyn_cast<StoreInst>(&instruction);
                int64_t step;

                if (!store || !isEven(*store, from, step))
                    continue;
                bool near = any_of(out.ranges, [&](Range &range) { return join(range, *store, step); });
                if (!near && always)
                    out.ranges.push_back(
                        {store->getPointerOperand(), 0,
                         (int64_t)layout.getTypeStoreSize(store->getValueOperand()->getType()), step,
                         nullptr});
                if (near || always)
                    covers.push_back(store);
            }
        }
}

/* Computes in front of the loop what the strips begin with. */
void Strips::expand(Loop &from, Counted &out, const SCEV *left)
{
    SCEVExpander expander(evolution, layout, "optmig");
    Instruction *before = out.preheader->getTerminator();
    IRBuilder<> builder(before);

    out.left = builder.CreateZExtOrTrunc(expander.expandCodeFor(left, left->getType(), before),
                                         builder.getInt64Ty());
    if (out.turns) {
        auto *recurrence = cast<SCEVAddRecExpr>(evolution.getSCEV(out.counter));

        out.start = expander.expandCodeFor(recurrence->getStart(), out.counter->getType(), before);
    }
    for (Range &range : out.ranges) {
        auto *recurrence = dyn_cast<SCEVAddRecExpr>(evolution.getSCEV(range.pointer));
        const SCEV *start = range.step ? recurrence->getStart() : evolution.getSCEV(range.pointer);

        range.address = builder.CreatePtrToInt(
            expander.expandCodeFor(start, range.pointer->getType(), before), builder.getInt64Ty());
    }
}

bool Strips::plan(Loop &from, bool is_short)
{
    Counted loop;
    SmallVector<const Instruction *, 8> stores;
    unsigned instructions = 0;
    int64_t longest = 16;

    loop.preheader = from.getLoopPreheader();
    loop.header = from.getHeader();
    loop.latch = from.getLoopLatch();
    if (!from.isLoopSimplifyForm() || !isQuiet(from, instructions) || !findCounter(from, loop))
        return false;
    /* The turns until any of its exits, if all are counted; else those until the latch's. */
    const SCEV *left = evolution.getBackedgeTakenCount(&from);
    bool all_counted = !isa<SCEVCouldNotCompute>(left);
    if (!all_counted && loop.exit)
        left = evolution.getExitCount(&from, loop.latch);
    if (isa<SCEVCouldNotCompute>(left) || !left->getType()->isIntegerTy() ||
        evolution.getTypeSizeInBits(left->getType()) > 64 || !isSafeToExpand(left, evolution))
        return false;
    if (all_counted && from.isInnermost() && canBeMarked(from, loop))
        findRanges(from, loop, stores);
    unsigned small = from.isInnermost() ? SMALL_BODY : SMALL_OUTER;
    if (loop.ranges.empty() && (is_short || instructions > small))
        return false;
    for (const Range &range : loop.ranges)
        longest = std::max(longest, std::abs(range.step));
    loop.turns = from.isInnermost() ? std::min<int64_t>(MOST_TURNS, STRIP_BYTES / longest)
                                    : (int64_t)OUTER_TURNS;
    if (is_short)
        loop.turns = 0;
    expand(from, loop, left);
    covered.insert(stores.begin(), stores.end());
    if (!is_short)
        polled.insert(&from);
    loops.push_back(std::move(loop));
    return true;
}

/* Of two 64-bit numbers of turns the one that is less. */
static Value *fewer(IRBuilder<> &builder, Value *left, int64_t most)
{
    Value *limit = builder.getInt64((uint64_t)most);

    return builder.CreateSelect(builder.CreateICmpULT(left, limit), left, limit);
}

/* Marks what a strip has written whose first turn wrote at `addresses`, when `left` turns were left
 * behind that one. */
void Strips::mark(Counted &loop, ArrayRef<Value *> addresses, Value *left, IRBuilder<> &builder,
                  const MarkRange &mark_range)
{
    Value *turns = loop.turns ? fewer(builder, left, loop.turns - 1) : left;

    for (size_t i = 0; i < loop.ranges.size(); i++) {
        const Range &range = loop.ranges[i];
        Value *distance = builder.CreateMul(turns, builder.getInt64((uint64_t)range.step));
        Value *first = builder.CreateAdd(addresses[i], builder.getInt64((uint64_t)range.low));
        Value *last = builder.CreateAdd(addresses[i], builder.getInt64((uint64_t)(range.high - 1)));

        if (range.step == 0 && range.high - range.low <= CARD_HEAD + 1)
            last = first;
        else if (range.step > 0)
            last = builder.CreateAdd(last, distance);
        else
            first = builder.CreateAdd(first, distance);
        mark_range(builder, first, last);
    }
}

BasicBlock *splitEdge(BranchInst *branch, unsigned side, const Twine &name)
{
    BasicBlock *from = branch->getParent(), *to = branch->getSuccessor(side);
    auto *block = BasicBlock::Create(from->getContext(), name, from->getParent(), to);

    branch->setSuccessor(side, block);
    to->replacePhiUsesWith(from, block);
    return block;
}

/* The same where a counted branch leaves the loop in the middle of its last turn.  That turn is
 * marked as if it were whole. */
void Strips::markOtherExits(Counted &loop, ArrayRef<Value *> addresses, Value *left,
                            const MarkRange &mark_range)
{
    for (auto &exit : loop.others) {
        BasicBlock *to = exit.first->getSuccessor(exit.second);
        BasicBlock *block = splitEdge(exit.first, exit.second, "optmig.left");
        IRBuilder<> builder(block);

        builder.SetCurrentDebugLocation(exit.first->getDebugLoc());
        mark(loop, addresses, left, builder, mark_range);
        to->replacePhiUsesWith(block,
                               builder.GetInsertBlock()); /* the marks may have added blocks */
        builder.CreateBr(to);
    }
}

/* A variable of the header that changes between strips only. */
static PHINode *betweenStrips(BasicBlock *header, BasicBlock *preheader, BasicBlock *latch,
                              Value *first)
{
    auto *variable = PHINode::Create(first->getType(), 3, "optmig.strip", &header->front());

    variable->addIncoming(first, preheader);
    variable->addIncoming(variable, latch);
    return variable;
}

void Strips::applyStrips(Counted &loop, const MarkRange &mark_range, const Poll &poll)
{
    Function *function = loop.header->getParent();
    auto *behind = BasicBlock::Create(function->getContext(), "optmig.strip", function, loop.exit);
    auto *again = BasicBlock::Create(function->getContext(), "optmig.next", function, loop.exit);
    IRBuilder<> builder(loop.preheader->getTerminator()), between(again);
    Value *step = builder.getInt64((uint64_t)loop.step);
    SmallVector<Value *, 4> addresses;

    for (PHINode &variable : loop.header->phis())
        variable.addIncoming(variable.getIncomingValueForBlock(loop.latch), again);
    Value *limit = offset(builder, loop.start,
                          builder.CreateMul(fewer(builder, loop.left, loop.turns - 1), step));
    PHINode *left = betweenStrips(loop.header, loop.preheader, loop.latch, loop.left);
    PHINode *until = betweenStrips(loop.header, loop.preheader, loop.latch, limit);
    for (const Range &range : loop.ranges) {
        PHINode *address = betweenStrips(loop.header, loop.preheader, loop.latch, range.address);

        address->addIncoming(
            between.CreateAdd(address, between.getInt64((uint64_t)(range.step * loop.turns))),
            again);
        addresses.push_back(address);
    }

    auto *branch = cast<BranchInst>(loop.latch->getTerminator());
    auto *compare = loop.exit ? cast<Instruction>(branch->getCondition()) : nullptr;
    builder.SetInsertPoint(branch);
    builder.CreateCondBr(builder.CreateICmpEQ(loop.counter, until), behind, loop.header);
    builder.SetInsertPoint(behind);
    builder.SetCurrentDebugLocation(branch->getDebugLoc());
    branch->eraseFromParent();
    if (compare && compare->use_empty())
        compare->eraseFromParent();
    mark(loop, addresses, left, builder, mark_range);
    if (loop.exit) {
        loop.exit->replacePhiUsesWith(loop.latch, builder.GetInsertBlock());
        builder.CreateCondBr(builder.CreateICmpULT(left, builder.getInt64((uint64_t)loop.turns)),
                             loop.exit, again);
    } else {
        builder.CreateBr(again);
    }

    Value *rest = between.CreateSub(left, between.getInt64((uint64_t)loop.turns));
    Value *next = between.CreateAdd(fewer(between, rest, loop.turns - 1), between.getInt64(1));
    left->addIncoming(rest, again);
    until->addIncoming(offset(between, until, between.CreateMul(next, step)), again);
    poll(between.CreateBr(loop.header));
    markOtherExits(loop, addresses, left, mark_range);
}

void Strips::applyShort(Counted &loop, const MarkRange &mark_range)
{
    SmallVector<Value *, 4> addresses;
    auto *branch = cast<BranchInst>(loop.latch->getTerminator());

    for (const Range &range : loop.ranges)
        addresses.push_back(range.address);
    if (loop.exit)
        loop.others.push_back({branch, branch->getSuccessor(0) == loop.exit ? 0 : 1});
    markOtherExits(loop, addresses, loop.left, mark_range);
}

void Strips::apply(const MarkRange &mark_range, const Poll &poll)
{
    for (Counted &loop : loops)
        if (loop.turns)
            applyStrips(loop, mark_range, poll);
        else
            applyShort(loop, mark_range);
}

} // namespace optmig
