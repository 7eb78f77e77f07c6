/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that poll for the circles that they are in, and where; why these stands in Circles.h.
 */
#include "pass/Circles.h"

#include <llvm/ADT/DenseSet.h>
#include <llvm/ADT/SCCIterator.h>
#include <llvm/Analysis/BlockFrequencyInfo.h>
#include <llvm/Analysis/CallGraph.h>
#include <llvm/Analysis/TargetLibraryInfo.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>

#include <vector>

using namespace llvm;

namespace optmig
{

/* Above all names: where a call by a pointer leads. */
static const char *const ANYWHERE = "\x7f";

enum { MOST_PLACES = 8 /* polls of one function before its calls: size of code */ };

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

/* A function of the module, which nothing replaces. */
static const Function *calleeHere(const CallBase &call)
{
    const Function *callee = call.getCalledFunction();

    return callee && callee->hasExactDefinition() ? callee : nullptr;
}

/* By what name the call leaves the module; empty if it does not, or leads to where nobody calls
 * back. */
static std::string nameOutside(const CallBase &call, const TargetLibraryInfo &library)
{
    const Function *callee = call.getCalledFunction();
    LibFunc known;

    if (isa<IntrinsicInst>(call) || call.isInlineAsm() || calleeHere(call))
        return "";
    if (!callee || isJump(callee->getName()))
        return ANYWHERE;
    return library.getLibFunc(call, known) && known != LibFunc_qsort ? "" : nameOf(*callee);
}

static Calls callsOf(Function &function, const TargetLibraryInfo &library)
{
    Calls calls;

    for (Instruction &instruction : instructions(function)) {
        const auto *call = dyn_cast<CallBase>(&instruction);

        if (!call)
            continue;
        if (const Function *callee = calleeHere(*call))
            calls.here.push_back(callee);
        calls.highest = std::max(calls.highest, nameOutside(*call, library));
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
static std::string nameReached(const Function &callee, CallsOf &all)
{
    const std::string &theirs = all[&callee].highest;

    return theirs.empty() || callee.hasLocalLinkage() ? theirs : nameOf(callee);
}

/* `highest` of each becomes what it leads to through static functions too. */
static void spread(CallsOf &all)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (auto &entry : all)
            for (const Function *callee : entry.second.here) {
                std::string reached = nameReached(*callee, all);

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

/* Functions of one component call each other in circles. */
static DenseMap<const Function *, unsigned> componentsOf(Module &module)
{
    DenseMap<const Function *, unsigned> components;
    CallGraph graph(module);
    unsigned number = 0;

    for (auto component = scc_begin(&graph); !component.isAtEnd(); ++component, number++)
        for (const CallGraphNode *node : *component)
            components[node->getFunction()] = number;
    return components;
}

/* The calls by which a circle that comes through the function can go on. */
static std::vector<Instruction *> callsOfCircles(Function &function, CallsOf &all,
                                                 DenseMap<const Function *, unsigned> &components,
                                                 const TargetLibraryInfo &library)
{
    std::string lowest = lowestName(function);
    std::vector<Instruction *> places;

    for (Instruction &instruction : instructions(function)) {
        const auto *call = dyn_cast<CallBase>(&instruction);

        if (!call)
            continue;
        const Function *callee = calleeHere(*call);
        std::string name = callee ? nameReached(*callee, all) : nameOutside(*call, library);
        bool is_circle = callee && components[callee] == components[&function];

        if (is_circle || (!name.empty() && name >= lowest))
            places.push_back(&instruction);
    }
    return places;
}

/* Before the calls by which circles go on, if these come less often than the function is entered,
 * as far as can be told; else nowhere: at its entry. */
static std::vector<Instruction *> placesIn(Function &function, CallsOf &all,
                                           DenseMap<const Function *, unsigned> &components,
                                           FunctionAnalysisManager &functions)
{
    auto calls = callsOfCircles(function, all, components,
                                functions.getResult<TargetLibraryAnalysis>(function));
    uint64_t often = 0;

    if (function.hasOptNone() || calls.size() > MOST_PLACES)
        return {};
    auto &frequencies = functions.getResult<BlockFrequencyAnalysis>(function);
    for (const Instruction *call : calls)
        often += frequencies.getBlockFreq(call->getParent()).getFrequency();
    return often < frequencies.getEntryFreq() ? calls : std::vector<Instruction *>();
}

/* Functions in a circle that nothing else breaks: an edge back within the module leads to them, or
 * they lead to a name that is not lower. */
static DenseSet<const Function *> breakersOf(Module &module, CallsOf &all)
{
    DenseSet<const Function *> found;
    DenseMap<const Function *, int> state;

    for (const Function &function : module)
        if (!function.isDeclaration())
            searchBack(&function, all, state, found);
    spread(all);
    for (const Function &function : module)
        if (!function.isDeclaration() && canBeReached(function) &&
            !all[&function].highest.empty() && all[&function].highest >= lowestName(function))
            found.insert(&function);
    return found;
}

Places breakingCircles(Module &module, FunctionAnalysisManager &functions)
{
    Places out;
    CallsOf all;
    bool jumps = false;

    for (Function &function : module)
        if (!function.isDeclaration()) {
            all[&function] =
                callsOf(function, functions.getResult<TargetLibraryAnalysis>(function));
            jumps |= callsSetjmp(function);
        }
    DenseSet<const Function *> breakers = breakersOf(module, all);
    auto components = componentsOf(module);
    for (Function &function : module) {
        bool calls_out = !function.isDeclaration() && !all[&function].highest.empty();

        if (jumps && calls_out)
            out[&function]; /* at its entry */
        else if (breakers.count(&function))
            out[&function] = placesIn(function, all, components, functions);
    }
    return out;
}

} // namespace optmig
