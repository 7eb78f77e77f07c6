/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compile pass (docs/barrier.md): marks the card of every page that a program stores to, and
 * puts safepoint polls into it.  For clang 14, new pass manager, at the end of the pipeline, so that
 * it sees the stores that optimisation has left.  What it agrees on with the runtime is
 * boundary/card.h.
 *
 * The rule: between a store and its mark there is no safepoint (poll, call), and the mark comes
 * after the store in the machine code.  The mark is a volatile store, which the backend moves over
 * no other access, and the poll is an asm statement with side effects and a memory clobber.
 *
 * Not marked: the function's own stack.  The runtime sends stacks whole.
 */
#include <llvm/ADT/SCCIterator.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/CallGraph.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/ScalarEvolutionExpressions.h>
#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Passes/PassPlugin.h>
#include <llvm/Support/CommandLine.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/Transforms/Utils/Local.h>
#include <llvm/Transforms/Utils/LoopSimplify.h>

#include "boundary/card.h"
#include "pass/Calls.h"
#include "pass/Strips.h"

using namespace llvm;
using optmig::mayBecomeCall;
using optmig::Strips;

namespace {

cl::opt<unsigned> SkipMark("optmig-skip-mark", cl::init(0), cl::Hidden,
                           cl::desc("tests only: leave out the Nth mark of a module"));
cl::opt<std::string> StatsFile("optmig-stats", cl::init(""), cl::Hidden,
                               cl::desc("append what was counted in a module to this file, a line of JSON"));
cl::opt<bool> AllowAsm("optmig-allow-asm", cl::init(false),
                       cl::desc("accept assembly that may write memory nobody knows of"));

enum { SHORT_LOOP_ITERATIONS = 64, PAGE = 1 << CARD_SHIFT, SETJMP_BYTES = 200, FENV_BYTES = 32, UNWIND_BYTES = 168 };

/* What is in the note and in -optmig-stats: those that there are, and those that were saved. */
struct Counts {
    unsigned stores = 0, marks = 0, polls = 0, seen = 0;
    unsigned stack = 0;  /* stores to the function's own stack */
    unsigned shared = 0; /* marks that other stores' marks made needless */
    unsigned ranges = 0; /* marks moved out of loops */
    unsigned polls_short = 0, polls_strips = 0; /* polls left out of loops of few turns; moved out of counted ones */
    unsigned polls_entry = 0;                   /* polls left out of functions that nothing calls in a circle */
};

/* Memory that one instruction writes. */
struct Write {
    Instruction *after; /* marks come behind it; nullptr: done */
    Value *pointer;
    uint64_t size;
    bool aligned; /* cannot cross a page */
};

class Marker {
  public:
    Marker(Module &module, Counts &counts) : module(module), counts(counts), layout(module.getDataLayout())
    {
        auto &context = module.getContext();

        byte = Type::getInt8Ty(context);
        word = Type::getInt64Ty(context);
        cards = module.getOrInsertGlobal("__optmig_cards_v1", ArrayType::get(byte, CARD_COUNT));
        /* Programs are static, at fixed addresses.  A module that declares the table itself may give
         * it another type: then `cards` is a cast of it. */
        module.getNamedGlobal("__optmig_cards_v1")->setDSOLocal(true);
    }

    /* All stores of a function but those that `strips` covers. */
    void run(Function &function, ScalarEvolution &evolution, const Strips &strips);
    /* All cards of [first, last], with a loop; one, if both are the same value. */
    void markRange(IRBuilder<> &builder, Value *first, Value *last);

  private:
    void collect(Instruction &instruction);
    void collectIntrinsic(IntrinsicInst &intrinsic);
    void collectAsm(CallBase &call);
    void collectCall(CallBase &call);
    void add(Instruction *after, Value *pointer, uint64_t size, bool aligned);
    void addCopy(AnyMemIntrinsic &copy);
    void emit(const Write &write);
    bool counted();
    void setCard(IRBuilder<> &builder, Value *page);
    void mark(IRBuilder<> &builder, Value *pointer, uint64_t offset);
    void flush();
    struct Group {
        Value *base;
        int64_t low, high; /* bytes from base */
        Instruction *last;
        unsigned members;
    };
    bool distance(Value *pointer, Value *base, int64_t &out);
    Group takeGroup(size_t first);
    static bool isSafepoint(const Instruction &instruction);

