/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions poll because of the circles of calls that they are in: so many that each circle
 * comes by one.
 *
 * A circle within the module has an edge back in a search in depth: the function that it leads to
 * polls.  A circle through other modules is seen in parts only.  It has a call by a pointer, or all
 * its edges have names at both ends that every module knows, and then one leads to a name that is
 * not lower: names cannot go down all the way round.  So a function polls that others can reach (it
 * is visible, or its address is taken) and that calls by a pointer, or a name not below its own,
 * itself or through static functions.  libc's routines call nobody back, but for a few.
 *
 * longjmp makes circles of another kind: who calls it counts as calling by a pointer, and where
 * setjmp is called all functions of the module poll that call out.
 *
 * Such a function polls at its entry, or right before the calls by which its circles go on, where
 * these are on ways that are seldom taken: a quick way through it needs no poll.
 */
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/IR/PassManager.h>

#include <vector>

namespace optmig
{

/* The functions, each with the calls that it polls before; none: it polls at its entry. */
using Places = llvm::DenseMap<const llvm::Function *, std::vector<llvm::Instruction *>>;

Places breakingCircles(llvm::Module &module, llvm::FunctionAnalysisManager &functions);

} // namespace optmig
