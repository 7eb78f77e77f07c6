/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that poll at their entry; why these stands in Circles.h. */
#include "pass/Circles.h"

#include <llvm/ADT/DenseMap.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>

#include <vector>

using namespace llvm;

namespace optmig
{

/* Above all names: where a call by a pointer leads. */
static const char *const ANYWHERE = "\x7f";

namespace
{

/* What one function calls. */
struct Calls {
    std::vector<const Function *> here; /* functions of the module, which nothing replaces */
    std::string highest;                /* name of those outside; empty: none */
};

} // namespace

/* Without the mark of a name that the source gives as it is. */
static std::string nameOf(const GlobalValue &value)
{
    StringRef name = value.getName();

    name.consume_front("\1");
    return name.str();
}

static bool isJump(StringRef name)
{
    return name == "longjmp" || name == "_longjmp" || name == "siglongjmp" ||
           name == "__longjmp_chk";
}

static Calls callsOf(Function &function, const TargetLibraryInfo &library)
{
    Calls calls;

    for (Instruction &instruction : instructions(function)) {
        const auto *call = dyn_cast<CallBase>(&instruction);
        LibFunc known;

        if (!call || isa<IntrinsicInst>(call) || call->isInlineAsm())
            continue;
        const Function *callee = call->getCalledFunction();
        if (callee && callee->hasExactDefinition())
            calls.here.push_back(callee);
        else if (!callee || isJump(callee->getName()))
            calls.highest = ANYWHERE;
        else if (!library.getLibFunc(*call, known) || known == LibFunc_qsort)
            calls.highest = std::max(calls.highest, nameOf(*callee));
    }
    return calls;
}

static bool canBeReached(const Function &function)
{
    return !function.hasLocalLinkage() || function.hasAddressTaken();
}

using CallsOf = DenseMap<const Function *, Calls>;

/* What static functions call counts as called by who calls them; others go by their own names, if
 * they call out at all. */
static void spread(CallsOf &all)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (auto &entry : all)
            for (const Function *callee : entry.second.here) {
                const std::string &theirs = all[callee].highest;
                std::string reached =
                    theirs.empty() || callee->hasLocalLinkage() ? theirs : nameOf(*callee);

                if (reached > entry.second.highest) {
                    entry.second.highest = reached;
                    changed = true;
                }
            }
    }
}

/* Functions that an edge back leads to, in a search in depth from `root`. */
static void searchBack(const Function *root, CallsOf &all, DenseMap<const Function *, int> &state,
                       DenseSet<const Function *> &out)
{
    enum { UNSEEN, OPEN, CLOSED };
    std::vector<std::pair<const Function *, size_t>> path = {{root, 0}};

    if (state[root] != UNSEEN)
        return;
    state[root] = OPEN;
    while (!path.empty()) {
        const Function *function = path.back().first;
        const Calls &calls = all[function];

        if (path.back().second == calls.here.size()) {
            state[function] = CLOSED;
            path.pop_back();
            continue;
        }
        const Function *callee = calls.here[path.back().second++];
        if (state[callee] == OPEN)
            out.insert(callee);
        if (state[callee] == UNSEEN) {
            state[callee] = OPEN;
            path.push_back({callee, 0});
        }
    }
}

static bool callsSetjmp(const Function &function)
{
    for (const Instruction &instruction : instructions(function)) {
        const auto *call = dyn_cast<CallBase>(&instruction);

        if (call && call->hasFnAttr(Attribute::ReturnsTwice))
            return true;
    }
    return false;
}

/* The lowest that others may call it by. */
static std::string lowestName(const Function &function)
{
    std::string lowest = nameOf(function);

    for (const GlobalAlias &alias : function.getParent()->aliases())
        if (alias.getAliasee()->stripPointerCasts() == &function)
            lowest = std::min(lowest, nameOf(alias));
    return lowest;
}

DenseSet<const Function *> breakingCircles(Module &module, FunctionAnalysisManager &functions)
{
    DenseSet<const Function *> found;
    DenseMap<const Function *, int> state;
    CallsOf all;
    bool jumps = false;

    for (Function &function : module)
        if (!function.isDeclaration()) {
            all[&function] =
                callsOf(function, functions.getResult<TargetLibraryAnalysis>(function));
            jumps |= callsSetjmp(function);
        }
    for (const Function &function : module)
        if (!function.isDeclaration())
            searchBack(&function, all, state, found);
    spread(all);
    for (const Function &function : module) {
        if (function.isDeclaration() || all[&function].highest.empty())
            continue;
        if (jumps || (canBeReached(function) && all[&function].highest >= lowestName(function)))
            found.insert(&function);
    }
    return found;
}

} // namespace optmig
