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
#include <llvm/ADT/PostOrderIterator.h>
#include <llvm/Analysis/AssumptionCache.h>
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/Analysis/ScalarEvolution.h>
#include <llvm/Analysis/TargetTransformInfo.h>
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
#include "pass/Circles.h"
#include "pass/Groups.h"
#include "pass/Latches.h"
#include "pass/Strips.h"
#include "pass/Unroll.h"

using namespace llvm;
using optmig::Groups;
using optmig::mayBecomeCall;
using optmig::Strips;

namespace {

cl::opt<unsigned> SkipMark("optmig-skip-mark", cl::init(0), cl::Hidden,
                           cl::desc("tests only: leave out the Nth mark of a module"));
cl::opt<std::string> StatsFile("optmig-stats", cl::init(""), cl::Hidden,
                               cl::desc("append what was counted in a module to this file, a line of JSON"));
cl::opt<bool> Vetted("optmig-vetted", cl::init(false), cl::Hidden,
                     cl::desc("our own routines, which mark what they write: they only get the note"));
cl::opt<bool> FileAsm("optmig-file-asm", cl::init(false), cl::Hidden,
                      cl::desc("musl's own: assembly outside of functions is vetted"));
cl::opt<bool> AllowAsm("optmig-allow-asm", cl::init(false),
                       cl::desc("accept assembly that may write memory nobody knows of"));

enum {
    SHORT_LOOP_ITERATIONS = 64,
    INLINE_COPY_BYTES = 32,  /* never become a call */
    LONGEST_EXPANDED = 4096, /* copies that the backend may make stores of */
};

/* What is in the note and in -optmig-stats: those that there are, and those that were saved. */
struct Counts {
    unsigned stores = 0, marks = 0, polls = 0, seen = 0;
    unsigned stack = 0;  /* stores to the function's own stack */
    unsigned shared = 0; /* marks that other stores' marks made needless */
    unsigned later = 0;  /* and those of stores in blocks that follow */
    unsigned ranges = 0; /* marks moved out of loops */
    unsigned polls_short = 0, polls_strips = 0; /* polls left out of loops of few turns; moved out of counted ones */
    unsigned unrolled = 0;                      /* loops, so that one poll serves four turns */
    unsigned polls_entry = 0;                   /* polls left out at entries of functions */
};

class Marker {
  public:
    Marker(Module &module, Counts &counts) : module(module), counts(counts), layout(module.getDataLayout())
    {
        auto &context = module.getContext();

        byte = Type::getInt8Ty(context);
        word = Type::getInt64Ty(context);
        cards = module.getOrInsertGlobal("__optmig_cards_v3", ArrayType::get(byte, CARD_COUNT));
        /* Programs are static, at fixed addresses.  A module that declares the table itself may give
         * it another type: then `cards` is a cast of it. */
        module.getNamedGlobal("__optmig_cards_v3")->setDSOLocal(true);
    }

    /* All stores of a function but those that `strips` covers.  `polls`: what a poll will stand before. */
    void run(Function &function, ScalarEvolution &evolution, const Strips &strips,
             const SmallPtrSetImpl<const Instruction *> &polls);
    /* All cards of [first, last], with a loop; one, if both are the same value. */
    void markRange(IRBuilder<> &builder, Value *first, Value *last);

  private:
    void collect(Instruction &instruction);
    void collectIntrinsic(IntrinsicInst &intrinsic);
    void collectAsm(CallBase &call);
    void add(Instruction *after, Value *pointer, uint64_t size);
    void addCopy(AnyMemIntrinsic &copy);
    void runBlock(BasicBlock &block, const Strips &strips,
                  const SmallPtrSetImpl<const Instruction *> &polls);
    bool counted();
    void setCard(IRBuilder<> &builder, Value *page);
    void mark(Instruction *before, Value *base, int64_t offset);
    static bool isSafepoint(const Instruction &instruction);

