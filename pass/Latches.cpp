/* SPDX-License-Identifier: Apache-2.0 */
/* Latches with two conditions are split; why stands in Latches.h. */
#include "pass/Latches.h"

#include <llvm/IR/Instructions.h>
#include <llvm/IR/PatternMatch.h>

#include "pass/Strips.h"

using namespace llvm;
using namespace llvm::PatternMatch;

namespace optmig
{

/* Does it compare what changes evenly with what stays? */
static bool counts(Value *condition, Loop &loop, ScalarEvolution &evolution)
{
    auto *compare = dyn_cast<ICmpInst>(condition);
    int64_t step;

    if (!compare || !evolution.isSCEVable(compare->getOperand(0)->getType()))
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (stepOf(evolution, compare->getOperand(i), loop, step) && step != 0 &&
            evolution.isLoopInvariant(evolution.getSCEV(compare->getOperand(1 - i)), &loop))
            return true;
    return false;
}

/* The branch back is now behind `second`, in a block of its own. */
static void split(BranchInst &branch, Value *first, Value *second, Loop &loop, LoopInfo &loops,
                  DominatorTree &tree)
{
    BasicBlock *latch = branch.getParent(), *header = loop.getHeader();
    bool leaves_if_true = branch.getSuccessor(1) == header;
    BasicBlock *exit = branch.getSuccessor(leaves_if_true ? 0 : 1);
    auto *last = BasicBlock::Create(latch->getContext(), "optmig.counted", latch->getParent(),
                                    latch->getNextNode());
    auto *back = cast<BranchInst>(branch.clone());

    back->setMetadata(LLVMContext::MD_prof, nullptr); /* of both conditions */
    back->setCondition(second);
    last->getInstList().push_back(back);
    branch.setMetadata(LLVMContext::MD_prof, nullptr);
    branch.setMetadata(LLVMContext::MD_loop, nullptr);
    branch.setCondition(first);
    branch.setSuccessor(leaves_if_true ? 1 : 0, last);
    for (PHINode &phi : header->phis())
        phi.replaceIncomingBlockWith(latch, last);
    for (PHINode &phi : exit->phis())
        phi.addIncoming(phi.getIncomingValueForBlock(latch), last);
    tree.addNewBlock(last, latch);
    loop.addBasicBlockToLoop(last, loops);
}

void splitLatch(Loop &loop, LoopInfo &loops, ScalarEvolution &evolution, DominatorTree &tree)
{
    BasicBlock *latch = loop.getLoopLatch();
    auto *branch = latch ? dyn_cast<BranchInst>(latch->getTerminator()) : nullptr;
    Value *first, *second;

    if (!branch || !branch->isConditional() || !loop.isLoopExiting(latch))
        return;
    auto *both = dyn_cast<Instruction>(branch->getCondition());
    bool leaves_if_true = branch->getSuccessor(1) == loop.getHeader();
    if (!both || !both->hasOneUse() ||
        !(leaves_if_true ? match(both, m_LogicalOr(m_Value(first), m_Value(second)))
                         : match(both, m_LogicalAnd(m_Value(first), m_Value(second)))))
        return;
    /* Of a select the second condition may be poison unless the first one lets it count. */
    if (!isa<SelectInst>(both) && counts(first, loop, evolution))
        std::swap(first, second);
    if (!counts(second, loop, evolution) || counts(first, loop, evolution))
        return;
    split(*branch, first, second, loop, loops, tree);
    both->eraseFromParent();
    evolution.forgetLoop(&loop);
}

} // namespace optmig