    Module &module;
    Counts &counts;
    const DataLayout &layout;
    Type *byte, *word;
    Constant *cards;
    ScalarEvolution *evolution = nullptr; /* of the function under way */
    SmallVector<Write, 16> pending;            /* since the last safepoint */
};

bool isOwnStack(Value *pointer)
{
    return isa<AllocaInst>(getUnderlyingObject(pointer, 0));
}

/* A position where marks can follow: behind the instruction, in its block.  No invoke writes anything:
 * see callAssembly and collectAsm. */
Instruction *behind(Instruction *instruction)
{
    return instruction->getNextNode();
}

void Marker::add(Instruction *after, Value *pointer, uint64_t size, bool aligned)
{
    counts.stores++;
    if (isOwnStack(pointer)) {
        counts.stack++;
        return;
    }
    pending.push_back({after, pointer, size, aligned || size == 1});
}

/* The backend makes a call of a longer one, of libc's routine, which is instrumented itself. */
void Marker::addCopy(AnyMemIntrinsic &copy)
{
    auto *length = dyn_cast<ConstantInt>(copy.getLength());
    uint64_t size = length ? length->getZExtValue() : 0;

    if (size > 0 && size <= PAGE)
        add(&copy, copy.getRawDest(), size, false);
    else if (isa<MemCpyInlineInst>(copy) && size > PAGE)
        module.getContext().emitError(&copy, "optmig: an inlined copy of more than a page");
}

/* A non-temporal store becomes visible at any later time, unless a fence waits for it: what marks
 * have to follow. */
Instruction *drained(Instruction *store)
{
    return IRBuilder<>(behind(store)).CreateIntrinsic(Intrinsic::x86_sse_sfence, {}, {});
}

void Marker::collectIntrinsic(IntrinsicInst &intrinsic)
{
    if (auto *memory = dyn_cast<AnyMemIntrinsic>(&intrinsic)) {
        addCopy(*memory);
        return;
    }
    switch (intrinsic.getIntrinsicID()) {
    case Intrinsic::masked_store:
    case Intrinsic::masked_compressstore: {
        unsigned to = 1;
        uint64_t size = layout.getTypeStoreSize(intrinsic.getArgOperand(0)->getType());

        add(&intrinsic, intrinsic.getArgOperand(to), size, false);
        return;
    }
    case Intrinsic::masked_scatter: {
        /* Each lane by itself, whether its mask is set or not: a mark too many does no harm. */
        auto *pointers = intrinsic.getArgOperand(1);
        auto *type = cast<FixedVectorType>(pointers->getType());
        auto *element = cast<VectorType>(intrinsic.getArgOperand(0)->getType())->getElementType();
        IRBuilder<> builder(behind(&intrinsic));

        for (unsigned i = 0; i < type->getNumElements(); i++) {
            auto *lane = cast<Instruction>(builder.CreateExtractElement(pointers, i));

            add(lane, lane, layout.getTypeStoreSize(element), false);
        }
        return;
    }
    case Intrinsic::vastart:
    case Intrinsic::vacopy:
        add(&intrinsic, intrinsic.getArgOperand(0), 24, false);
        return;
    case Intrinsic::x86_sse_stmxcsr:
        add(&intrinsic, intrinsic.getArgOperand(0), 4, false);
        return;
    case Intrinsic::x86_sse2_maskmov_dqu:
        add(drained(&intrinsic), intrinsic.getArgOperand(2), 16, false);
        return;
    case Intrinsic::x86_avx_maskstore_pd:
    case Intrinsic::x86_avx_maskstore_ps:
    case Intrinsic::x86_avx2_maskstore_d:
    case Intrinsic::x86_avx2_maskstore_q:
        add(&intrinsic, intrinsic.getArgOperand(0), 16, false);
        return;
    case Intrinsic::x86_avx_maskstore_pd_256:
    case Intrinsic::x86_avx_maskstore_ps_256:
    case Intrinsic::x86_avx2_maskstore_d_256:
    case Intrinsic::x86_avx2_maskstore_q_256:
        add(&intrinsic, intrinsic.getArgOperand(0), 32, false);
        return;
    case Intrinsic::x86_fxsave:
    case Intrinsic::x86_fxsave64:
        add(&intrinsic, intrinsic.getArgOperand(0), 512, false);
        return;
    case Intrinsic::init_trampoline:
        add(&intrinsic, intrinsic.getArgOperand(0), 32, false);
        return;
    case Intrinsic::prefetch:
    case Intrinsic::stacksave:
    case Intrinsic::stackrestore:
    case Intrinsic::vaend:
    case Intrinsic::eh_unwind_init:
    case Intrinsic::eh_sjlj_setup_dispatch:
    case Intrinsic::x86_sse2_clflush:
    case Intrinsic::x86_clflushopt:
    case Intrinsic::x86_clwb:
    case Intrinsic::clear_cache:
    case Intrinsic::launder_invariant_group:
    case Intrinsic::strip_invariant_group:
        return;
    default:
        break;
    }
    if (intrinsic.isAssumeLikeIntrinsic() || !intrinsic.mayWriteToMemory())
        return;
    for (Value *argument : intrinsic.args())
        if (argument->getType()->isPointerTy() && !isOwnStack(argument))
            module.getContext().emitError(
                &intrinsic, "optmig: " + intrinsic.getCalledFunction()->getName() +
                                " may write memory, and how much is not known to the pass");
}

/* Assembly is trusted to write what it says: memory operands.  "memory" alone says that it may
 * write anything; that is accepted of what is known to write nothing. */
bool writesNothing(StringRef text)
{
    static const char *const harmless[] = {"",        "syscall",  "pause",     "rep; nop", "rep ; nop",
                                           "mfence",  "lfence",   "sfence",    "hlt",      "nop",
                                           "ud2",     "emms",     "vzeroupper", "cpuid",   "rdtsc",
                                           "lock ; orl $$0,(%rsp)", "lock; orl $$0,(%rsp)",
                                           "lock; addl $$0,0(%rsp)", "lock ; addl $$0,0(%rsp)"};

    text = text.trim(" \t\n;");
    for (const char *known : harmless)
        if (text == StringRef(known).trim(" ;"))
            return true;
    return false;
}

void Marker::collectAsm(CallBase &call)
{
    auto *code = cast<InlineAsm>(call.getCalledOperand());
    unsigned argument = 0, outputs = 0;
    bool clobbers = false;

    for (const auto &constraint : code->ParseConstraints()) {
        bool memory = constraint.Type == InlineAsm::isOutput && constraint.isIndirect;

        if (constraint.Type == InlineAsm::isClobber) {
            clobbers |= constraint.Codes.size() == 1 && constraint.Codes[0] == "{memory}";
            continue;
        }
        if (memory && !isa<InvokeInst>(call)) {
            Type *type = call.getAttributes().getParamElementType(argument);

            if (!type)
                type = call.getArgOperand(argument)->getType()->getPointerElementType();
            add(&call, call.getArgOperand(argument), layout.getTypeStoreSize(type), false);
        }
        outputs += memory;
        if (constraint.Type == InlineAsm::isInput || memory)
            argument++;
    }
    if (outputs && isa<InvokeInst>(call))
        module.getContext().emitError(&call, "optmig: this assembly may throw, and writes memory; "
                                             "where it throws, nothing would be marked: " +
                                                 code->getAsmString());
    if (clobbers && !outputs && !AllowAsm && !writesNothing(code->getAsmString()))
        module.getContext().emitError(
            &call, "optmig: this assembly clobbers \"memory\", and what it writes is not known; "
                   "give it memory operands, or accept it with --allow-asm: " +
                       code->getAsmString());
}

/* Routines of libc and libunwind in assembly, which write through their first argument: how much. */
uint64_t writtenInAssembly(const CallBase &call)
{
    const Function *callee = call.getCalledFunction();

    if (!callee || call.arg_empty() || !call.getArgOperand(0)->getType()->isPointerTy())
        return 0;
    return StringSwitch<uint64_t>(callee->getName())
        .Cases("setjmp", "_setjmp", "__setjmp", "sigsetjmp", "__sigsetjmp", SETJMP_BYTES)
        .Cases("fegetenv", "feholdexcept", FENV_BYTES)
        .Cases("unw_getcontext", "__unw_getcontext", UNWIND_BYTES)
        .Default(0);
}

/* They throw nothing.  C++ may invoke them all the same, and behind an invoke, where others come by
 * too, there is no place for marks.  True: the function has changed. */
bool callAssembly(Function &function)
{
    bool changed = false;

    for (BasicBlock &block : function) {
        auto *invoke = dyn_cast<InvokeInst>(block.getTerminator());

        if (invoke && writtenInAssembly(*invoke)) {
            changeToCall(invoke);
            changed = true;
        }
    }
    return changed;
}

void Marker::collectCall(CallBase &call)
{
    uint64_t size = writtenInAssembly(call);

    if (size)
        add(&call, call.getArgOperand(0), size, false);
}

void Marker::collect(Instruction &instruction)
{
    if (auto *store = dyn_cast<StoreInst>(&instruction)) {
        uint64_t size = layout.getTypeStoreSize(store->getValueOperand()->getType());

        add(store, store->getPointerOperand(), size, store->getAlign().value() >= size);
    } else if (auto *update = dyn_cast<AtomicRMWInst>(&instruction)) {
        add(update, update->getPointerOperand(), layout.getTypeStoreSize(update->getType()), true);
    } else if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
        Type *type = exchange->getNewValOperand()->getType();

        add(exchange, exchange->getPointerOperand(), layout.getTypeStoreSize(type), true);
    } else if (auto *intrinsic = dyn_cast<IntrinsicInst>(&instruction)) {
        collectIntrinsic(*intrinsic);
    } else if (auto *call = dyn_cast<CallBase>(&instruction)) {
        if (call->isInlineAsm())
            collectAsm(*call);
        else
            collectCall(*call);
    }
}