    Module &module;
    Counts &counts;
    const DataLayout &layout;
    Type *byte, *word;
    Constant *cards;
    Groups *groups = nullptr; /* of the function under way */
};

bool isOwnStack(Value *pointer)
{
    return isa<AllocaInst>(getUnderlyingObject(pointer, 0));
}

/* A position where marks can follow: behind the instruction, in its block.  No invoke writes anything:
 * see collectAsm. */
Instruction *behind(Instruction *instruction)
{
    return instruction->getNextNode();
}

void Marker::add(Instruction *after, Value *pointer, uint64_t size)
{
    counts.stores++;
    if (isOwnStack(pointer)) {
        counts.stack++;
        return;
    }
    groups->write({after, pointer, size});
}

/* The backend makes a call of a longer one, of libc's routine, which is instrumented itself. */
void Marker::addCopy(AnyMemIntrinsic &copy)
{
    auto *length = dyn_cast<ConstantInt>(copy.getLength());
    uint64_t size = length ? length->getZExtValue() : 0;

    if (size > 0 && size <= LONGEST_EXPANDED)
        add(&copy, copy.getRawDest(), size);
    else if (isa<MemCpyInlineInst>(copy) && size > LONGEST_EXPANDED)
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

        add(&intrinsic, intrinsic.getArgOperand(to), size);
        return;
    }
    case Intrinsic::masked_scatter: {
        /* Each lane by itself, whether its mask is set or not: a mark too many does no harm. */
        auto *pointers = intrinsic.getArgOperand(1);
        auto *type = cast<FixedVectorType>(pointers->getType());
        auto *element = cast<VectorType>(intrinsic.getArgOperand(0)->getType())->getElementType();
        IRBuilder<> builder(behind(&intrinsic));

        for (unsigned i = 0; i < type->getNumElements(); i++) {
            Value *lane = builder.CreateExtractElement(pointers, i);
            auto *extracted = dyn_cast<Instruction>(lane); /* not of constants */

            add(extracted ? extracted : &intrinsic, lane, layout.getTypeStoreSize(element));
        }
        return;
    }
    case Intrinsic::vastart:
    case Intrinsic::vacopy:
        add(&intrinsic, intrinsic.getArgOperand(0), 24);
        return;
    case Intrinsic::x86_sse_stmxcsr:
        add(&intrinsic, intrinsic.getArgOperand(0), 4);
        return;
    case Intrinsic::x86_sse2_maskmov_dqu:
        add(drained(&intrinsic), intrinsic.getArgOperand(2), 16);
        return;
    case Intrinsic::x86_avx_maskstore_pd:
    case Intrinsic::x86_avx_maskstore_ps:
    case Intrinsic::x86_avx2_maskstore_d:
    case Intrinsic::x86_avx2_maskstore_q:
        add(&intrinsic, intrinsic.getArgOperand(0), 16);
        return;
    case Intrinsic::x86_avx_maskstore_pd_256:
    case Intrinsic::x86_avx_maskstore_ps_256:
    case Intrinsic::x86_avx2_maskstore_d_256:
    case Intrinsic::x86_avx2_maskstore_q_256:
        add(&intrinsic, intrinsic.getArgOperand(0), 32);
        return;
    case Intrinsic::x86_fxsave:
    case Intrinsic::x86_fxsave64:
        add(&intrinsic, intrinsic.getArgOperand(0), 512);
        return;
    case Intrinsic::init_trampoline:
        add(&intrinsic, intrinsic.getArgOperand(0), 32);
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
            add(&call, call.getArgOperand(argument), layout.getTypeStoreSize(type));
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

void Marker::collect(Instruction &instruction)
{
    if (auto *store = dyn_cast<StoreInst>(&instruction)) {
        uint64_t size = layout.getTypeStoreSize(store->getValueOperand()->getType());

        add(store, store->getPointerOperand(), size);
    } else if (auto *update = dyn_cast<AtomicRMWInst>(&instruction)) {
        add(update, update->getPointerOperand(), layout.getTypeStoreSize(update->getType()));
    } else if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction)) {
        Type *type = exchange->getNewValOperand()->getType();

        add(exchange, exchange->getPointerOperand(), layout.getTypeStoreSize(type));
    } else if (auto *intrinsic = dyn_cast<IntrinsicInst>(&instruction)) {
        collectIntrinsic(*intrinsic);
    } else if (auto *call = dyn_cast<CallBase>(&instruction)) {
        if (call->isInlineAsm())
            collectAsm(*call);
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
    Value *card = builder.CreateGEP(cards->getType()->getPointerElementType(), cards,
                                    {ConstantInt::get(word, 0), page});
    StoreInst *store = builder.CreateAlignedStore(ConstantInt::get(byte, CARD_DIRTY), card, Align(1), true);

    store->setMetadata("nosanitize", MDNode::get(module.getContext(), None));
}

