/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that are no calls here, and for which the backend may call a routine of libc or of
 * the compiler (x86-64).  These are instrumented, and may have safepoints: what was stored before
 * has to be marked before.  Memory intrinsics are not among them; the pass looks at those itself.
 */
#pragma once

#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>

namespace optmig
{

inline bool intrinsicMayCall(const llvm::IntrinsicInst &intrinsic)
{
    using namespace llvm;

    if (isa<ConstrainedFPIntrinsic>(intrinsic))
        return true;
    switch (intrinsic.getIntrinsicID()) {
    case Intrinsic::sin:
    case Intrinsic::cos:
    case Intrinsic::pow:
    case Intrinsic::powi:
    case Intrinsic::exp:
    case Intrinsic::exp2:
    case Intrinsic::log:
    case Intrinsic::log2:
    case Intrinsic::log10:
    case Intrinsic::fma:
    case Intrinsic::floor:
    case Intrinsic::ceil:
    case Intrinsic::trunc:
    case Intrinsic::rint:
    case Intrinsic::nearbyint:
    case Intrinsic::round:
    case Intrinsic::roundeven:
    case Intrinsic::lround:
    case Intrinsic::llround:
    case Intrinsic::lrint:
    case Intrinsic::llrint:
        return true;
    case Intrinsic::minnum:
    case Intrinsic::maxnum:
        return intrinsic.getType()->isX86_FP80Ty();
    case Intrinsic::smul_with_overflow:
    case Intrinsic::umul_with_overflow:
        return intrinsic.getArgOperand(0)->getType()->getScalarSizeInBits() > 64;
    default:
        return false;
    }
}

inline bool mayBecomeCall(const llvm::Instruction &instruction)
{
    using namespace llvm;
    const auto *intrinsic = dyn_cast<IntrinsicInst>(&instruction);
    auto wide = [](const Type *type) { return type->getScalarSizeInBits() > 64; };

    if (intrinsic)
        return intrinsicMayCall(*intrinsic);
    switch (instruction.getOpcode()) {
    case Instruction::FRem:
        return true;
    case Instruction::UDiv:
    case Instruction::SDiv:
    case Instruction::URem:
    case Instruction::SRem:
    case Instruction::FPToUI:
    case Instruction::FPToSI:
        return wide(instruction.getType());
    case Instruction::UIToFP:
    case Instruction::SIToFP:
        return wide(instruction.getOperand(0)->getType());
    default:
        return false;
    }
}

} // namespace optmig