/* ---- marks ---- */

/* False: this is the mark that a test wants to be missing. */
bool Marker::counted()
{
    counts.seen++;
    if (counts.seen == SkipMark)
        return false;
    counts.marks++;
    return true;
}

void Marker::setCard(IRBuilder<> &builder, Value *page)
{
    Value *index = builder.CreateAnd(page, ConstantInt::get(word, CARD_COUNT - 1));
    Value *card = builder.CreateInBoundsGEP(cards->getType()->getPointerElementType(), cards,
                                            {ConstantInt::get(word, 0), index});
    StoreInst *store = builder.CreateAlignedStore(ConstantInt::get(byte, CARD_DIRTY), card, Align(1), true);

    store->setMetadata("nosanitize", MDNode::get(module.getContext(), None));
}

void Marker::mark(IRBuilder<> &builder, Value *pointer, uint64_t offset)
{
    Value *address;

    if (!counted())
        return;
    address = builder.CreatePtrToInt(pointer, word);
    if (offset)
        address = builder.CreateAdd(address, ConstantInt::get(word, offset));
    setCard(builder, builder.CreateLShr(address, CARD_SHIFT));
}

void Marker::markRange(IRBuilder<> &builder, Value *first, Value *last)
{
    if (!counted())
        return;
    if (first == last) {
        setCard(builder, builder.CreateLShr(first, CARD_SHIFT));
        return;
    }
    BasicBlock *before = builder.GetInsertBlock();
    auto *loop = BasicBlock::Create(module.getContext(), "optmig.cards", before->getParent());
    auto *after = BasicBlock::Create(module.getContext(), "optmig.marked", before->getParent());

    loop->moveAfter(before);
    after->moveAfter(loop);
    first = builder.CreateLShr(first, CARD_SHIFT);
    last = builder.CreateLShr(last, CARD_SHIFT);
    builder.CreateBr(loop);
    builder.SetInsertPoint(loop);
    PHINode *page = builder.CreatePHI(word, 2);
    setCard(builder, page);
    Value *next = builder.CreateAdd(page, ConstantInt::get(word, 1));
    page->addIncoming(first, before);
    page->addIncoming(next, loop);
    builder.CreateCondBr(builder.CreateICmpULT(page, last), loop, after);
    builder.SetInsertPoint(after);
}