void Marker::mark(Instruction *before, Value *base, int64_t offset)
{
    IRBuilder<> builder(before);

    if (!counted())
        return;
    Value *address = builder.CreatePtrToInt(base, word);
    if (offset)
        address = builder.CreateAdd(address, ConstantInt::get(word, (uint64_t)offset));
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

/* Where a thread may be stopped: calls (polls come by themselves). */
bool Marker::isSafepoint(const Instruction &instruction)
{
    const auto *copy = dyn_cast<AnyMemIntrinsic>(&instruction);
    const auto *length = copy ? dyn_cast<ConstantInt>(copy->getLength()) : nullptr;

    if (copy) /* a long one becomes a call, of an instrumented routine; without optimisation any may */
        return !length || length->getZExtValue() > INLINE_COPY_BYTES ||
               instruction.getFunction()->hasOptNone();
    return mayBecomeCall(instruction) ||
           (isa<CallBase>(instruction) && !isa<IntrinsicInst>(instruction));
}

void Marker::runBlock(BasicBlock &block, const Strips &strips,
                      const SmallPtrSetImpl<const Instruction *> &polls)
{
    SmallVector<Instruction *, 64> instructions;
    const Instruction *end = block.getTerminator();

    for (Instruction &instruction : block)
        instructions.push_back(&instruction);
    groups->beginBlock();
    for (Instruction *instruction : instructions) {
        bool safepoint = isSafepoint(*instruction);

        /* What was written before a safepoint is marked before it. */
        if (safepoint || polls.count(instruction))
            groups->safepoint();
        if (!strips.covers(instruction))
            collect(*instruction);
        else
            counts.stores++, counts.ranges++;
        if (safepoint)
            groups->safepoint();
    }
    groups->endBlock(block, !isa<BranchInst>(end) && !isa<SwitchInst>(end));
}

void Marker::run(Function &function, ScalarEvolution &evolution, const Strips &strips,
                 const SmallPtrSetImpl<const Instruction *> &polls)
{
    Groups found(evolution, layout);

    groups = &found;
    for (BasicBlock *block : post_order(&function))
        runBlock(*block, strips, polls);
    found.emit([&](Instruction *before, Value *base, int64_t offset) { mark(before, base, offset); });
    counts.shared += found.shared;
    counts.later += found.later;
}

/* ---- polls ---- */

/* Assembly without operands, which the backend neither moves nor leaves out. */
void placeAsm(Instruction *before, StringRef text, StringRef clobbers)
{
    IRBuilder<> builder(before);
    auto *type = FunctionType::get(builder.getVoidTy(), false);

    builder.CreateCall(InlineAsm::get(type, text, clobbers, true))->addFnAttr(Attribute::NoUnwind);
}

void poll(Instruction *before, Counts &counts)
{
    placeAsm(before, "testb %al, __optmig_poll_v3", "~{memory},~{flags}");
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

/* A poll spoils the flags: it stands before what the latch compares, if no store lies between. */
Instruction *pollOfLatch(BasicBlock &latch)
{
    Instruction *end = latch.getTerminator(), *first = end;
    auto *branch = dyn_cast<BranchInst>(end);
    auto *compare = branch && branch->isConditional() ? dyn_cast<Instruction>(branch->getCondition()) : nullptr;
    SmallPtrSet<const Value *, 4> compared;

    if (!compare || compare->getParent() != &latch || isa<PHINode>(compare))
        return end;
    compared.insert(compare);
    compared.insert(compare->op_begin(), compare->op_end());
    for (Instruction *at = end->getPrevNode(); at && !isa<PHINode>(at) && !at->mayHaveSideEffects();
         at = at->getPrevNode())
        if (compared.count(at))
            first = at;
    return first;
}

/* What polls of loops will stand before.  Computed gotos make cycles that are no natural loops. */
void planPolls(Function &function, LoopInfo &loops, ScalarEvolution &evolution, const Strips &strips,
               Counts &counts, SmallPtrSetImpl<const Instruction *> &out)
{
    for (BasicBlock &block : function)
        if (isa<IndirectBrInst>(block.getTerminator()) || isa<CallBrInst>(block.getTerminator()))
            out.insert(block.getTerminator());
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
            out.insert(pollOfLatch(*latch));
    }
}

/* The place right behind a system call is a safepoint (enclave/signal.c, may_leave).  So nothing may
 * jump there: stores of another way might still be without their marks. */
void guardSystemCalls(Function &function)
{
    SmallVector<Instruction *, 4> calls;

    for (Instruction &instruction : instructions(function)) {
        auto *call = dyn_cast<CallInst>(&instruction);

        if (call && call->isInlineAsm() &&
            cast<InlineAsm>(call->getCalledOperand())->getAsmString().find("syscall") != std::string::npos)
            calls.push_back(call->getNextNode());
    }
    for (Instruction *next : calls)
        placeAsm(next, "nop", "");
}

/* That a store is non-temporal is a hint; without it, it is visible in order, as marks need. */
void makeTemporal(Function &function)
{
    for (Instruction &instruction : instructions(function))
        if (isa<StoreInst>(instruction))
            instruction.setMetadata(LLVMContext::MD_nontemporal, nullptr);
}

/* ---- the module ---- */

/* Assembly outside of functions: directives and labels are no code, all else marks nothing. */
void checkFileAsm(Module &module)
{
    SmallVector<StringRef, 16> lines;
    StringRef text = module.getModuleInlineAsm();

    if (FileAsm || AllowAsm)
        return;
    text.split(lines, '\n');
    for (StringRef line : lines) {
        StringRef rest = line.trim();

        while (rest.contains(':') && rest.split(':').first.find_first_of(" \t,(%\"") == StringRef::npos)
            rest = rest.split(':').second.trim(); /* a label */
        if (rest.empty() || rest.startswith(".") || rest.startswith("#") || rest.startswith("//"))
            continue;
        module.getContext().emitError("optmig: assembly outside of functions marks nothing; accept it with "
                                      "--allow-asm if it writes no memory: " + line.trim());
        return;
    }
}

class OptMigPass : public PassInfoMixin<OptMigPass> {
  public:
    PreservedAnalyses run(Module &module, ModuleAnalysisManager &manager)
    {
        auto &functions = manager.getResult<FunctionAnalysisManagerModuleProxy>(module).getManager();
        Counts counts;
        checkFileAsm(module);
        Marker marker(module, counts);
        optmig::Places circles = optmig::breakingCircles(module, functions);

        for (Function &function : module) {
            if (function.isDeclaration() || function.hasFnAttribute(Attribute::Naked) || Vetted)
                continue;
            bool breaks = circles.count(&function);
            std::vector<Instruction *> calls = circles.lookup(&function);

            instrument(function, functions, marker, calls, counts);
            if (breaks && calls.empty())
                poll(&*function.getEntryBlock().getFirstInsertionPt(), counts);
            else
                counts.polls_entry++;
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
                           ArrayRef<Instruction *> polled_calls, Counts &counts)
    {
        auto &loops = functions.getResult<LoopAnalysis>(function);
        auto &evolution = functions.getResult<ScalarEvolutionAnalysis>(function);
        Strips strips(evolution, function.getParent()->getDataLayout());

        makeTemporal(function);
        guardSystemCalls(function);
        if (!function.hasOptNone()) {
            auto &tree = functions.getResult<DominatorTreeAnalysis>(function);
            auto &assumptions = functions.getResult<AssumptionAnalysis>(function);

            for (Loop *loop : SmallVector<Loop *, 8>(loops.begin(), loops.end()))
                simplifyLoop(loop, &tree, &loops, &evolution, &assumptions, nullptr, false);
            const auto &target = functions.getResult<TargetIRAnalysis>(function);
            for (Loop *loop : loops.getLoopsInPreorder()) {
                optmig::splitLatch(*loop, loops, evolution, tree);
                bool is_short = isShort(*loop, evolution);

                if (!strips.plan(*loop, is_short) && !is_short)
                    counts.unrolled += optmig::unrollSmall(*loop, loops, evolution, tree, assumptions, target);
            }
        }
        SmallPtrSet<const Instruction *, 8> polls(polled_calls.begin(), polled_calls.end());
        planPolls(function, loops, evolution, strips, counts, polls);
        marker.run(function, evolution, strips, polls);
        for (const Instruction *before : polls)
            poll(const_cast<Instruction *>(before), counts);
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
            << ", \"shared\": " << counts.shared << ", \"later\": " << counts.later << ", \"ranges\": " << counts.ranges
            << ", \"marks\": " << counts.marks << ", \"polls\": " << counts.polls
            << ", \"polls_short\": " << counts.polls_short
            << ", \"polls_strips\": " << counts.polls_strips
            << ", \"unrolled\": " << counts.unrolled << ", \"polls_entry\": " << counts.polls_entry << "}\n";
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
