/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small loops that do not run in strips (Strips.h) are unrolled, so that one poll serves several
 * turns: in a turn of five instructions a poll is felt.  That is searches, lists, strings, and
 * counted ones with marks in the turn.
 */
#pragma once

#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetTransformInfo.h>
#include <llvm/IR/Dominators.h>

namespace optmig
{

/* Unrolls it, if it is such a loop; the analyses stay valid. */
bool unrollSmall(llvm::Loop &loop, llvm::LoopInfo &loops, llvm::ScalarEvolution &evolution,
                 llvm::DominatorTree &tree, llvm::AssumptionCache &assumptions,
                 const llvm::TargetTransformInfo &target);

} // namespace optmig