void Marker::emit(const Write &write)
{
    IRBuilder<> builder(behind(write.after));

    builder.SetCurrentDebugLocation(write.after->getDebugLoc());
    mark(builder, write.pointer, 0);
    if (!write.aligned)
        mark(builder, write.pointer, write.size - 1);
}

/* How far `pointer` is from `base`, if that is a constant. */
bool Marker::distance(Value *pointer, Value *base, int64_t &out)
{
    const auto *difference = dyn_cast<SCEVConstant>(
        evolution->getMinusSCEV(evolution->getSCEV(pointer), evolution->getSCEV(base)));

    if (difference)
        out = difference->getAPInt().getSExtValue();
    return difference != nullptr;
}

/* Takes those out of `pending` that lie at constant distances from the pointer of the first, all
 * within a page's length; they are in program order. */
Marker::Group Marker::takeGroup(size_t first)
{
    Group group = {pending[first].pointer, 0, (int64_t)pending[first].size, pending[first].after, 1};

    for (size_t i = first + 1; i < pending.size(); i++) {
        int64_t low, high;

        if (!pending[i].after || !distance(pending[i].pointer, group.base, low))
            continue;
        high = std::max(low + (int64_t)pending[i].size, group.high);
        low = std::min(low, group.low);
        if (high - low > PAGE)
            continue;
        group.low = low;
        group.high = high;
        group.last = pending[i].after;
        group.members++;
        counts.shared++;
        pending[i].after = nullptr;
    }
    return group;
}

