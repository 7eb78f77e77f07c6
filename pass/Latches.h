/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop that ends when either of two conditions holds, one of which counts:
 *
 *     do ...; while (found(x) && --left != 0);
 *
 * Optimisation makes one condition and one branch of them, and then nothing tells that the loop
 * counts.  They are made two branches again, as the backend does anyway, so that the loop can run
 * in strips (Strips.h).
 */
#pragma once

#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/IR/Dominators.h>

namespace optmig
{

/* Splits the loop's latch, if it is such a loop; the analyses stay valid. */
void splitLatch(llvm::Loop &loop, llvm::LoopInfo &loops, llvm::ScalarEvolution &evolution,
                llvm::DominatorTree &tree);

} // namespace optmig
