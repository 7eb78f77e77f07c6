; SPDX-License-Identifier: Apache-2.0
; What the backend makes a call of is a safepoint, as calls are.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare double @llvm.nearbyint.f64(double)
declare double @llvm.fabs.f64(double)

; musl's nearbyint polls.
; CHECK-LABEL: define void @rounded(
; CHECK: store double 1.0{{.*}}, double* %p
; CHECK: store volatile i8 1
; CHECK: call double @llvm.nearbyint.f64
; CHECK: store double
; CHECK: store volatile i8 1
define void @rounded(double* %p, double %x) {
  store double 1.0, double* %p
  %y = call double @llvm.nearbyint.f64(double %x)
  store double %y, double* %p
  ret void
}

; Two stores that share their mark: nothing is called between them.
; CHECK-LABEL: define void @absolute(
; CHECK: store double 1.0
; CHECK-NOT: store volatile
; CHECK: call double @llvm.fabs.f64
; CHECK: store volatile i8 1
define void @absolute(double* %p, double %x) {
  store double 1.0, double* %p
  %y = call double @llvm.fabs.f64(double %x)
  store double %y, double* %p
  ret void
}

; The routine for 128 bits polls, that for 64 is an instruction.
; CHECK-LABEL: define void @divided(
; CHECK: store i128 %y, i128* %p
; CHECK: store volatile i8 1
; CHECK: udiv i128
; CHECK: store i128
; CHECK: store i64 %a, i64* %q
; CHECK-NOT: store volatile
; CHECK: udiv i64
define void @divided(i128* %p, i128 %x, i128 %y, i64* %q, i64 %a) {
  store i128 %y, i128* %p, align 16
  %z = udiv i128 %x, %y
  store i128 %z, i128* %p, align 16
  call void asm sideeffect "nop", ""()
  store i64 %a, i64* %q
  %b = udiv i64 %a, 3
  store i64 %b, i64* %q
  ret void
}

; A counted loop that calls has no strips: the mark comes in each turn, before the next call.
; CHECK-LABEL: define void @remainders(
; CHECK: frem double
; CHECK: store double
; CHECK: store volatile i8 1
; CHECK: icmp eq i64 %next, %n
define void @remainders(double* %p, double* %from, i64 %n) {
  br label %turn

turn:
  %i = phi i64 [ 0, %0 ], [ %next, %turn ]
  %in = getelementptr double, double* %from, i64 %i
  %x = load double, double* %in
  %y = frem double %x, 3.0
  %to = getelementptr double, double* %p, i64 %i
  store double %y, double* %to
  %next = add i64 %i, 1
  %done = icmp eq i64 %next, %n
  br i1 %done, label %out, label %turn

out:
  ret void
}