/* The first and the last byte of a group are marked, behind the last store of it; one mark if the
 * pointer's alignment tells that all is in one page. */
void Marker::flush()
{
    for (size_t i = 0; i < pending.size(); i++) {
        if (!pending[i].after)
            continue;
        Group group = takeGroup(i);

        if (group.members == 1) {
            emit(pending[i]);
            continue;
        }
        IRBuilder<> builder(behind(group.last));
        Value *base = builder.CreatePointerCast(group.base, builder.getInt8PtrTy());
        bool together = group.low >= 0 &&
                        (uint64_t)group.high <= group.base->getPointerAlignment(layout).value();

        builder.SetCurrentDebugLocation(group.last->getDebugLoc());
        mark(builder, base, (uint64_t)group.low);
        if (!together)
            mark(builder, base, (uint64_t)(group.high - 1));
    }
    pending.clear();
}

/* Where a thread may be stopped: calls and polls; and an exit of the block, after which anything may
 * come. */
bool Marker::isSafepoint(const Instruction &instruction)
{
    if (instruction.isTerminator() || mayBecomeCall(instruction))
        return true;
    if (isa<IntrinsicInst>(instruction))
        return isa<AnyMemIntrinsic>(instruction); /* may become a call, of an instrumented routine */
    return isa<CallBase>(instruction);
}

void Marker::run(Function &function, ScalarEvolution &scalars, const Strips &strips)
{
    evolution = &scalars;
    for (BasicBlock &block : function) {
        SmallVector<Instruction *, 64> instructions;

        for (Instruction &instruction : block)
            instructions.push_back(&instruction);
        for (Instruction *instruction : instructions) {
            /* What was written before a safepoint is marked before it. */
            if (isSafepoint(*instruction))
                flush();
            if (!strips.covers(instruction))
                collect(*instruction);
            else
                counts.stores++, counts.ranges++;
            if (isSafepoint(*instruction))
                flush();
        }
        flush();
    }
}

/* ---- polls ---- */

