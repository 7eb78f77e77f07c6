/* SPDX-License-Identifier: Apache-2.0 */
/* Unrolling of small loops; why stands in Unroll.h. */
#include "pass/Unroll.h"

#include <llvm/Analysis/OptimizationRemarkEmitter.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/Transforms/Utils/LoopUtils.h>
#include <llvm/Transforms/Utils/UnrollLoop.h>

using namespace llvm;

namespace optmig
{

/* In instructions.  A loop with one way out goes through a whole list, or is counted.  Those with
 * several are searches and comparisons; these are many, and most end soon: where code is large,
 * that of longer turns four times over costs more than their polls. */
enum { TURNS = 4, SMALL_TURN = 40, SMALL_SEARCH = 12 };

/* Calls may poll themselves, and cost more than a poll. */
static bool isSmall(const Loop &loop, unsigned most)
{
    unsigned instructions = 0;

    for (BasicBlock *block : loop.blocks())
        for (Instruction &instruction : *block) {
            if (isa<CallBase>(instruction) && !isa<IntrinsicInst>(instruction))
                return false;
            instructions += !isa<DbgInfoIntrinsic>(instruction);
        }
    return instructions <= most;
}

bool unrollSmall(Loop &loop, LoopInfo &loops, ScalarEvolution &evolution, DominatorTree &tree,
                 AssumptionCache &assumptions, const TargetTransformInfo &target)
{
    Function *function = loop.getHeader()->getParent();
    UnrollLoopOptions options = {TURNS, true, false, false, false, true};
    unsigned most = loop.getExitingBlock() ? SMALL_TURN : SMALL_SEARCH;

    if (!loop.isInnermost() || !loop.isLoopSimplifyForm() || !isSmall(loop, most) ||
        function->hasOptSize() || !loop.isSafeToClone())
        return false;
    OptimizationRemarkEmitter remarks(function);
    formLCSSA(loop, tree, &loops, &evolution);
    return UnrollLoop(&loop, options, &loops, &evolution, &tree, &assumptions, &target, &remarks,
                      true) != LoopUnrollResult::Unmodified;
}

} // namespace optmig
