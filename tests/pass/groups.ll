; SPDX-License-Identifier: Apache-2.0
; Stores that share marks with stores of other blocks, and what alignment tells.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @callee()
declare i8* @malloc(i64)
declare void @llvm.memcpy.p0i8.p0i8.i64(i8*, i8*, i64, i1)

%pair = type { i64, i64 }

; Each way on comes by a store to the same object: only those are marked, and they mark for this one too.
; CHECK-LABEL: define void @both_arms(
; CHECK: entry:
; CHECK-NOT: volatile
; CHECK: a:
; CHECK: store volatile i8 1
; CHECK: b:
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @both_arms(i32* %p, i1 %c) {
entry:
  store i32 1, i32* %p
  br i1 %c, label %a, label %b
a:
  store i32 2, i32* %p
  ret void
b:
  store i32 3, i32* %p
  ret void
}

; One way does not: it keeps its mark.
; CHECK-LABEL: define void @one_arm(
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: br i1
; CHECK: store i32 2
; CHECK: store volatile i8 1
; CHECK: ret void
define void @one_arm(i32* %p, i1 %c) {
entry:
  store i32 1, i32* %p
  br i1 %c, label %a, label %b
a:
  store i32 2, i32* %p
  ret void
b:
  ret void
}

; A call between is a safepoint: no mark may wait behind it.
; CHECK-LABEL: define void @call_comes_first(
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: a:
; CHECK: call void @callee
; CHECK: store i32 2
; CHECK: store volatile i8 1
define void @call_comes_first(i32* %p) {
entry:
  store i32 1, i32* %p
  br label %a
a:
  call void @callee()
  store i32 2, i32* %p
  ret void
}

; Through a block that stores nothing; what is marked there would be two bytes' marks, so the way from elsewhere keeps its one.
; CHECK-LABEL: define void @through(
; CHECK: first:
; CHECK: store i64 1
; CHECK-NOT: volatile
; CHECK: middle:
; CHECK: last:
; CHECK: store i64 2
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @through(i64* %p, i1 %c) {
entry:
  br i1 %c, label %first, label %last
first:
  store i64 1, i64* %p, align 8
  br label %middle
middle:
  br label %last
last:
  store i64 2, i64* %p, align 8
  ret void
}

; Not to where another way would have a mark more to make.
; CHECK-LABEL: define void @dearer(
; CHECK: first:
; CHECK: store volatile i8 1
; CHECK: last:
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @dearer(%pair* %p, i1 %c) {
entry:
  %a = getelementptr %pair, %pair* %p, i64 0, i32 0
  %b = getelementptr %pair, %pair* %p, i64 0, i32 1
  br i1 %c, label %first, label %last
first:
  store i64 1, i64* %a, align 8
  br label %last
last:
  store i64 2, i64* %b, align 8
  ret void
}

; Not round a loop: the store of the next turn has its own mark, and a poll comes between.
; CHECK-LABEL: define void @round(
; CHECK: body:
; CHECK: store i32
; CHECK: store volatile i8 1
; CHECK: testb
; CHECK: ret void
define void @round(i32* %p, i32* %from) {
entry:
  br label %body
body:
  %v = load volatile i32, i32* %from
  store i32 %v, i32* %p
  %again = icmp ne i32 %v, 0
  br i1 %again, label %body, label %out
out:
  ret void
}

; Sixteen bytes at a multiple of sixteen from malloc's object: one mark; at a multiple of eight: two.
; CHECK-LABEL: define void @from_malloc(
; CHECK: call i8* @malloc
; CHECK: store volatile i8 1
; CHECK: call void @callee
; CHECK: store volatile i8 1
; CHECK: store volatile i8 1
; CHECK: call void @callee
define void @from_malloc(i64 %n, i64 %m) {
  %object = call i8* @malloc(i64 %n)
  %pairs = bitcast i8* %object to %pair*
  %a = getelementptr %pair, %pair* %pairs, i64 %m, i32 0
  %b = getelementptr %pair, %pair* %pairs, i64 %m, i32 1
  %c = getelementptr i64, i64* %b, i64 1
  store i64 1, i64* %a, align 8
  store i64 2, i64* %b, align 8
  call void @callee()
  store i64 1, i64* %b, align 8
  store i64 2, i64* %c, align 8
  call void @callee()
  ret void
}

; A copy of a few bytes never becomes a call: no safepoint, so its mark is shared.  Without optimisation it may.
; CHECK-LABEL: define void @copied(
; CHECK: call void @llvm.memcpy
; CHECK-NOT: volatile
; CHECK: store i8 1
; CHECK: store volatile i8 1
; CHECK: ret void
define void @copied(i8* %p, i8* %q) {
  call void @llvm.memcpy.p0i8.p0i8.i64(i8* align 8 %p, i8* %q, i64 16, i1 false)
  store i8 1, i8* %p
  ret void
}
; CHECK-LABEL: define void @copied_without(
; CHECK: call void @llvm.memcpy
; CHECK: store volatile i8 1
; CHECK: store i8 1
; CHECK: store volatile i8 1
; CHECK: ret void
define void @copied_without(i8* %p, i8* %q) noinline optnone {
  call void @llvm.memcpy.p0i8.p0i8.i64(i8* align 8 %p, i8* %q, i64 16, i1 false)
  store i8 1, i8* %p
  ret void
}