void poll(Instruction *before, Counts &counts)
{
    IRBuilder<> builder(before);
    auto *type = FunctionType::get(builder.getVoidTy(), false);
    auto *code = InlineAsm::get(type, "testb %al, __optmig_poll_v1",
                                "~{memory},~{dirflag},~{fpsr},~{flags}", true);

    builder.CreateCall(code)->addFnAttr(Attribute::NoUnwind);
    counts.polls++;
}

bool hasCall(const Loop &loop)
{
    for (BasicBlock *block : loop.blocks())
        for (Instruction &instruction : *block)
            if (isa<CallBase>(instruction) && !isa<IntrinsicInst>(instruction) &&
                !cast<CallBase>(instruction).isInlineAsm())
                return true;
    return false;
}

/* Time to the next safepoint is bounded: a loop of few turns, without loops or calls inside, may go
 * without one. */
bool isShort(Loop &loop, ScalarEvolution &evolution)
{
    unsigned most = evolution.getSmallConstantMaxTripCount(&loop);

    return loop.isInnermost() && most > 0 && most <= SHORT_LOOP_ITERATIONS && !hasCall(loop);
}

void pollLoops(LoopInfo &loops, ScalarEvolution &evolution, const Strips &strips, Counts &counts)
{
    for (Loop *loop : loops.getLoopsInPreorder()) {
        SmallVector<BasicBlock *, 4> latches;

        if (strips.polls(loop)) {
            counts.polls_strips++;
            continue;
        }
        if (isShort(*loop, evolution)) {
            counts.polls_short++;
            continue;
        }
        loop->getLoopLatches(latches);
        for (BasicBlock *latch : latches)
            poll(latch->getTerminator(), counts);
    }
}

/* Cycles that are not natural loops: computed gotos. */
void pollIndirect(Function &function, Counts &counts)
{
    for (BasicBlock &block : function)
        if (isa<IndirectBrInst>(block.getTerminator()) || isa<CallBrInst>(block.getTerminator()))
            poll(block.getTerminator(), counts);
}

bool isLeaf(const Function &function)
{
    for (const Instruction &instruction : instructions(function)) {
        const auto *call = dyn_cast<CallBase>(&instruction);

        if (call && !isa<IntrinsicInst>(call) && !call->isInlineAsm())
            return false;
        if (call && isa<AnyMemIntrinsic>(call))
            return false;
    }
    return true;
}

/* Static functions that nothing in the module calls in a circle need no poll at their entry: each
 * circle through other modules comes by a function that is visible there, or whose address is.
 * longjmp makes circles of another kind, so where setjmp is called all keep theirs. */
DenseSet<const Function *> withoutEntryPoll(Module &module)
{
    DenseSet<const Function *> found;
    CallGraph graph(module);

    for (const Function &function : module)
        if (function.hasFnAttribute(Attribute::ReturnsTwice) && !function.use_empty())
            return found;
    for (auto circle = scc_begin(&graph); !circle.isAtEnd(); ++circle) {
        const Function *function = circle->size() == 1 ? circle->front()->getFunction() : nullptr;

        if (function && !circle.hasCycle() && function->hasLocalLinkage() && !function->hasAddressTaken())
            found.insert(function);
    }
    return found;
}

/* That a store is non-temporal is a hint; without it, it is visible in order, as marks need. */
void makeTemporal(Function &function)
{
    for (Instruction &instruction : instructions(function))
        if (isa<StoreInst>(instruction))
            instruction.setMetadata(LLVMContext::MD_nontemporal, nullptr);
}

/* ---- the module ---- */

class OptMigPass : public PassInfoMixin<OptMigPass> {
  public:
    PreservedAnalyses run(Module &module, ModuleAnalysisManager &manager)
    {
        auto &functions = manager.getResult<FunctionAnalysisManagerModuleProxy>(module).getManager();
        Counts counts;
        Marker marker(module, counts);
        DenseSet<const Function *> straight = withoutEntryPoll(module);

        for (Function &function : module) {
            if (function.isDeclaration() || function.hasFnAttribute(Attribute::Naked) ||
                function.getName().startswith("__optmig_"))
                continue;
            instrument(function, functions, marker, counts);
            if (isLeaf(function))
                continue;
            if (straight.count(&function))
                counts.polls_entry++;
            else
                poll(&*function.getEntryBlock().getFirstInsertionPt(), counts);
        }
        addNote(module, counts);
        if (!StatsFile.empty())
            addStatistics(module, counts);
        return PreservedAnalyses::none();
    }
    static bool isRequired() { return true; } /* also at -O0 and for optnone */

