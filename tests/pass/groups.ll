; SPDX-License-Identifier: Apache-2.0
; Stores that share marks with stores of other blocks.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @callee()
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

; One way does not: it gets a mark of its own, and the other has one for both.
; CHECK-LABEL: define void @one_arm(
; CHECK: store i32 1
; CHECK-NOT: volatile
; CHECK: br i1 %c, label %a, label %[[ASIDE:.*]]
; CHECK: a:
; CHECK: store i32 2
; CHECK: store volatile i8 1
; CHECK: ret void
; CHECK: [[ASIDE]]:
; CHECK: store volatile i8 1
; CHECK: br label %b
; CHECK: b:
; CHECK-NOT: volatile
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

; Through a block that stores nothing.
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
define void @dearer(i64* %p, i1 %c) {
entry:
  %a = getelementptr i64, i64* %p, i64 0
  %b = getelementptr i64, i64* %p, i64 32
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

; 257 bytes are what one mark covers: they are shared by both ways.
; CHECK-LABEL: define void @as_far_as_a_head(
; CHECK: first:
; CHECK-NOT: volatile
; CHECK: last:
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @as_far_as_a_head(i8* %p, i1 %c) {
entry:
  %b = getelementptr i8, i8* %p, i64 256
  br i1 %c, label %first, label %last
first:
  store i8 1, i8* %p
  br label %last
last:
  store i8 2, i8* %b
  ret void
}

; Two ways may leave before the store that is shared, each with a mark of its own; but no third one.
; CHECK-LABEL: define void @two_leave(
; CHECK: entry:
; CHECK-NOT: volatile
; CHECK: next:
; CHECK-NOT: volatile
; CHECK: last:
; CHECK: store volatile i8 1
; CHECK: optmig.aside{{.*}}:
; CHECK: store volatile i8 1
; CHECK: optmig.aside{{.*}}:
; CHECK: store volatile i8 1
; CHECK: out:
define void @two_leave(i32* %p, i1 %c, i1 %d) {
entry:
  store i32 1, i32* %p
  br i1 %c, label %next, label %out
next:
  br i1 %d, label %last, label %out
last:
  store i32 2, i32* %p
  ret void
out:
  ret void
}
; CHECK-LABEL: define void @three_leave(
; CHECK: entry:
; CHECK: store volatile i8 1
; CHECK: last:
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: out:
define void @three_leave(i32* %p, i1 %c, i1 %d, i1 %e) {
entry:
  store i32 1, i32* %p
  br i1 %c, label %next, label %out
next:
  br i1 %d, label %third, label %out
third:
  br i1 %e, label %last, label %out
last:
  store i32 2, i32* %p
  ret void
out:
  ret void
}

; Where the way on is not this block's alone, its address is not known to all who leave there: they would have no mark.
; CHECK-LABEL: define void @joined(
; CHECK: first:
; CHECK: store i32 1
; CHECK: store volatile i8 1
; CHECK: middle:
; CHECK: last:
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: out:
define void @joined(i32* %p, i1 %c, i1 %d) {
entry:
  br i1 %c, label %first, label %middle
first:
  store i32 1, i32* %p
  br label %middle
middle:
  br i1 %d, label %last, label %out
last:
  store i32 2, i32* %p
  ret void
out:
  ret void
}

; The address of a store behind a join is known on each way there: the object of each arm is marked by it.
; CHECK-LABEL: define void @chosen(
; CHECK: a:
; CHECK-NOT: volatile
; CHECK: b:
; CHECK: store i64 3
; CHECK-NEXT: ptrtoint i64* %r
; CHECK: store volatile i8 1
; CHECK: last:
; CHECK: store volatile i8 1
; CHECK-NOT: volatile
; CHECK: ret void
define void @chosen(%pair* %p, %pair* %q, i64* %r, i1 %c) {
entry:
  br i1 %c, label %a, label %b
a:
  %pa = getelementptr %pair, %pair* %p, i64 0, i32 0
  store i64 1, i64* %pa
  br label %last
b:
  %qa = getelementptr %pair, %pair* %q, i64 0, i32 0
  store i64 2, i64* %qa
  store i64 3, i64* %r
  br label %last
last:
  %object = phi %pair* [ %p, %a ], [ %q, %b ]
  %ob = getelementptr %pair, %pair* %object, i64 0, i32 1
  store i64 4, i64* %ob
  ret void
}

; But no value of the turn before: the store of the next turn is to another object.
; CHECK-LABEL: define void @of_the_next_turn(
; CHECK: body:
; CHECK: store i32
; CHECK: store volatile i8 1
; CHECK: out:
define void @of_the_next_turn(i32* %p, i32** %from) {
entry:
  br label %body
body:
  %at = phi i32* [ %p, %entry ], [ %next, %body ]
  store i32 1, i32* %at
  %next = load volatile i32*, i32** %from
  %again = icmp ne i32* %next, null
  br i1 %again, label %body, label %out
out:
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

; What that card speaks of too is marked by the object's first byte: behind the call it is the same page number.
; CHECK-LABEL: define void @object(
; CHECK: store i64 1
; CHECK-NEXT: %[[A:.*]] = ptrtoint i8* %p to i64
; CHECK-NEXT: lshr i64 %[[A]], 12
; CHECK: store volatile i8 1
; CHECK: call void @callee
; CHECK: store i64 2
; CHECK-NEXT: %[[B:.*]] = ptrtoint i8* %p to i64
; CHECK-NEXT: lshr i64 %[[B]], 12
; CHECK: store volatile i8 1
; CHECK: ret void
define void @object(i8* %p) {
  %a = getelementptr i8, i8* %p, i64 8
  %a.word = bitcast i8* %a to i64*
  store i64 1, i64* %a.word
  call void @callee()
  %b = getelementptr i8, i8* %p, i64 249
  %b.word = bitcast i8* %b to i64*
  store i64 2, i64* %b.word
  ret void
}
; A byte more, and it is a part's first byte; what lies before the pointer is marked where it is.
; CHECK-LABEL: define void @parts(
; CHECK: store i64 1
; CHECK-NEXT: %[[A:.*]] = ptrtoint i8* %p to i64
; CHECK-NEXT: add i64 %[[A]], 128
; CHECK: call void @callee
; CHECK: store i64 2
; CHECK-NEXT: ptrtoint i64* %b.word to i64
; CHECK: store volatile i8 1
; CHECK: ret void
define void @parts(i8* %p) {
  %a = getelementptr i8, i8* %p, i64 250
  %a.word = bitcast i8* %a to i64*
  store i64 1, i64* %a.word
  call void @callee()
  %b = getelementptr i8, i8* %p, i64 -8
  %b.word = bitcast i8* %b to i64*
  store i64 2, i64* %b.word
  ret void
}
