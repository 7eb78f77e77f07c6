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

/* In instructions.  Searches are many, and most end soon: where code is large, that of longer turns
 * four times over costs more than their polls.  Counted ones that cannot run in strips are few. */
enum { TURNS = 4, SMALL_SEARCH = 12, SMALL_COUNTED = 40 };

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
    bool is_counted = evolution.hasLoopInvariantBackedgeTakenCount(&loop);

    if (!loop.isInnermost() || !loop.isLoopSimplifyForm() ||
        !isSmall(loop, is_counted ? SMALL_COUNTED : SMALL_SEARCH) || function->hasOptSize() ||
        !loop.isSafeToClone())
        return false;
    OptimizationRemarkEmitter remarks(function);
    formLCSSA(loop, tree, &loops, &evolution);
    return UnrollLoop(&loop, options, &loops, &evolution, &tree, &assumptions, &target, &remarks,
                      true) != LoopUnrollResult::Unmodified;
}

} // namespace optmig