  private:
    /* Marks stand right behind stores, or behind the loop or strip that they are in; polls at the
     * beginning or before the end of a block, calls where they were: so no safepoint comes between
     * a store and its mark. */
    static void instrument(Function &function, FunctionAnalysisManager &functions, Marker &marker,
                           Counts &counts)
    {
        if (callAssembly(function))
            functions.invalidate(function, PreservedAnalyses::none());
        auto &loops = functions.getResult<LoopAnalysis>(function);
        auto &evolution = functions.getResult<ScalarEvolutionAnalysis>(function);
        Strips strips(evolution, function.getParent()->getDataLayout());

        makeTemporal(function);
        if (!function.hasOptNone()) {
            auto &tree = functions.getResult<DominatorTreeAnalysis>(function);
            auto &assumptions = functions.getResult<AssumptionAnalysis>(function);

            for (Loop *loop : SmallVector<Loop *, 8>(loops.begin(), loops.end()))
                simplifyLoop(loop, &tree, &loops, &evolution, &assumptions, nullptr, false);
            for (Loop *loop : loops.getLoopsInPreorder())
                strips.plan(*loop, isShort(*loop, evolution));
        }
        marker.run(function, evolution, strips);
        pollLoops(loops, evolution, strips, counts);
        pollIndirect(function, counts);
        strips.apply(
            [&](IRBuilder<> &builder, Value *first, Value *last) { marker.markRange(builder, first, last); },
            [&](Instruction *before) { poll(before, counts); });
    }

    static void addNote(Module &module, const Counts &counts)
    {
        std::string text;
        raw_string_ostream out(text);

        out << ".pushsection " CARD_NOTE_SECTION ",\"a\",@note\n"
            << ".balign 4\n.long " << sizeof(CARD_NOTE_NAME) << ", 20, " << CARD_NOTE_TYPE
            << "\n.asciz \"" CARD_NOTE_NAME "\"\n.balign 4\n.long " << CARD_ABI_VERSION << ", "
            << CARD_NOTE_INSTRUMENTED << ", " << counts.stores << ", " << counts.marks << ", "
            << counts.polls << "\n.popsection\n";
        module.appendModuleInlineAsm(out.str());
    }

    static void addStatistics(Module &module, const Counts &counts)
    {
        std::error_code error;
        raw_fd_ostream out(StatsFile, error, sys::fs::OF_Append);

        if (error) {
            module.getContext().emitError("optmig: " + StatsFile + ": " + error.message());
            return;
        }
        out << "{\"stores\": " << counts.stores << ", \"stack\": " << counts.stack
            << ", \"shared\": " << counts.shared << ", \"ranges\": " << counts.ranges
            << ", \"marks\": " << counts.marks << ", \"polls\": " << counts.polls
            << ", \"polls_short\": " << counts.polls_short
            << ", \"polls_strips\": " << counts.polls_strips
            << ", \"polls_entry\": " << counts.polls_entry << "}\n";
    }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo llvmGetPassPluginInfo()
{
    return {LLVM_PLUGIN_API_VERSION, "OptMigPass", "1", [](PassBuilder &builder) {
                builder.registerOptimizerLastEPCallback(
                    [](ModulePassManager &manager, OptimizationLevel) {
                        manager.addPass(OptMigPass());
                    });
                builder.registerPipelineParsingCallback(
                    [](StringRef name, ModulePassManager &manager,
                       ArrayRef<PassBuilder::PipelineElement>) {
                        if (name != "optmig")
                            return false;
                        manager.addPass(OptMigPass());
                        return true;
                    });
            }};
}
